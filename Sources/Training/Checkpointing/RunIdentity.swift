import Runtime

/// What must stay the same for a run to go on as itself.
package struct RunIdentity: Sendable, Equatable, Codable {
  /// Settings that change what the steps compute, as the user writes them.
  package let settings: [String: String]
  /// Of the settings.
  package let settingsDigest: String
  /// Of the manifest of clips and whatever else decides what a sample is.
  package let dataDigest: String
  /// Of the transformer's configuration.
  package let modelDigest: String
  /// Of the weights that the run began with; nil in checkpoints of programs that did not look at them.
  package let weightsDigest: String?

  package init(settings: [String: String], data: String, model: String, weights: String? = nil) {
    self.settings = settings
    settingsDigest =
      ContentDigest(ofParts: settings.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }).description
    dataDigest = data
    modelDigest = model
    weightsDigest = weights
  }

  /// What differs from the run that wrote a checkpoint, one phrase each.
  package func differences(from saved: RunIdentity) -> [String] {
    let names = Set(settings.keys).union(saved.settings.keys).sorted()
    var found = names.filter { settings[$0] != saved.settings[$0] }.map { name in
      "\(printable(name)) was \(printable(saved.settings[name] ?? "not set")) and is "
        + printable(settings[name] ?? "not set")
    }
    if dataDigest != saved.dataDigest { found.append("the data have changed") }
    if modelDigest != saved.modelDigest { found.append("the model's config.json has changed") }
    if let weightsDigest, let other = saved.weightsDigest, weightsDigest != other {
      found.append("the model's weights differ")
    }
    return found
  }
}
