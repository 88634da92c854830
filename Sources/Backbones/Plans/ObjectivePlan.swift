import Checkpoints
import Foundation

/// How a training draws noise levels and weighs samples; as published by default.
package struct ObjectivePlan: Sendable, Equatable {
  /// Share of the samples whose target is pure noise.
  package var pureNoise = 0.0
  /// The timestep of the others is the last one times a uniform number to this power: below 1, high levels come oftener.
  package var levelPower = 1.0
  /// Mean energy of the clips (see `weight`), by which samples are weighed; nil weighs all alike.
  package var clipEnergy: Double?

  package init() {}

  /// Where a sample lies among the levels, 0 for pure noise and below 1, from a uniform number.
  package func level(_ uniform: Double) -> Double {
    guard uniform >= pureNoise else { return 0 }
    let rest = pureNoise > 0 ? (uniform - pureNoise) / (1 - pureNoise) : uniform
    return levelPower == 1 ? rest : 1 - pow(1 - rest, levelPower)
  }

  /// The weight of a sample, about 1 in the mean: clips in which little happens count more, or their small differences
  /// would not be learned.
  ///
  /// - Parameter energy: mean squared difference of the clip's latents from those of its first frame.
  package func weight(energy: Double) -> Double {
    clipEnergy.map { 1.3 * $0 / (energy + 0.3 * $0) } ?? 1
  }
}

extension ObjectivePlan: Decodable {
  private enum Key: String, CodingKey, CaseIterable {
    case pureNoise = "pure-noise"
    case levelPower = "level-power"
    case clipEnergy = "clip-energy"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    try TrainingPlan.checkKeys(of: decoder, known: Key.allCases.map(\.rawValue), in: TrainingPlan.Key.objective)
    try values.read(.pureNoise, into: &pureNoise)
    try values.read(.levelPower, into: &levelPower)
    clipEnergy = try values.decodeIfPresent(Double.self, forKey: .clipEnergy)
    func check(_ key: Key, _ isValid: Bool, _ why: String) throws(InvalidField) {
      guard isValid else { throw InvalidField("\(TrainingPlan.Key.objective.rawValue).\(key.rawValue)", why) }
    }
    try check(.pureNoise, (0...1).contains(pureNoise), "must be from 0 to 1, not \(pureNoise)")
    try check(.levelPower, (0.01...100).contains(levelPower), "must be from 0.01 to 100, not \(levelPower)")
    try check(
      .clipEnergy, clipEnergy.map { (1e-6...1e6).contains($0) } ?? true, "must be from 1e-6 to 1e6")
  }
}

extension ObjectivePlan: CustomStringConvertible {
  package var description: String {
    "pure noise \(pureNoise), level power \(levelPower), clip energy \(clipEnergy.map { "\($0)" } ?? "none")"
  }
}
