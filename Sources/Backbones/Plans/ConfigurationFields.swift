import Checkpoints
import Layers
import VideoTransformers

extension MixtureConfiguration {
  /// The fields of a `config.json` that a training plan can change, as this configuration has them.
  var plannedFields: [String: JSONValue] {
    typealias Key = ReferenceDesign.CodingKeys
    let fields: [Key: JSONValue] = [
      .expertLayers: .list(expertLayers.map { .number("\($0)") }),
      .singleEncoder: .bool(coupling == .crossAttention), .residualAddition: .bool(coupling == .addition),
      .singleBranch: .bool(coupling == .inContext), .positionDesign: .string(positionDesign.rawValue),
      .referenceTrainMode: predictsReferences ? .string(ReferenceDesign.independentReferences) : .null,
    ]
    return Dictionary(uniqueKeysWithValues: fields.map { ($0.key.rawValue, $0.value) })
      .merging(["_class_name": .string(className)]) { $1 }
  }
}

extension ConfigFile {
  /// The file's contents with other values for some fields.
  ///
  /// Fields that have their published default in a plain model, and are not in the file, stay out of it.
  func text(changing fields: [String: JSONValue]) -> String {
    guard case .object(var members) = contents else { return contents.text }
    for (key, value) in fields where members[key] != nil || !Self.isDefault(key, value) { members[key] = value }
    return JSONValue.object(members).text
  }

  private static func isDefault(_ key: String, _ value: JSONValue) -> Bool {
    value == .bool(false) || value == .null || value == .list([])
      || (key == ReferenceDesign.CodingKeys.positionDesign.rawValue
        && value == .string(PositionDesign.temporalBias.rawValue))
  }
}

extension VideoPromptBackbone {
  /// The transformer's `config.json`, with what a training plan changed of it.
  package func configurationText() throws -> String {
    try ConfigFile(path: additions.configurationFolder(directory) + "/config.json")
      .text(changing: transformer.plannedFields)
  }

  /// What a file of the adapters that are trained says of itself; nil where none are.
  package var adapterExport: AdapterExport? {
    guard let plan = additions.plan, plan.trained == .lora else { return nil }
    return AdapterExport(
      rank: plan.adapters.rank, alpha: plan.adapters.alpha, targets: plan.adapters.expression,
      notes: [
        AdapterNote.coupling: transformer.coupling.rawValue,
        AdapterNote.positionDesign: transformer.positionDesign.rawValue,
      ])
  }
}
