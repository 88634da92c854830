import Checkpoints
import Layers
import VideoTransformers

/// What of a model is trained, from what start, and how the target learns of the references.
///
/// Decoded from the keys of a training's YAML file, all optional: `start`, `train`, `layers`, `coupling`,
/// `position-design`, `lora: {rank, alpha, targets}`, `noisy-references` and `objective`.
package struct TrainingPlan: Sendable, Equatable {
  /// Where the weights come from that no training has changed yet.
  package enum Start: String, Sendable, CaseIterable {
    /// The checkpoint; where it has no expert, the expert starts as a copy of the base.
    case checkpoint
    /// As above, but an expert starts as a copy of the base even where the checkpoint has one.
    case base
    /// Fresh values, drawn from the run's seed; of the checkpoint only configurations are read.
    case random
  }

  /// Which parameters change.
  package enum Trained: String, Sendable, CaseIterable {
    /// The expert's, the published way.
    case expert
    /// New adapters only.
    case lora
    /// All but tables of positions.
    case full
  }

  package var start = Start.checkpoint
  package var trained = Trained.expert
  /// nil takes the checkpoint's, or all blocks where it has no expert.
  package var layers: ExpertLayers?
  /// nil takes the checkpoint's.
  package var coupling: Coupling?
  /// nil takes the checkpoint's.
  package var positionDesign: PositionDesign?
  package var adapters = AdapterPlan()
  /// From how many of the lowest noise levels the references' is drawn; nil leaves them clean.
  package var noisyReferenceLevels: Int?
  package var objective = ObjectivePlan()

  package init() {}
}

// MARK: - Reading

extension TrainingPlan: Decodable {
  package enum Key: String, CodingKey, CaseIterable {
    case start, train, layers, coupling
    case positionDesign = "position-design"
    case lora
    case noisyReferences = "noisy-references"
    case objective
  }

  /// Reads its keys and leaves others to other readers of the same file; throws `InvalidField` or `DecodingError`.
  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    start = try values.choice(forKey: .start, else: .checkpoint)
    trained = try values.choice(forKey: .train, else: .expert)
    layers = try values.decodeIfPresent(ExpertLayers.self, forKey: .layers)
    if values.contains(.coupling) { coupling = try values.choice(forKey: .coupling) }
    if values.contains(.positionDesign) { positionDesign = try values.choice(forKey: .positionDesign) }
    if values.contains(.lora) {
      guard trained == .lora else { throw InvalidField(Key.lora.rawValue, "needs 'train: lora'") }
      adapters = try values.decode(AdapterPlan.self, forKey: .lora)
    }
    noisyReferenceLevels = try values.decodeIfPresent(Int.self, forKey: .noisyReferences)
    if let noisyReferenceLevels {
      try InvalidField.check(Key.noisyReferences.rawValue, noisyReferenceLevels, in: 1...1000)
    }
    objective = try values.decodeIfPresent(ObjectivePlan.self, forKey: .objective) ?? objective
  }

  /// Throws if a mapping has a key that is not known.
  static func checkKeys(of decoder: any Decoder, known: [String], in parent: Key) throws {
    try InvalidField.checkKeys(of: decoder, known: known, in: parent.rawValue)
  }
}

extension TrainingPlan {
  /// The plan as settings that tell one run from another.
  package var identity: [String: String] {
    var identity = [Key.start.rawValue: start.rawValue, Key.train.rawValue: trained.rawValue]
    switch layers {
    case nil: break
    case .named(let name): identity[Key.layers.rawValue] = name.rawValue
    case .listed(let indices): identity[Key.layers.rawValue] = indices.map(String.init).joined(separator: ", ")
    }
    identity[Key.coupling.rawValue] = coupling?.rawValue
    identity[Key.positionDesign.rawValue] = positionDesign?.rawValue
    identity[Key.noisyReferences.rawValue] = noisyReferenceLevels.map { "\($0)" }
    if objective != ObjectivePlan() { identity[Key.objective.rawValue] = "\(objective)" }
    if trained == .lora {
      identity[Key.lora.rawValue] = "\(adapters.rank), \(adapters.alpha), \(adapters.targets.joined(separator: " "))"
    }
    return identity
  }
}

