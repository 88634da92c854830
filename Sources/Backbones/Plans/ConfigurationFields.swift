import Checkpoints
import Layers
import VideoTransformers

extension CogVideoXConfiguration {
  /// The fields of a `config.json` that a training plan can change, as this configuration has them.
  var plannedFields: [String: JSONValue] {
    var fields: [String: JSONValue] = [
      "_class_name": .string(hasExpert ? "CogVideoXTransformer3DMOTModel" : "CogVideoXTransformer3DModel"),
      "ablation_single_encoder": .bool(coupling == .crossAttention),
      "ablation_residual_addition": .bool(coupling == .addition),
      "ablation_single_branch": .bool(coupling == .inContext),
      "position_design": .string(positionDesign.rawValue),
      "reference_train_mode": predictsReferences ? .string(Self.independentReferences) : .null,
    ]
    fields["block_idx_with_mot_ref"] = .list(expertLayers.map { .number("\($0)") })
    return fields
  }
}

extension WanConfiguration {
  var plannedFields: [String: JSONValue] {
    [
      "_class_name": .string(hasExpert ? "WanTransformer3DMOTModel" : "WanTransformer3DModel"),
      "block_idx_with_mot_ref": .list(expertLayers.map { .number("\($0)") }),
    ]
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
      || (key == "position_design" && value == .string(PositionDesign.temporalBias.rawValue))
  }
}

extension CogVideoXBackbone {
  package func configurationText() throws -> String {
    try ConfigFile(path: additions.configurationFolder(directory) + "/config.json")
      .text(changing: transformer.plannedFields)
  }

  package var adapterExport: AdapterExport? {
    additions.plan?.adapterExport([
      AdapterNote.coupling: transformer.coupling.rawValue,
      AdapterNote.positionDesign: transformer.positionDesign.rawValue,
    ])
  }
}

extension WanBackbone {
  package var adapterExport: AdapterExport? { additions.plan?.adapterExport([:]) }

  package func configurationText() throws -> String {
    try ConfigFile(path: additions.configurationFolder(directory) + "/config.json")
      .text(changing: transformer.plannedFields)
  }
}

extension TrainingPlan {
  /// What a file of the adapters that are trained says of itself; nil where none are.
  func adapterExport(_ notes: [String: String]) -> AdapterExport? {
    guard trained == .lora else { return nil }
    return AdapterExport(
      rank: adapters.rank, alpha: adapters.alpha, targets: adapters.expression, notes: notes)
  }
}
