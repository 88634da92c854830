import Foundation

/// Something to time: what it does in one run, and how much arithmetic that is.
package struct Benchmark: Sendable {
  package let name: String
  /// What is computed, with sizes and storage types.
  package let detail: String
  /// Multiplications and additions of one run, in units of 10^9.
  package let gigaflops: Double
  /// Makes inputs and weights, and returns the work to be timed.
  package let prepare: @Sendable () throws -> () throws -> Void
}

/// The times of one benchmark.
package struct BenchmarkResult: Sendable, Codable {
  package let name: String
  package let detail: String
  package let runs: Int
  package let medianMilliseconds: Double
  package let minMilliseconds: Double
  package let maxMilliseconds: Double
  package let gigaflopsPerSecond: Double
  /// Share of the rate of large matrix products measured in the same run.
  package let fractionOfPeak: Double
}

/// A set of results and the machine they were measured on.
package struct BenchmarkReport: Sendable, Codable {
  package let processor: String
  package let blasKernels: String
  package let rowKernels: String
  package let threads: Int
  /// Rate of a large float32 matrix product on all threads.
  package let peakGigaflopsPerSecond: Double
  package var results: [BenchmarkResult]
}