// MARK: - What it means for a model

extension TrainingPlan {
  /// Whether only a model with an expert has the parameter with this key.
  static func isOfExpert(_ key: String) -> Bool {
    key.contains(expertSuffix) || key.hasPrefix("effect_embeddings.") || key.hasPrefix("ref_embeddings.")
  }

  /// Whether the parameter with this key is trained; adapters are besides.
  package func isTrained(_ key: String) -> Bool {
    // Tables of positions are no parameters in published code.
    if key.hasSuffix("pos_embedding") { return false }
    switch trained {
    case .expert: return Self.isOfExpert(key)
    case .lora: return false
    case .full: return true
    }
  }

  /// The adapters that are trained.
  package func adapterSources(seed: UInt64) -> [any AdapterSource] {
    trained == .lora ? [adapters.adapters(seed: seed)] : []
  }

  /// The weights that a model starts from.
  ///
  /// - Parameter checkpoint: those of the directory; not called for a random start.
  package func weights(seed: UInt64, checkpoint: () throws -> any ParameterSource) rethrows -> any ParameterSource {
    let base: any ParameterSource =
      switch start {
      case .checkpoint: try checkpoint()
      case .base: BaseOnlySource(try checkpoint(), suffix: expertSuffix)
      case .random: FreshSource(seed: seed)
      }
    return CopiedExpertSource(base, suffix: expertSuffix)
  }

  /// The configuration of the model that is trained, from that of the checkpoint.
  package func applied<Configuration: MixtureConfiguration>(
    to checkpoint: Configuration
  ) throws(InvalidField) -> Configuration {
    // A fresh output layer is zero, so nothing before it gets a gradient as long as it is frozen.
    guard start != .random || trained == .full else {
      throw InvalidField(
        Key.start.rawValue,
        "is 'random', which learns nothing with 'train: \(trained.rawValue)': the frozen part would stay as it was "
          + "drawn; choose 'train: full', or another start")
    }
    var configuration = checkpoint
    configuration.coupling = coupling ?? checkpoint.coupling
    configuration.positionDesign = positionDesign ?? checkpoint.positionDesign
    configuration.predictsReferences = noisyReferenceLevels != nil || checkpoint.predictsReferences
    configuration.expertLayers = try expertLayers(
      checkpoint.expertLayers, of: checkpoint.layerCount, coupling: configuration.coupling)
    try configuration.validate()
    return configuration
  }

  private func expertLayers(
    _ present: [Int], of layerCount: Int, coupling: Coupling
  ) throws(InvalidField) -> [Int] {
    guard coupling.hasExpert else {
      guard trained != .expert else {
        throw InvalidField(
          Key.train.rawValue, "is 'expert', but there is none with 'coupling: in-context'; choose 'full' or 'lora'")
      }
      guard layers == nil else {
        throw InvalidField(Key.layers.rawValue, "are an expert's; there is none with 'coupling: in-context'")
      }
      return []
    }
    // Only training an expert gives one to a model that has none.
    let chosen =
      layers?.indices(of: layerCount) ?? (present.isEmpty && trained == .expert ? Array(0..<layerCount) : present)
    if let wrong = layers?.indices(of: layerCount).first(where: { !(0..<layerCount).contains($0) }) {
      throw InvalidField(
        Key.layers.rawValue, "names block \(wrong), but the model has blocks 0 to \(layerCount - 1)")
    }
    if chosen.isEmpty, trained == .expert {
      throw InvalidField(Key.layers.rawValue, "names no block, so there is no expert to train")
    }
    return chosen
  }
}
