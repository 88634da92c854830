extension Tensor {
  /// `backward(_:into:)` that hands over each variable's gradient as soon as it is complete, while the pass goes on with
  /// what lies before: so that something can be done with it at the same time.
  ///
  /// - Parameters:
  ///   - variables: leaves.
  ///   - complete: called once for each of them with its place in `variables` and its gradient, of this pass and those that
  ///     filled the store before, or nil if none flowed back to it; the gradient leaves the store. Variables that this
  ///     tensor was not computed from come first.
  package func backward(
    _ gradient: Tensor? = nil, into store: inout GradientStore, completing variables: [Tensor],
    _ complete: (Int, Tensor?) throws -> Void
  ) throws {
    precondition(gradient.map { $0.shape == shape } ?? (count == 1), "backward pass from \(shape)")
    // Falling order of their last use in the pass, which is their first in the computation.
    let firstUses = firstUses(of: variables.map(\.node))
    var open = variables.indices.sorted { (firstUses[$0], $1) > (firstUses[$1], $0) }[...]
    func handOver(usedFrom id: Int, _ store: inout GradientStore) throws {
      while let index = open.first, firstUses[index] >= id {
        open.removeFirst()
        try complete(index, variables[index].node.flatMap { store.take($0.id) })
      }
    }
    try handOver(usedFrom: .max, &store)
    store.add(gradient ?? .filled(shape, with: 1), to: node)
    // Nodes that are due later have smaller ids, so nothing is added any more to what only this one and later ones read.
    try store.propagate { id, store in try handOver(usedFrom: id, &store) }
    try handOver(usedFrom: 0, &store)
  }

  /// For each leaf the smallest id of a node that reads it on the way to this tensor: `.max` for those that it does not
  /// depend on, and 0 for this tensor itself.
  private func firstUses(of leaves: [GradientNode?]) -> [Int] {
    var uses = Dictionary(leaves.compactMap { $0.map { ($0.id, Int.max) } }) { first, _ in first }
    var seen: Set<Int> = []
    var open = [node].compactMap { $0 }
    while let node = open.popLast() {
      guard seen.insert(node.id).inserted else { continue }
      for input in node.inputs {
        if let use = uses[input.id] { uses[input.id] = min(use, node.id) }
        open.append(input)
      }
    }
    return leaves.map { leaf in
      guard let leaf else { return .max }
      return leaf.id == node?.id ? 0 : uses[leaf.id] ?? .max
    }
  }
}
