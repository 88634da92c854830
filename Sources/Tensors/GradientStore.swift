import Compute

/// The gradients of one backward pass.
package struct GradientStore: Sendable {
  private var gradients: [Int: Tensor] = [:]
  /// Nodes whose pull-back is due, by rising id.
  private var pending: [GradientNode] = []

  package init() {}

  /// The gradient of a variable, or nil if none flowed back to it.
  package subscript(variable: Tensor) -> Tensor? { variable.node.flatMap { gradients[$0.id] } }

  /// Multiplies all gradients.
  package mutating func scale(by factor: Float) {
    if factor != 1 { gradients = gradients.mapValues { $0.scaled(by: factor) } }
  }

  /// Adds the gradient of the tensor with this node; nothing happens for a tensor that is not recorded.
  mutating func add(_ gradient: @autoclosure () -> Tensor, to node: GradientNode?) {
    guard let node else { return }
    add(gradient(), toID: node.id)
    request(node)
  }

  private mutating func add(_ gradient: Tensor, toID id: Int) {
    if var sum = gradients.removeValue(forKey: id) {
      sum.accumulate(gradient)
      gradients[id] = sum
    } else {
      gradients[id] = gradient.detached
    }
  }

  /// Adds a gradient of the part `range` of `axis` of a tensor of `shape` with this node.
  mutating func add(_ gradient: Tensor, to node: GradientNode?, of shape: Shape, axis: Int, _ range: Range<Int>) {
    guard let node else { return }
    var sum = gradients.removeValue(forKey: node.id) ?? .zeros(shape)
    sum.accumulate(gradient, axis: axis, range)
    gradients[node.id] = sum
    request(node)
  }

  /// Adds the gradients of variables that another pass has found.
  package mutating func merge(_ other: GradientStore) {
    for (id, gradient) in other.gradients { add(gradient, toID: id) }
  }

  /// Puts a gradient aside for another node's pull-back.
  mutating func keep(_ gradient: Tensor, under key: Int) { gradients[key] = gradient }
  mutating func take(_ key: Int) -> Tensor? { gradients.removeValue(forKey: key) }

  /// Makes a node's pull-back run, with or without a gradient.
  mutating func request(_ node: GradientNode) {
    guard node.pullBack != nil else { return }
    var (low, high) = (0, pending.count)
    while low < high {
      let middle = (low + high) / 2
      if pending[middle].id < node.id { low = middle + 1 } else { high = middle }
    }
    if low == pending.count || pending[low].id != node.id { pending.insert(node, at: low) }
  }

  /// Runs all pull-backs of nodes above `limit` that are due, latest first.
  ///
  /// - Parameter passed: called after each of them with its node's id.
  mutating func propagate(
    above limit: Int = 0, _ passed: (Int, inout GradientStore) throws -> Void = { _, _ in }
  ) throws {
    while let node = pending.last, node.id > limit {
      pending.removeLast()
      try node.pullBack?(gradients.removeValue(forKey: node.id), &self)
      try passed(node.id, &self)
    }
  }
}

extension Tensor {
  /// The gradients of all variables that this tensor was computed from.
  ///
  /// - Parameter gradient: of this tensor, of its shape; 1 by default, for a loss of one element.
  package func backward(_ gradient: Tensor? = nil) throws -> GradientStore {
    var store = GradientStore()
    try backward(gradient, into: &store)
    return store
  }

  /// Adds the gradients to those of earlier passes.
  package func backward(_ gradient: Tensor? = nil, into store: inout GradientStore) throws {
    precondition(gradient.map { $0.shape == shape } ?? (count == 1), "backward pass from \(shape)")
    store.add(gradient ?? .filled(shape, with: 1), to: node)
    try store.propagate()
  }

  /// Adds `other` to this tensor, in place if no other tensor shares its storage; nothing is recorded.
  package mutating func accumulate(_ other: Tensor) {
    precondition(shape == other.shape, "gradient \(other.shape) where others are \(shape)")
    guard isKnownUniquelyReferenced(&storage), isWritable else {
      self = (self + other).detached
      return
    }
    update(with: other) { target, source, count in kernels.add(target, target, source, count) }
  }

  fileprivate mutating func accumulate(_ part: Tensor, axis: Int, _ range: Range<Int>) {
    var expected = shape.extents
    expected[axis] = range.count
    precondition(part.shape.extents == expected, "gradient \(part.shape) of part \(range) of \(shape)")
    if !isKnownUniquelyReferenced(&storage) || !isWritable {
      let old = self
      self = Tensor(shape) { target in old.withFloats { target.update(from: $0, count: old.count) } }
    }
    let inner = shape.extents[(axis + 1)...].reduce(1, *)
    let (length, rowLength) = (range.count * inner, shape[axis] * inner)
    // Writable tensors have an address.
    let target = storage.bytes.baseAddress!.assumingMemoryBound(to: Float.self) + layout.offset
    part.withFloats { source in
      nonisolated(unsafe) let (target, source) = (target + range.lowerBound * inner, source)
      Workers.forEachBlock(of: max(1, elementBlock / max(length, 1)), in: part.count / max(length, 1)) { rows in
        for row in rows {
          let slopes = target + row * rowLength
          kernels.add(slopes, slopes, source + row * length, length)
        }
      }
    }
  }

  private var isWritable: Bool { !storage.isMapped && layout.isDense && dtype == .float32 }

  private func update(
    with other: Tensor, _ kernel: (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int) -> Void
  ) {
    // Writable tensors have an address.
    let target = storage.bytes.baseAddress!.assumingMemoryBound(to: Float.self) + layout.offset
    other.withFloats { source in
      nonisolated(unsafe) let (target, source) = (target, source)
      Workers.forEachBlock(of: elementBlock, in: count) { range in
        kernel(target + range.lowerBound, source + range.lowerBound, range.count)
      }
    }
  }
}
