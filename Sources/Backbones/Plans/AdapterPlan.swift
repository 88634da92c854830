import Checkpoints
import Layers

/// New LoRA adapters on a transformer's projections; the published settings of preference training by default.
package struct AdapterPlan: Sendable, Equatable {
  package var rank = 32
  package var alpha = 32.0
  /// Names of the linear maps, the last components of their paths.
  package var targets = ["to_q", "to_k", "to_v", "to_out.0"]

  package init() {}

  /// The factor of a change.
  package var scale: Float { Float(alpha / Double(rank)) }

  /// Whether the linear map at this path gets an adapter: its path is a target or ends with one, as in PEFT.
  package func isTarget(_ path: String) -> Bool { targets.contains { path == $0 || path.hasSuffix(".\($0)") } }

  /// The expression by which published code finds the same maps.
  package var expression: String {
    "(transformer_blocks|single_transformer_blocks|blocks).*(\(targets.joined(separator: "|")))"
  }

  /// The adapters; their values depend on the seed and on each map's path.
  package func adapters(seed: UInt64) -> FreshAdapters {
    let plan = self
    return FreshAdapters(rank: rank, alpha: alpha, seed: seed) { plan.isTarget($0) }
  }
}

extension AdapterPlan: Decodable {
  private enum Key: String, CodingKey, CaseIterable { case rank, alpha, targets }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    try TrainingPlan.checkKeys(of: decoder, known: Key.allCases.map(\.rawValue), in: TrainingPlan.Key.lora)
    try values.read(.rank, into: &rank)
    alpha = Double(rank)
    try values.read(.alpha, into: &alpha)
    try values.read(.targets, into: &targets)
    try InvalidField.check("lora.rank", rank, in: 1...4096)
    guard alpha > 0, alpha <= 1e6 else {
      throw InvalidField("lora.alpha", "must be more than 0 and at most 1e6, not \(alpha)")
    }
    guard !targets.isEmpty, targets.allSatisfy({ !$0.isEmpty }) else {
      throw InvalidField("lora.targets", "must name at least one linear map, such as to_q")
    }
  }
}
