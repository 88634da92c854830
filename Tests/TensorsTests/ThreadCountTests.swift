import Compute
import Tensors
import TestSupport
import Testing

@Suite("Thread count")
struct ThreadCountTests {
  struct Operation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let run: @Sendable () -> Tensor
    init(_ name: String, _ run: @escaping @Sendable () -> Tensor) { (testDescription, self.run) = (name, run) }
  }

  /// Each large enough for several tiles of work.
  static let operations = [
    Operation("normal values") { .random([100_003]) },
    Operation("widening") { Tensor.random([300, 500]).stored(as: .bfloat16).dense() },
    Operation("rounding") { Tensor.random([300, 500]).stored(as: .float16) },
    Operation("gathering") { Tensor.random([300, 50, 10]).permuted(2, 0, 1).gathered() },
    Operation("adding") { .random([100_003], seed: 1) + .random([100_003], seed: 2) },
    Operation("activation") { Tensor.random([100_003]).activated(.gelu) },
    Operation("float32 linear") { Tensor.random([600, 70]).linear(.random([900, 70], seed: 2), .silu) },
    Operation("bfloat16 linear") {
      Tensor.random([600, 70]).linear(Tensor.random([900, 70], seed: 2).stored(as: .bfloat16))
    },
    Operation("layer norm") {
      Tensor.random([2, 200, 33]).layerNormalized(
        epsilon: 1e-5,
        modulations: [Modulation(tokens: 5..<180, scale: .random([2, 33], seed: 2), shift: .random([2, 33], seed: 3))])
    },
    Operation("RMS norm") { Tensor.random([400, 33]).rmsNormalized(epsilon: 1e-6) },
    Operation("gated addition") {
      Tensor.random([2, 200, 33]).adding(
        .random([2, 200, 33], seed: 2), gatedBy: [Gate(tokens: 0..<150, gate: .random([2, 33], seed: 3))])
    },
    Operation("softmax") { Tensor.random([300, 77]).softmax(bias: .random([3, 77], seed: 2)) },
    Operation("splitting into heads") { Tensor.random([2, 150, 24]).splitIntoHeads(3) },
    Operation("attention") {
      let keys = Tensor.random([1, 3, 700, 16], seed: 2)
      return Tensor.random([1, 3, 300, 16], seed: 1).attending(
        to: [KeyValues(keys: keys, values: .random([1, 3, 700, 16], seed: 3))], bias: .random([3, 300, 700], seed: 4))
    },
    Operation("mapping rows") {
      Tensor.random([500, 16]).mappingRows(of: 64) { $0.linear(.random([20, 16], seed: 2)) }
    },
  ]

  @Test("Any number of threads gives the same bits", arguments: operations)
  func sameBits(_ operation: Operation) {
    let single = withThreads(1) { operation.run().floats() }
    for threads in [2, 3] { #expect(withThreads(threads) { operation.run().floats() } == single) }
  }
}
