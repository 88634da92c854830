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

extension KeyedDecodingContainer {
  /// One of the names of `Choice`; throws `InvalidField` with the list of names for any other.
  func choice<Choice: RawRepresentable<String> & CaseIterable>(_ type: Choice.Type, forKey key: Key) throws -> Choice {
    let name = try decode(String.self, forKey: key)
    guard let choice = Choice(rawValue: name) else {
      let names = Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
      throw InvalidField(key.stringValue, "must be one of \(names), not '\(name)'")
    }
    return choice
  }

  /// As `choice`, or `standard` where the key is absent or null.
  func choice<Choice: RawRepresentable<String> & CaseIterable>(forKey key: Key, else standard: Choice) throws -> Choice
  {
    guard contains(key), try !decodeNil(forKey: key) else { return standard }
    return try choice(Choice.self, forKey: key)
  }
}

extension InvalidField {
  /// Throws unless a scheduler's number of training timesteps is usable; a table of that length will be made.
  static func checkTrainingTimesteps(_ count: Int, atLeast minimum: Int) throws(InvalidField) {
    guard (minimum...100_000).contains(count) else {
      throw InvalidField("num_train_timesteps", "must be from \(minimum) to 100000, not \(count)")
    }
  }
}
