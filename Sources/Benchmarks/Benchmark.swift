import Foundation

/// Something to time: what it does in one run, and how much work that is.
package struct Benchmark: Sendable {
  package let name: String
  /// What is computed, with sizes and storage types.
  package let detail: String
  package let work: Work
  /// Makes inputs and weights, and returns what is timed.
  package let prepare: @Sendable () throws -> () throws -> Void
  /// Likewise for the benchmark's matrix products by themselves, as OpenBLAS computes them.
  package let prepareProducts: (@Sendable () throws -> () throws -> Void)?

  /// The work of one run, in units of 10^9.
  package enum Work: Sendable {
    /// Multiplications and additions of the definition, whatever algorithm computes it.
    case arithmetic(gigaflops: Double)
    /// Bytes read and written, for passes that memory limits.
    case traffic(gigabytes: Double)
    /// Frames or pairs, for networks whose arithmetic says little.
    case items(Double)
  }

  package init(
    name: String, detail: String, work: Work,
    prepareProducts: (@Sendable () throws -> () throws -> Void)? = nil,
    prepare: @escaping @Sendable () throws -> () throws -> Void
  ) {
    self.name = name
    self.detail = detail
    self.work = work
    self.prepare = prepare
    self.prepareProducts = prepareProducts
  }
}

/// The times of one benchmark.
package struct BenchmarkResult: Sendable, Codable {
  package let name: String
  package let detail: String
  package let runs: Int
  package let medianMilliseconds: Double
  package let minMilliseconds: Double
  package let maxMilliseconds: Double
  /// Of arithmetic; nil for passes that memory limits.
  package var gigaflops: Double?
  package var gigaflopsPerSecond: Double?
  /// Share of the rate of large matrix products measured in the same run.
  package var fractionOfPeak: Double?
  /// Of traffic; nil for arithmetic.
  package var gigabytes: Double?
  package var gigabytesPerSecond: Double?
  /// Of items.
  package var items: Double?
  /// Time of the matrix products by themselves, and the benchmark's rate as a share of theirs.
  package var productsMilliseconds: Double?
  package var shareOfProducts: Double?
  /// Most resident memory of the process during the first run, in units of 2^20 bytes, and how much of it was not there
  /// before the run. Nil where the system does not tell.
  package var peakMebibytes: Double?
  package var grownMebibytes: Double?
}

/// What the results were measured on.
package struct BenchmarkMachine: Sendable, Codable {
  package let processor: String
  package let blasKernels: String
  package let rowKernels: String
  package let threads: Int
  /// Rate of large float32 matrix products on all threads.
  package let peakGigaflopsPerSecond: Double
}

/// A set of results and their machine.
package struct BenchmarkReport: Sendable, Codable {
  package let machine: BenchmarkMachine
  package let results: [BenchmarkResult]

  package init(machine: BenchmarkMachine, results: [BenchmarkResult]) {
    self.machine = machine
    self.results = results
  }
}
