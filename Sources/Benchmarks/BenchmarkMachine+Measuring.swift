import Compute
import Foundation

extension BenchmarkMachine {
  /// Looks at this machine and measures its matrix products.
  package static func measured() -> BenchmarkMachine {
    BenchmarkMachine(
      processor: processorName, blasKernels: BLAS.coreName, rowKernels: String(cString: kernels.name),
      threads: Workers.threadCount, peakGigaflopsPerSecond: measurePeak())
  }

  /// The best of several rates of one product of 1024 x 1024 matrices per thread, all threads at once.
  private static func measurePeak() -> Double {
    let size = 1024
    let threads = Workers.threadCount
    let (a, b, c) = (
      [Float](repeating: 0.5, count: size * size), [Float](repeating: 0.25, count: size * size),
      UnsafeMutablePointer<Float>.allocate(capacity: threads * size * size)
    )
    defer { c.deallocate() }
    var best = 0.0
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        // Sound: every thread writes its own product; an array's buffer with elements has an address.
        nonisolated(unsafe) let (a, b, c) = (a.baseAddress!, b.baseAddress!, c)
        for _ in 0..<8 {
          let seconds = BenchmarkRunner.seconds {
            Workers.forEach(threads) { thread in
              BLAS.multiply(
                size, size, size, a, strideA: size, b, strideB: size, c + thread * size * size, strideC: size)
            }
          }
          best = max(best, 2e-9 * Double(threads * size * size * size) / seconds)
        }
      }
    }
    return best
  }

  private static var processorName: String {
    let lines = ((try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? "").split(separator: "\n")
    func field(_ name: String) -> String? {
      lines.first { $0.hasPrefix(name) }?.split(separator: ":", maxSplits: 1).last?.trimmingCharacters(in: .whitespaces)
    }
    let (family, model) = (field("cpu family") ?? "?", field("model\t") ?? "?")
    return "\(field("model name") ?? "unknown processor") (family \(family), model \(model))"
  }
}
