/// A value made of tensors that a computation passes on, so that recording can be cut between its steps.
package protocol TensorGroup: Sendable {
  /// All tensors, in a fixed order.
  var tensors: [Tensor] { get }
  /// The same value with other tensors, as many as there were.
  func replacing(_ tensors: [Tensor]) -> Self
}

extension Tensor: TensorGroup {
  package var tensors: [Tensor] { [self] }
  package func replacing(_ tensors: [Tensor]) -> Tensor { tensors[0] }
}

/// Runs `body` and keeps none of its intermediate tensors; a backward pass runs it again to have them.
///
/// Gradients are the same bits as without: the second run records the same operations, and their gradients are added to
/// the same sums in the same order.
///
/// - Parameter body: must give the same result each time it is called.
package func recomputed<State: TensorGroup>(
  _ state: State, _ body: @escaping @Sendable (State) throws -> State
) throws -> State {
  let start = GradientNode.lastID
  let result = try body(state)
  let outputs = result.tensors
  let sources = earlierNodes(of: outputs, than: start)
  guard !sources.isEmpty else { return result }

  // Each result has a node of its own, which leaves its gradient for the one node that runs the body again.
  let keys = outputs.map { _ in GradientNode().id }
  let replay = GradientNode(inputs: sources) { _, store in
    let start = GradientNode.lastID
    let outputs = try body(state).tensors
    for (key, output) in zip(keys, outputs) {
      if let gradient = store.take(key) { store.add(gradient, to: output.node) }
    }
    try store.propagate(above: start)
  }
  return result.replacing(
    zip(keys, outputs).map { key, output in
      guard let node = output.node else { return output }
      // Passed through unchanged from before: its gradient needs no second run.
      guard node.id > start else { return output }
      return output.with(
        GradientNode(inputs: [replay]) { gradient, store in
          guard let gradient else { return }
          store.keep(gradient, under: key)
          store.request(replay)
        })
    })
}

/// The nodes up to `limit` from which the operations after it start.
private func earlierNodes(of tensors: [Tensor], than limit: Int) -> [GradientNode] {
  var seen: Set<Int> = []
  var found: [GradientNode] = []
  var open = tensors.compactMap(\.node)
  while let node = open.popLast() {
    guard seen.insert(node.id).inserted else { continue }
    if node.id <= limit { found.append(node) } else { open += node.inputs }
  }
  return found
}
