import Synchronization
import Tensors
import TestSupport
import Testing

@Suite("Gradients that are handed over as soon as they are complete")
struct GradientCompletionTests {
  private let variables = (0..<5).map { Tensor.random([4, 4], seed: UInt64($0)).asVariable() }

  /// Variables 0, 1 and 2 one after the other, 1 once more at the end, 3 nowhere; 4 in what is then thrown away.
  private func result(recomputing: Bool) throws -> Tensor {
    _ = Tensor.random([4, 4]).linear(variables[4])
    let body: @Sendable (Tensor) throws -> Tensor = { [variables] state in
      state.linear(variables[0]).activated(.silu).linear(variables[1]).activated(.silu).linear(variables[2])
    }
    let input = Tensor.random([3, 4], seed: 9)
    return try (recomputing ? recomputed(input, body) : body(input)).linear(variables[1]).sum()
  }

  @Test("each variable once, with the bits of a plain pass; the first used are the last", arguments: [false, true])
  func order(recomputing: Bool) throws {
    let expected = try result(recomputing: recomputing).backward()
    var store = GradientStore()
    var found: [(index: Int, gradient: Tensor?)] = []
    try result(recomputing: recomputing).backward(into: &store, completing: variables) { found.append(($0, $1)) }
    // All of a recomputed segment are complete when it is.
    #expect(found.map(\.index) == (recomputing ? [3, 4, 0, 1, 2] : [3, 4, 2, 1, 0]))
    for (index, gradient) in found {
      #expect(gradient?.floats() == expected[variables[index]]?.floats())
      #expect(store[variables[index]] == nil)
    }
  }

  @Test("gradients of earlier passes count; a variable that the last pass does not reach keeps them")
  func earlierPasses() throws {
    let (a, b) = (Tensor([1, 2]).asVariable(), Tensor([3, 4]).asVariable())
    var store = GradientStore()
    try (a * b).sum().backward(into: &store)
    var found: [Int: [Float]] = [:]
    try (a * a).sum().backward(into: &store, completing: [a, b]) { found[$0] = $1?.floats() }
    #expect(found == [0: [5, 8], 1: [1, 2]])
  }

  @Test("a gradient is handed over before the pass goes on to what lies before")
  func early() throws {
    struct Stop: Error {}
    let (a, b) = (Tensor([1, 2]).asVariable(), Tensor([3, 4]).asVariable())
    var reached: [Int] = []
    #expect(throws: Stop.self) {
      // The segment of `a` is run again only when the pass gets there.
      let runs = Runs()
      let early = try recomputed(a) { state in
        if runs.next() > 1 { throw Stop() }
        return state * state
      }
      var store = GradientStore()
      try (early * b).sum().backward(into: &store, completing: [a, b]) { index, _ in reached.append(index) }
    }
    #expect(reached == [1])
  }

  @Test("a variable of which the result is the variable itself")
  func itself() throws {
    let a = Tensor([7]).asVariable()
    var store = GradientStore()
    var found: [Float]?
    try a.backward(into: &store, completing: [a]) { found = $1?.floats() }
    #expect(found == [1])
  }
}

private final class Runs: Sendable {
  private let count = Mutex(0)

  func next() -> Int {
    count.withLock { count in
      count += 1
      return count
    }
  }
}
