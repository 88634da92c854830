import Checkpoints

/// Settings of the UniPC sampler along flow-matching paths; absent fields take the published class's defaults.
package struct UniPCConfiguration: ValidatedConfig, Sendable, Equatable {
  /// The function B(h) of the paper's updates.
  package enum SolverKind: String, CaseIterable, Sendable {
    /// B(h) = h
    case bh1
    /// B(h) = e^h - 1
    case bh2
  }

  package var trainingTimesteps = 1000
  /// Moves steps towards the noisy end: sigma becomes s sigma / (1 + (s - 1) sigma).
  package var shift = 1.0
  /// Number of predictions that a step looks at.
  package var solverOrder = 2
  package var solverKind = SolverKind.bh2
  /// Whether the last steps look at fewer predictions.
  package var lowersFinalOrder = true
  /// Steps after which the sample is not corrected.
  package var uncorrectedSteps: [Int] = []

  package init() {}
}

// MARK: - Reading

extension UniPCConfiguration {
  private enum CodingKeys: String, CodingKey {
    case trainingTimesteps = "num_train_timesteps"
    case shift = "flow_shift"
    case solverOrder = "solver_order"
    case solverKind = "solver_type"
    case lowersFinalOrder = "lower_order_final"
    case uncorrectedSteps = "disable_corrector"
    // Settings this implementation knows one value of.
    case predictionKind = "prediction_type"
    case usesFlowSigmas = "use_flow_sigmas"
    case predictsOriginals = "predict_x0"
    case thresholding
    case finalSigmas = "final_sigmas_type"
    case usesKarrasSigmas = "use_karras_sigmas"
    case usesExponentialSigmas = "use_exponential_sigmas"
    case usesBetaSigmas = "use_beta_sigmas"
    case otherPredictor = "solver_p"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    // Without these two fields the class samples another kind of noise schedule.
    guard try values.decodeIfPresent(Bool.self, forKey: .usesFlowSigmas) ?? false else {
      throw InvalidField(
        CodingKeys.usesFlowSigmas.rawValue, "must be true: UniPC is supported for flow matching only")
    }
    guard try values.decodeIfPresent(String.self, forKey: .predictionKind) == "flow_prediction" else {
      throw InvalidField(
        CodingKeys.predictionKind.rawValue, "must be 'flow_prediction': UniPC is supported for flow matching only")
    }
    try values.require(true, forKey: .predictsOriginals)
    try values.require(false, forKey: .thresholding)
    try values.require("zero", forKey: .finalSigmas)
    try values.require(false, forKey: .usesKarrasSigmas)
    try values.require(false, forKey: .usesExponentialSigmas)
    try values.require(false, forKey: .usesBetaSigmas)
    try values.require(nil as String?, forKey: .otherPredictor)
    try values.read(.trainingTimesteps, into: &trainingTimesteps)
    try values.read(.shift, into: &shift)
    try values.read(.solverOrder, into: &solverOrder)
    solverKind = try values.choice(forKey: .solverKind, else: solverKind)
    try values.read(.lowersFinalOrder, into: &lowersFinalOrder)
    try values.read(.uncorrectedSteps, into: &uncorrectedSteps)
  }

  package func validate() throws(InvalidField) {
    try InvalidField.check(CodingKeys.trainingTimesteps.rawValue, trainingTimesteps, in: 1...100_000)
    guard (1e-3...1e3).contains(shift) else {
      throw InvalidField(CodingKeys.shift.rawValue, "must be from 0.001 to 1000, not \(shift)")
    }
    // The published class warns above 3, where the method loses its order of accuracy.
    try InvalidField.check(CodingKeys.solverOrder.rawValue, solverOrder, in: 1...3)
  }
}
