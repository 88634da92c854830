import Synchronization

/// One recorded operation, or a leaf whose gradient is wanted.
///
/// Nodes are immutable; gradients accumulate in the `GradientStore` of one backward pass, so passes may run side by side.
package final class GradientNode: Sendable {
  /// Gives the gradients of the inputs to the store, from the gradient of the result. Without a gradient of the result
  /// only where a node was requested.
  typealias PullBack = @Sendable (Tensor?, inout GradientStore) throws -> Void

  private static let count = Atomic<Int>(0)

  /// Rises with every node: a result's is above those of its inputs, so falling order is an order for a backward pass.
  let id: Int
  let inputs: [GradientNode]
  /// Nil for a leaf.
  let pullBack: PullBack?

  /// A leaf.
  init() {
    id = Self.next()
    inputs = []
    pullBack = nil
  }

  init(inputs: [GradientNode], _ pullBack: @escaping PullBack) {
    id = Self.next()
    self.inputs = inputs
    self.pullBack = pullBack
  }

  /// The latest id; nodes made from now on have larger ones.
  static var lastID: Int { count.load(ordering: .relaxed) }

  private static func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
}

extension Tensor {
  /// Whether operations on this tensor are recorded.
  package var isRecorded: Bool { node != nil }

  /// The same contents with a node.
  func with(_ node: GradientNode?) -> Tensor { Tensor(storage: storage, layout: layout, dtype: dtype, node: node) }

  /// The same contents as a leaf: operations on it are recorded, and a backward pass finds its gradient.
  package func asVariable() -> Tensor { with(GradientNode()) }

  /// The same contents, from which no gradient flows back.
  package var detached: Tensor { with(nil) }

  /// These contents with the node of `variable`: a new value of the same leaf.
  package func replacing(_ variable: Tensor) -> Tensor {
    precondition(shape == variable.shape, "\(shape) replaces \(variable.shape)")
    return with(variable.node)
  }

  /// This tensor as the result of an operation on `inputs`, recorded if one of them is.
  ///
  /// - Parameter pullBack: takes the gradient of this tensor, of its shape, and adds gradients to the inputs' nodes. It
  ///   keeps alive what it captures: nodes rather than tensors, where contents are not needed.
  func recorded(
    from inputs: [Tensor?], _ pullBack: @escaping @Sendable (Tensor, inout GradientStore) -> Void
  ) -> Tensor {
    let nodes = inputs.compactMap { $0?.node }
    guard !nodes.isEmpty else { return self }
    return with(
      GradientNode(inputs: nodes) { gradient, store in
        // Only requested nodes may lack a gradient, and operations are never requested.
        if let gradient { pullBack(gradient, &store) }
      })
  }
}

/// Traps where an operation without a backward pass is given a variable: its gradient would be lost without a word.
func requireUnrecorded(_ inputs: Tensor?..., operation: @autoclosure () -> String) {
  precondition(
    !inputs.contains { $0?.isRecorded == true }, "\(operation()) has no backward pass; give it detached tensors")
}
