import Checkpoints

/// The sampling method that a checkpoint names in `scheduler_config.json`, with its settings.
package enum SchedulerConfiguration: ValidatedConfig, Sendable, Equatable {
  case ddim(DiffusionConfiguration)
  case dpm(DiffusionConfiguration)
  case flowMatchEuler(FlowConfiguration)

  private enum CodingKeys: String, CodingKey {
    case className = "_class_name"
  }

  private enum ClassName: String, CaseIterable {
    case ddim = "CogVideoXDDIMScheduler"
    case dpm = "CogVideoXDPMScheduler"
    case flowMatchEuler = "FlowMatchEulerDiscreteScheduler"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self =
      switch try values.choice(ClassName.self, forKey: .className) {
      case .ddim: .ddim(try DiffusionConfiguration(from: decoder))
      case .dpm: .dpm(try DiffusionConfiguration(from: decoder))
      case .flowMatchEuler: .flowMatchEuler(try FlowConfiguration(from: decoder))
      }
  }

  package func validate() throws(InvalidField) {
    switch self {
    case .ddim(let configuration), .dpm(let configuration): try configuration.validate()
    case .flowMatchEuler(let configuration): try configuration.validate()
    }
  }

  /// The method, set up for a number of steps.
  package func scheduler(steps: Int) throws(SchedulerFailure) -> any Scheduler {
    switch self {
    case .ddim(let configuration): try DDIMScheduler(configuration, steps: steps)
    case .dpm(let configuration): try DPMScheduler(configuration, steps: steps)
    case .flowMatchEuler(let configuration): try FlowMatchEulerScheduler(configuration, steps: steps)
    }
  }
}

/// Sampling methods by the names that users choose them by.
package enum SamplingMethod: String, Sendable, CaseIterable {
  case ddim, dpm, euler
}

extension SchedulerConfiguration {
  /// The same noise schedule under another method, or nil if the method does not go with it.
  package func using(_ method: SamplingMethod) -> SchedulerConfiguration? {
    switch (self, method) {
    case (.ddim(let settings), .ddim), (.dpm(let settings), .ddim): .ddim(settings)
    case (.ddim(let settings), .dpm), (.dpm(let settings), .dpm): .dpm(settings)
    case (.flowMatchEuler, .euler): self
    case (.ddim, .euler), (.dpm, .euler), (.flowMatchEuler, .ddim), (.flowMatchEuler, .dpm): nil
    }
  }
}
