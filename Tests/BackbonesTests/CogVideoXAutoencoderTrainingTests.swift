import Autoencoders
import Compute
import Layers
import Tensors
import TestSupport
import Testing

@testable import Backbones

@Suite("CogVideoX autoencoder training")
struct CogVideoXAutoencoderTrainingTests {
  private static let pixels = Tensor.random([1, 3, 17, 8, 8], seed: 4).scaled(by: 0.5)
  private static let draws = TrainingDraws(seed: 1, sample: 0)

  private var config: CogVideoXAutoencoderConfig {
    var config = CogVideoXAutoencoderConfig()
    config.blockChannels = [4, 8, 8]
    config.layersPerBlock = 1
    config.normGroups = 2
    config.latentChannels = 4
    (config.sampleHeight, config.sampleWidth) = (16, 16)
    return config
  }

  private func loss(_ model: CogVideoXAutoencoderTraining, _ pixels: Tensor = Self.pixels) throws -> Tensor {
    try model.loss(
      target: EncodedClip(tensors: ["pixels": pixels]), references: [], draws: Self.draws, context: RunContext())
  }

  /// The model's weights, one of them replaced.
  private struct Moved: ParameterSource {
    let key: String
    let value: Tensor

    var keys: [String] { [] }
    var description: String { "moved weights" }

    func tensor(_ key: String, _ shape: Shape) throws -> Tensor? {
      try tensor(key, shape, initially: .ones)
    }

    func tensor(_ key: String, _ shape: Shape, initially: Initialization) throws -> Tensor? {
      key == self.key ? value : try FreshSource(seed: 3).tensor(key, shape, initially: initially)
    }
  }

  @Test(
    "the gradient of the loss agrees with central differences, through two chunks of frames, on both sides of the latents",
    arguments: [
      "encoder.conv_in.conv.weight", "encoder.down_blocks.1.resnets.0.norm2.weight", "encoder.conv_out.conv.bias",
      "encoder.down_blocks.0.downsamplers.0.conv.weight", "decoder.conv_in.conv.weight",
      "decoder.up_blocks.0.resnets.0.norm1.conv_y.conv.weight", "decoder.mid_block.resnets.1.conv2.conv.weight",
      "decoder.up_blocks.1.upsamplers.0.conv.weight", "decoder.conv_out.conv.weight",
    ])
  func gradients(key: String) throws {
    let model = try CogVideoXAutoencoderTraining(FreshSource(seed: 3), config)
    let parameter = try #require(model.parameters.first { $0.key == key })
    let gradient = try #require(try loss(model).backward()[parameter.tensor])
    let scale = gradient.squaredNorm().squareRoot()
    #expect(scale > 1e-4)
    // Scaled so that the tolerance is relative to the largest slope; kinks of absolute values leave a per cent.
    let largest = Float(gradient.floats().map(abs).max() ?? 1)
    try expectSlopes(
      gradient.scaled(by: 1 / largest), at: parameter.tensor.detached, weights: Tensor([1 / largest]), tolerance: 0.03,
      samples: 5, key
    ) { moved in
      try loss(CogVideoXAutoencoderTraining(Moved(key: key, value: moved), config, isTrained: false))
    }
  }

  @Test("every parameter is trained and gets a gradient")
  func all() throws {
    let model = try CogVideoXAutoencoderTraining(FreshSource(seed: 3), config)
    let gradients = try loss(model).backward()
    #expect(model.trainedParameters.count == model.parameters.count)
    for parameter in model.parameters {
      #expect(gradients[parameter.tensor]?.squaredNorm() ?? 0 > 0, "\(parameter.key)")
    }
  }

  @Test("the loss is that of its definition")
  func definition() throws {
    let model = try CogVideoXAutoencoderTraining(FreshSource(seed: 3), config, isTrained: false)
    let posterior = try model.autoencoder.encode(Self.pixels)
    let noise = try Self.draws.noise.noise(for: .target, shape: posterior.mean.shape)
    let error = (try model.autoencoder.decode(posterior.sample(noise: noise)) - Self.pixels).doubles()
    let width = 8
    func mean(_ values: [Double]) -> Double { values.reduce(0) { $0 + abs($1) } / Double(values.count) }
    let horizontal = error.indices.filter { $0 % width > 0 }.map { error[$0] - error[$0 - 1] }
    let vertical = error.indices.filter { $0 / width % 8 > 0 }.map { error[$0] - error[$0 - width] }
    let divergence = zip(posterior.mean.doubles(), posterior.logVariance.doubles()).map { mean, log in
      0.5 * (mean * mean + Double.exp(log) - 1 - log)
    }
    let expected = mean(error) + 0.5 * (mean(horizontal) + mean(vertical)) + 1e-5 * mean(divergence)
    #expect(abs(try loss(model).doubles()[0] - expected) < 1e-5)
  }

  @Test("clips that do not come back in their size are refused, and samples without pixels")
  func refusals() throws {
    let model = try CogVideoXAutoencoderTraining(FreshSource(seed: 3), config)
    #expect(throws: TrainingSampleFailure.self) { try loss(model, .random([1, 3, 15, 8, 8])) }
    #expect(throws: TrainingSampleFailure.missingTensor("pixels")) {
      try model.loss(target: EncodedClip(tensors: [:]), references: [], draws: Self.draws, context: RunContext())
    }
  }
}

extension Double {
  fileprivate static func exp(_ value: Double) -> Double { Tensor([Float(value)]).exponential().doubles()[0] }
}
