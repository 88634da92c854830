import Checkpoints

/// Settings of the flow-matching Euler scheduler; absent fields take the published class's defaults.
package struct FlowConfiguration: ValidatedConfig, Sendable, Equatable {
  package var trainingTimesteps = 1000
  /// Moves steps towards the noisy end: sigma becomes s sigma / (1 + (s - 1) sigma).
  package var shift = 1.0

  package init() {}
}

// MARK: - Reading

extension FlowConfiguration {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case trainingTimesteps = "num_train_timesteps"
    case shift
    case shiftTerminal = "shift_terminal"
    case usesDynamicShifting = "use_dynamic_shifting"
    case invertsSigmas = "invert_sigmas"
    case usesKarrasSigmas = "use_karras_sigmas"
    case usesExponentialSigmas = "use_exponential_sigmas"
    case usesBetaSigmas = "use_beta_sigmas"
    case samplesStochastically = "stochastic_sampling"
  }

  /// Variants of the published class that no checkpoint of this family uses; each would change the samples.
  private static let variants: [CodingKeys] = [
    .usesDynamicShifting, .invertsSigmas, .usesKarrasSigmas, .usesExponentialSigmas, .usesBetaSigmas,
    .samplesStochastically,
  ]

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    for key in Self.variants where try values.decodeIfPresent(Bool.self, forKey: key) ?? false {
      throw InvalidField(key.rawValue, "must be false: sigmas other than plainly shifted ones are not supported")
    }
    // The published class takes zero for absent.
    if let end = try values.decodeIfPresent(Double.self, forKey: .shiftTerminal), end != 0 {
      throw InvalidField(CodingKeys.shiftTerminal.rawValue, "must be null: stretched schedules are not supported")
    }
    try values.read(.trainingTimesteps, into: &trainingTimesteps)
    try values.read(.shift, into: &shift)
  }

  package func validate() throws(InvalidField) {
    try InvalidField.check(CodingKeys.trainingTimesteps.rawValue, trainingTimesteps, in: 1...100_000)
    guard (1e-3...1e3).contains(shift) else { throw InvalidField("shift", "must be from 0.001 to 1000, not \(shift)") }
  }
}
