import Compute
import Tensors

/// Passes over rows that do little arithmetic: 15.4 million values each, read once and written once.
package enum RowBenchmarks {
  package static var all: [Benchmark] {
    [
      pass("GELU-tanh", [1250, 12288]) { $0.activated(.geluTanh) },
      pass("softmax", [12288, 1250]) { $0.softmax() },
      pass("LayerNorm", [5000, 3072]) { input, weight in
        input.layerNormalized(weight: weight, bias: weight, epsilon: 1e-5)
      },
    ]
  }

  private static func pass(_ name: String, _ shape: Shape, _ operation: @escaping @Sendable (Tensor) -> Tensor)
    -> Benchmark
  {
    pass(name, shape) { input, _ in operation(input) }
  }

  private static func pass(
    _ name: String, _ shape: Shape, _ operation: @escaping @Sendable (Tensor, _ weight: Tensor) -> Tensor
  ) -> Benchmark {
    Benchmark(name: name, detail: "\(shape)", work: .traffic(gigabytes: 8e-9 * Double(shape.count))) {
      let input = Tensor.benchmarkInput(shape, "input")
      let weight = Tensor.benchmarkInput([shape[-1]], "weight")
      return { _ = operation(input, weight) }
    }
  }
}
