import Checkpoints

/// Settings of CogVideoX's diffusion schedulers; absent fields take the published classes' defaults.
///
/// Fields that those classes carry but never read (`clip_sample` and others) are not here.
package struct DiffusionConfiguration: ValidatedConfig, Sendable, Equatable {
  package enum BetaSchedule: String, CaseIterable, Sendable {
    case linear
    /// Linear in the square root of beta.
    case scaledLinear = "scaled_linear"
  }

  /// How inference timesteps are chosen among the training timesteps.
  package enum TimestepSpacing: String, CaseIterable, Sendable {
    /// From the last training timestep down, in equal distances.
    case trailing
    /// Multiples of the whole distance from `steps_offset` up.
    case leading
    /// From the first to the last training timestep, both included.
    case linspace
  }

  package var trainingTimesteps = 1000
  package var betaStart = 0.00085
  package var betaEnd = 0.012
  package var betaSchedule = BetaSchedule.scaledLinear
  /// Takes the place of the three fields above: one beta for each training timestep.
  package var trainedBetas: [Double]?
  package var rescalesToZeroTerminalSNR = false
  /// Divides the signal-to-noise ratio at all timesteps.
  package var snrShiftScale = 3.0
  /// Whether the last step ends at no noise at all, rather than at the level of the first training timestep.
  package var endsWithoutNoise = true
  package var timestepSpacing = TimestepSpacing.leading
  package var stepsOffset = 0
  package var predictionKind = PredictionKind.epsilon

  package init() {}
}

// MARK: - Reading

extension DiffusionConfiguration {
  private enum CodingKeys: String, CodingKey {
    case trainingTimesteps = "num_train_timesteps"
    case betaStart = "beta_start"
    case betaEnd = "beta_end"
    case betaSchedule = "beta_schedule"
    case trainedBetas = "trained_betas"
    case rescalesToZeroTerminalSNR = "rescale_betas_zero_snr"
    case snrShiftScale = "snr_shift_scale"
    case endsWithoutNoise = "set_alpha_to_one"
    case timestepSpacing = "timestep_spacing"
    case stepsOffset = "steps_offset"
    case predictionKind = "prediction_type"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    trainingTimesteps = try values.decodeIfPresent(Int.self, forKey: .trainingTimesteps) ?? trainingTimesteps
    betaStart = try values.decodeIfPresent(Double.self, forKey: .betaStart) ?? betaStart
    betaEnd = try values.decodeIfPresent(Double.self, forKey: .betaEnd) ?? betaEnd
    betaSchedule = try values.choice(forKey: .betaSchedule, else: betaSchedule)
    trainedBetas = try values.decodeIfPresent([Double].self, forKey: .trainedBetas)
    rescalesToZeroTerminalSNR =
      try values.decodeIfPresent(Bool.self, forKey: .rescalesToZeroTerminalSNR) ?? rescalesToZeroTerminalSNR
    snrShiftScale = try values.decodeIfPresent(Double.self, forKey: .snrShiftScale) ?? snrShiftScale
    endsWithoutNoise = try values.decodeIfPresent(Bool.self, forKey: .endsWithoutNoise) ?? endsWithoutNoise
    timestepSpacing = try values.choice(forKey: .timestepSpacing, else: timestepSpacing)
    stepsOffset = try values.decodeIfPresent(Int.self, forKey: .stepsOffset) ?? stepsOffset
    predictionKind = try values.choice(forKey: .predictionKind, else: predictionKind)
  }

  package func validate() throws(InvalidField) {
    // The limit is for hostile files: a table of this length will be made.
    try InvalidField.check(CodingKeys.trainingTimesteps.rawValue, trainingTimesteps, in: 2...100_000)
    if let trainedBetas {
      guard trainedBetas.count == trainingTimesteps else {
        throw InvalidField(
          "trained_betas",
          "must hold one value for each of num_train_timesteps (\(trainingTimesteps)), not "
            + "\(trainedBetas.count)")
      }
      guard trainedBetas.allSatisfy({ $0 > 0 && $0 < 1 }) else {
        throw InvalidField("trained_betas", "must hold values between 0 and 1")
      }
    }
    guard betaStart > 0, betaStart < 1 else {
      throw InvalidField("beta_start", "must be between 0 and 1, not \(betaStart)")
    }
    guard betaEnd >= betaStart, betaEnd < 1 else {
      throw InvalidField("beta_end", "must be between beta_start (\(betaStart)) and 1, not \(betaEnd)")
    }
    guard snrShiftScale > 0, snrShiftScale.isFinite else {
      throw InvalidField("snr_shift_scale", "must be positive, not \(snrShiftScale)")
    }
    guard (0..<trainingTimesteps).contains(stepsOffset) else {
      throw InvalidField(
        "steps_offset", "must be from 0 to below num_train_timesteps (\(trainingTimesteps)), not \(stepsOffset)")
    }
    // Rounding can level out what the fields above allow, and a step between equal levels divides by zero.
    let alphas = NoiseSchedule(self).cumulativeAlphas
    guard alphas[0] < 1, alphas[alphas.count - 1] >= 0, zip(alphas, alphas.dropFirst()).allSatisfy({ $0 > $1 }) else {
      throw InvalidField(
        "beta_schedule",
        "gives signal levels that do not fall from one timestep to the next; check the betas and snr_shift_scale")
    }
  }
}
