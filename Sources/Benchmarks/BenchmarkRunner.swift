import Compute
import Foundation
import Runtime

/// Times benchmarks against the machine's matrix-product rate.
package struct BenchmarkRunner {
  private let runs: Int

  /// - Parameter runs: timed runs of each benchmark, after one that is not counted.
  package init(runs: Int) { self.runs = runs }

  package func run(_ benchmarks: [Benchmark], report: (BenchmarkResult) -> Void) throws -> BenchmarkReport {
    let peak = try Self.measurePeak()
    var results: [BenchmarkResult] = []
    for benchmark in benchmarks {
      let result = try time(benchmark, peak: peak)
      report(result)
      results.append(result)
      BufferPool.shared.trim()
    }
    return BenchmarkReport(
      processor: Self.processorName, blasKernels: BLAS.coreName, rowKernels: String(cString: kernels.name),
      threads: Workers.threadCount, peakGigaflopsPerSecond: peak, results: results)
  }

  private func time(_ benchmark: Benchmark, peak: Double) throws -> BenchmarkResult {
    let work = try benchmark.prepare()
    try work()
    let times = try (0..<runs).map { _ in
      try Interruption.check()
      return try Self.seconds(work)
    }.sorted()
    let median = times[times.count / 2]
    let rate = benchmark.gigaflops / median
    return BenchmarkResult(
      name: benchmark.name, detail: benchmark.detail, runs: runs, medianMilliseconds: median * 1000,
      minMilliseconds: times[0] * 1000, maxMilliseconds: times[times.count - 1] * 1000, gigaflopsPerSecond: rate,
      fractionOfPeak: rate / peak)
  }

  private static func seconds(_ work: () throws -> Void) rethrows -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    try work()
    return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
  }

  /// The best of several rates of one product of 1024 x 1024 matrices per thread, all threads at once.
  private static func measurePeak() throws -> Double {
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
          let seconds = seconds {
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
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    func field(_ name: String) -> String? {
      text.split(separator: "\n").first { $0.hasPrefix(name) }?.split(separator: ":", maxSplits: 1).last?
        .trimmingCharacters(in: .whitespaces)
    }
    return
      "\(field("model name") ?? "unknown processor") (family \(field("cpu family") ?? "?"), model \(field("model\t") ?? "?"))"
  }
}
