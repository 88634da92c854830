import Checkpoints

/// The sampling method that a checkpoint names in `scheduler_config.json`, with its settings.
package enum SchedulerConfiguration: ValidatedConfig, Sendable, Equatable {
  case ddim(DiffusionConfiguration)
  case dpm(DiffusionConfiguration)
  case flowMatchEuler(FlowConfiguration)
  case unipc(UniPCConfiguration)

  private enum CodingKeys: String, CodingKey {
    case className = "_class_name"
  }

  private enum ClassName: String, CaseIterable {
    case ddim = "CogVideoXDDIMScheduler"
    case dpm = "CogVideoXDPMScheduler"
    case flowMatchEuler = "FlowMatchEulerDiscreteScheduler"
    case unipc = "UniPCMultistepScheduler"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self =
      switch try values.choice(ClassName.self, forKey: .className) {
      case .ddim: .ddim(try DiffusionConfiguration(from: decoder))
      case .dpm: .dpm(try DiffusionConfiguration(from: decoder))
      case .flowMatchEuler: .flowMatchEuler(try FlowConfiguration(from: decoder))
      case .unipc: .unipc(try UniPCConfiguration(from: decoder))
      }
  }

  package func validate() throws(InvalidField) {
    switch self {
    case .ddim(let configuration), .dpm(let configuration): try configuration.validate()
    case .flowMatchEuler(let configuration): try configuration.validate()
    case .unipc(let configuration): try configuration.validate()
    }
  }

  /// Whether the method is for models that predict flows, as Wan does, and not for velocities as CogVideoX predicts them.
  package var samplesFlows: Bool {
    switch self {
    case .ddim, .dpm: false
    case .flowMatchEuler, .unipc: true
    }
  }

  /// The method, set up for a number of steps.
  package func scheduler(steps: Int) throws(SchedulerFailure) -> any Scheduler {
    switch self {
    case .ddim(let configuration): try DDIMScheduler(configuration, steps: steps)
    case .dpm(let configuration): try DPMScheduler(configuration, steps: steps)
    case .flowMatchEuler(let configuration): try FlowMatchEulerScheduler(configuration, steps: steps)
    case .unipc(let configuration): try UniPCScheduler(configuration, steps: steps)
    }
  }
}

/// Sampling methods by the names that users choose them by.
package enum SamplingMethod: String, Sendable, CaseIterable {
  case ddim, dpm, euler, unipc
}

extension SchedulerConfiguration {
  package var method: SamplingMethod {
    switch self {
    case .ddim: .ddim
    case .dpm: .dpm
    case .flowMatchEuler: .euler
    case .unipc: .unipc
    }
  }

  /// The methods that go with this noise schedule.
  package var methods: [SamplingMethod] { SamplingMethod.allCases.filter { using($0) != nil } }

  /// The same noise schedule under another method, or nil if the method does not go with it.
  package func using(_ method: SamplingMethod) -> SchedulerConfiguration? {
    switch (self, method) {
    case (.ddim(let settings), .ddim), (.dpm(let settings), .ddim): .ddim(settings)
    case (.ddim(let settings), .dpm), (.dpm(let settings), .dpm): .dpm(settings)
    case (.flowMatchEuler, .euler), (.unipc, .unipc): self
    case (.unipc(let settings), .euler): .flowMatchEuler(FlowConfiguration(settings))
    case (.flowMatchEuler(let settings), .unipc): .unipc(UniPCConfiguration(settings))
    case (.ddim, _), (.dpm, _), (.flowMatchEuler, _), (.unipc, _): nil
    }
  }
}

extension FlowConfiguration {
  /// The same noise schedule for Euler's method.
  fileprivate init(_ other: UniPCConfiguration) {
    self.init()
    trainingTimesteps = other.trainingTimesteps
    shift = other.shift
  }
}

extension UniPCConfiguration {
  /// The same noise schedule for UniPC, of the published order and kind.
  fileprivate init(_ other: FlowConfiguration) {
    self.init()
    trainingTimesteps = other.trainingTimesteps
    shift = other.shift
  }
}
