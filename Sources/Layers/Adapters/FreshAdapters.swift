import Compute
import Tensors

/// New adapters for training: A uniform within 1 / sqrt(inputs) of zero and B zero, as PEFT starts them, so that a model
/// begins unchanged. Values depend on the seed and the map's path, not on the order of construction.
package struct FreshAdapters: AdapterSource {
  private let rank: Int
  private let alpha: Double
  private let seed: UInt64
  private let isTarget: @Sendable (String) -> Bool

  /// - Parameters:
  ///   - alpha: the change is scaled by alpha / rank.
  ///   - isTarget: which linear maps get one, by their paths.
  package init(rank: Int, alpha: Double, seed: UInt64, isTarget: @escaping @Sendable (String) -> Bool) {
    precondition(rank > 0, "adapters of rank \(rank)")
    self.rank = rank
    self.alpha = alpha
    self.seed = seed
    self.isTarget = isTarget
  }

  package var paths: [String] { [] }
  package var description: String { "new adapters" }

  package func adapter(at path: String, inputs: Int, outputs: Int) -> AdapterValues? {
    guard isTarget(path) else { return nil }
    var generator = RandomGenerator(seed: seed, name: "\(path).\(AdapterKeys.down)")
    return AdapterValues(
      down: Initialization.uniform(fanIn: inputs).tensor([rank, inputs], from: &generator),
      up: .zeros([outputs, rank]), scale: Float(alpha / Double(rank)), isTrainable: true)
  }
}
