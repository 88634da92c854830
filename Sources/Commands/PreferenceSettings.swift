import Checkpoints
import Datasets
import Training

/// The settings of preference training (DPO): the key `dpo` of `vap train`'s settings, whose keys are all optional.
struct PreferenceSettings: Decodable, Equatable {
  var objective = PreferenceObjective()
  var rules = PreferenceRules()

  private static let parent = "dpo"

  private enum Key: String, CodingKey, CaseIterable {
    case strength, stages, reweight
    case weightSlope = "weight-slope"
    case weightPower = "weight-power"
    case referenceScore = "reference-score"
  }

  /// Which scores make a pair, and for how many epochs; the last stage goes on for ever.
  private struct Stage: Decodable {
    let epochs: Int?
    let better: Double
    let worse: Double

    enum Key: String, CodingKey, CaseIterable { case epochs, better, worse }

    init(from decoder: any Decoder) throws {
      try InvalidField.checkKeys(
        of: decoder, known: Key.allCases.map(\.rawValue), in: "\(PreferenceSettings.parent).stages")
      let values = try decoder.container(keyedBy: Key.self)
      epochs = try values.decodeIfPresent(Int.self, forKey: .epochs)
      better = try values.decode(Double.self, forKey: .better)
      worse = try values.decode(Double.self, forKey: .worse)
      try InvalidField.check("\(PreferenceSettings.parent).stages.epochs", epochs ?? 1, in: 1...1_000_000)
    }
  }

  init() {}

  init(from decoder: any Decoder) throws {
    try InvalidField.checkKeys(of: decoder, known: Key.allCases.map(\.rawValue), in: Self.parent)
    let values = try decoder.container(keyedBy: Key.self)
    try values.read(.strength, into: &objective.strength)
    try values.read(.reweight, into: &rules.reweights)
    try values.read(.weightSlope, into: &rules.beta)
    try values.read(.weightPower, into: &rules.alpha)
    try values.read(.referenceScore, into: &rules.referenceMinimum)
    if let stages = try values.decodeIfPresent([Stage].self, forKey: .stages) {
      rules.stages = stages.map { stage in
        .init(epochs: stage.epochs ?? Self.forEver, winMinimum: stage.better, loseMaximum: stage.worse)
      }
    }
    for (key, value, limit) in [
      (Key.strength, objective.strength, 1e6), (.weightSlope, rules.beta, 1e6), (.weightPower, rules.alpha, 10),
    ] {
      // Nothing is learned of a zero.
      guard value > 0, value <= limit else {
        throw InvalidField("\(Self.parent).\(key.rawValue)", "must be more than 0 and at most \(limit), not \(value)")
      }
    }
    guard rules.referenceMinimum.isFinite else {
      throw InvalidField("\(Self.parent).reference-score", "must be a number, not \(rules.referenceMinimum)")
    }
  }

  private static let forEver = 10_000

  /// For telling runs apart.
  var description: String {
    let stages = rules.stages.map { "\($0.epochs) of \($0.winMinimum) and \($0.loseMaximum)" }.joined(separator: "; ")
    let weights = rules.reweights ? "\(rules.beta), \(rules.alpha)" : "none"
    return "strength \(objective.strength); \(stages); references \(rules.referenceMinimum); weights \(weights)"
  }
}
