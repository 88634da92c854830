import Checkpoints

/// How a transformer reads references: fields of `config.json` that are alike in all families.
package struct ReferenceDesign: Sendable, Equatable {
  /// Indices of the blocks that carry an expert; empty for a plain image-to-video model.
  package var expertLayers: [Int] = []
  /// How the target learns of the references.
  package var coupling = Coupling.mixture
  /// Where the references stand on the rotary axes.
  package var positionDesign = PositionDesign.temporalBias
  /// Whether the expert predicts the references too, which are then noised in training.
  package var predictsReferences = false

  package init() {}

  /// The published training mode in which references are noised and predicted.
  package static let independentReferences = "reference_independent"
}

extension ReferenceDesign: Decodable {
  package enum CodingKeys: String, CodingKey {
    case expertLayers = "block_idx_with_mot_ref"
    case referenceTrainMode = "reference_train_mode"
    case singleEncoder = "ablation_single_encoder"
    case residualAddition = "ablation_residual_addition"
    // Settings of this program, which published code passes over; it gives them to the trainer instead.
    case singleBranch = "ablation_single_branch"
    case positionDesign = "position_design"
    // Settings this implementation knows one value of.
    case effectTypes = "supported_effect_types"
    case referenceEmbeddings = "num_ref_embeddings"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try values.read(.expertLayers, into: &expertLayers)
    try values.require(nil as [String]?, forKey: .effectTypes)
    try values.require(nil as Int?, forKey: .referenceEmbeddings)
    try values.require(Self.independentReferences, forKey: .referenceTrainMode)
    predictsReferences = try values.decodeIfPresent(String.self, forKey: .referenceTrainMode) != nil
    coupling = try Self.coupling(values)
    positionDesign = try values.choice(forKey: .positionDesign, else: .temporalBias)
  }

  private static func coupling(_ values: KeyedDecodingContainer<CodingKeys>) throws -> Coupling {
    let named: [(key: CodingKeys, coupling: Coupling)] = [
      (.singleBranch, .inContext), (.singleEncoder, .crossAttention), (.residualAddition, .addition),
    ]
    let chosen = try named.filter { try values.decodeIfPresent(Bool.self, forKey: $0.key) == true }
    guard chosen.count < 2 else {
      throw InvalidField(
        chosen[1].key.rawValue, "contradicts '\(chosen[0].key.rawValue)'; only one of them may be true")
    }
    return chosen.first?.coupling ?? .mixture
  }

  /// Throws unless the expert's blocks exist, each named at most once in any order, and the coupling fits them.
  func validate(layerCount: Int) throws(InvalidField) {
    var seen = Set<Int>()
    for layer in expertLayers {
      guard (0..<layerCount).contains(layer) else {
        throw InvalidField(
          CodingKeys.expertLayers.rawValue, "names block \(layer); there are blocks 0...\(layerCount - 1)")
      }
      guard seen.insert(layer).inserted else {
        throw InvalidField(CodingKeys.expertLayers.rawValue, "names block \(layer) twice")
      }
    }
    guard coupling.hasExpert || expertLayers.isEmpty else {
      throw InvalidField(CodingKeys.singleBranch.rawValue, "is true, but there are blocks with an expert")
    }
    guard !predictsReferences || (!expertLayers.isEmpty && coupling == .mixture) else {
      throw InvalidField(
        CodingKeys.referenceTrainMode.rawValue, "needs blocks with an expert that shares attention with the base")
    }
  }
}
