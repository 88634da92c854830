import Checkpoints
import Encoders
import Layers

// Models of a set's checkpoint that cases of several families load.
extension GoldenSet {
  /// Builds the model in a component's folder; throws unless its weights fit.
  func load<Model>(
    _ component: String, ignoring ignorable: (String) -> Bool = { _ in false }, _ build: (ParameterScope) -> Model
  ) throws -> Model {
    let loader = ParameterLoader(try WeightStore(directory: "\(checkpoint)/\(component)"))
    let model = build(loader.root)
    try loader.finish(ignoring: ignorable)
    return model
  }

  /// The text encoder of the T5 family, and its configuration.
  func loadTextEncoder() throws -> (encoder: T5Encoder, configuration: T5EncoderConfiguration) {
    let configuration = try configuration(T5EncoderConfiguration.self, of: "text_encoder")
    return (
      try load("text_encoder", ignoring: T5Encoder.isTiedKey) { T5Encoder($0, configuration) }, configuration
    )
  }

  func configuration<Config: Decodable>(_ type: Config.Type, of component: String) throws -> Config {
    try ConfigFile.decode(type, at: "\(checkpoint)/\(component)/config.json")
  }
}
