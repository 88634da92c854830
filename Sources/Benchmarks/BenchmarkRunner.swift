import Compute
import Foundation
import Runtime

/// Times benchmarks against a machine's rate of matrix products.
package struct BenchmarkRunner {
  private let machine: BenchmarkMachine
  private let runs: Int
  private let warmsUp: Bool
  private let timesProducts: Bool

  /// - Parameters:
  ///   - runs: timed runs of each benchmark.
  ///   - warmsUp: whether a run that does not count comes first.
  ///   - timesProducts: whether a benchmark's matrix products are timed too, in turns with it.
  package init(machine: BenchmarkMachine, runs: Int, warmsUp: Bool = true, timesProducts: Bool = true) {
    self.machine = machine
    self.runs = runs
    self.warmsUp = warmsUp
    self.timesProducts = timesProducts
  }

  package func run(_ benchmark: Benchmark) throws -> BenchmarkResult {
    let work = try benchmark.prepare()
    BufferPool.shared.trim()
    // The first run shows how much memory the work needs: later ones reuse blocks.
    let memory = PeakMemory()
    let first = try Self.seconds(work)
    let peak = memory?.sinceStart
    let products = timesProducts ? try benchmark.prepareProducts?() : nil
    if warmsUp { try products?() }
    var times = warmsUp ? [] : [first]
    var productTimes: [Double] = []
    while times.count < runs || (products != nil && productTimes.count < runs) {
      try Interruption.check()
      if times.count < runs { times.append(try Self.seconds(work)) }
      if let products { productTimes.append(try Self.seconds(products)) }
    }
    BufferPool.shared.trim()
    return result(of: benchmark, times.sorted(), productTimes.sorted(), peak)
  }

  private func result(
    of benchmark: Benchmark, _ times: [Double], _ productTimes: [Double], _ memory: (peak: Double, grown: Double)?
  ) -> BenchmarkResult {
    let median = times[times.count / 2]
    var result = BenchmarkResult(
      name: benchmark.name, detail: benchmark.detail, runs: runs, medianMilliseconds: median * 1000,
      minMilliseconds: times[0] * 1000, maxMilliseconds: times[times.count - 1] * 1000,
      peakMebibytes: memory?.peak, grownMebibytes: memory?.grown)
    switch benchmark.work {
    case .arithmetic(let gigaflops):
      result.gigaflops = gigaflops
      result.gigaflopsPerSecond = gigaflops / median
      result.fractionOfPeak = gigaflops / median / machine.peakGigaflopsPerSecond
    case .traffic(let gigabytes):
      result.gigabytes = gigabytes
      result.gigabytesPerSecond = gigabytes / median
    case .items(let count): result.items = count
    }
    if !productTimes.isEmpty {
      let products = productTimes[productTimes.count / 2]
      result.productsMilliseconds = products * 1000
      result.shareOfProducts = products / median
    }
    return result
  }

  static func seconds(_ work: () throws -> Void) rethrows -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    try work()
    return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
  }
}
