import Tensors

/// Adapters that lie among the weights of a model, under their own keys; they are not trained.
package struct StoredAdapters: AdapterSource {
  private let source: any ParameterSource
  private let scale: Float
  private let keys: Set<String>

  package init(_ source: any ParameterSource, scale: Float) {
    self.source = source
    self.scale = scale
    keys = Set(source.keys)
  }

  package var paths: [String] { [] }
  package var description: String { source.description }

  package func adapter(at path: String, inputs: Int, outputs: Int) throws(AdapterFailure) -> AdapterValues? {
    let (down, up) = ("\(path).\(AdapterKeys.down)", "\(path).\(AdapterKeys.up)")
    guard keys.contains(down), keys.contains(up),
      let first = try? source.tensor(down, []), let second = try? source.tensor(up, [])
    else { return nil }
    guard first.rank == 2, second.rank == 2, first.shape == [second.shape[1], inputs], second.shape[0] == outputs else {
      throw .shapes(
        path: description, target: path, down: first.shape, up: second.shape, inputs: inputs, outputs: outputs)
    }
    return AdapterValues(down: first, up: second, scale: scale, isTrainable: false)
  }
}

/// What a LoRA file that is written says of itself.
package struct AdapterExport: Sendable, Equatable {
  package let rank: Int
  package let alpha: Double
  /// What PEFT finds the linear maps by, for other programs that load the file.
  package let targets: String
  /// Further metadata.
  package let notes: [String: String]

  package init(rank: Int, alpha: Double, targets: String, notes: [String: String] = [:]) {
    self.rank = rank
    self.alpha = alpha
    self.targets = targets
    self.notes = notes
  }
}
