import Compute
import Foundation
import Testing

@testable import Evaluation

@Suite("Bootstrap interval")
struct BootstrapIntervalTests {
  /// What a benchmark's samples may look like, and their true mean.
  enum Population: CaseIterable, Sendable {
    /// Symmetric scores.
    case normal
    /// Yes and no, as the dynamic degree.
    case binary
    /// Scores of a judge: most samples between 55 and 95, a third capped at 20 and below.
    case judged

    var mean: Double {
      switch self {
      case .normal: 50
      case .binary: 0.75
      case .judged: 75 * 2 / 3 + 10 / 3.0
      }
    }

    func sample(_ generator: inout RandomGenerator) -> Double {
      switch self {
      case .normal:
        // The sum of 12 uniform values is as good as normal.
        return 50 + 10 * ((0..<12).reduce(-6) { sum, _ in sum + generator.drawUniform() })
      case .binary: return generator.drawUniform() < 0.75 ? 1 : 0
      case .judged:
        return generator.drawUniform() < 2 / 3.0 ? 55 + 40 * generator.drawUniform() : 20 * generator.drawUniform()
      }
    }
  }

  @Test(
    "intervals of 1,000 simulated benchmarks of 48 samples hold the true mean in 93 to 97 % of them",
    arguments: Population.allCases)
  func coverage(population: Population) throws {
    var generator = RandomGenerator(seed: 48)
    var covered = 0
    for _ in 0..<1000 {
      let samples = (0..<48).map { _ in population.sample(&generator) }
      let interval = try #require(BootstrapInterval(of: samples, resamples: 600, using: &generator))
      if interval.lower <= population.mean, population.mean <= interval.upper { covered += 1 }
    }
    #expect((930...970).contains(covered), "\(population): \(covered) of 1000")
  }

  @Test("the same generator gives the same interval, for any number of threads")
  func deterministic() {
    let samples = (0..<30).map { Double($0 * $0 % 17) }
    let intervals = [1, 2, 5].map { threads in
      let before = Workers.threadCount
      defer { Workers.threadCount = before }
      Workers.threadCount = threads
      var generator = RandomGenerator(seed: 3)
      return BootstrapInterval(of: samples, using: &generator)
    }
    #expect(intervals[0] == intervals[1] && intervals[1] == intervals[2])
  }

  @Test("an interval is close to Student's for normal samples and narrows with their number")
  func width() throws {
    var generator = RandomGenerator(seed: 5)
    let samples = (0..<400).map { _ in Population.normal.sample(&generator) }
    let few = try #require(BootstrapInterval(of: Array(samples.prefix(25)), using: &generator))
    let many = try #require(BootstrapInterval(of: samples, using: &generator))
    let mean = samples.reduce(0, +) / 400
    let deviation = (samples.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 399).squareRoot()
    #expect(abs((many.upper - many.lower) / (2 * 1.966 * deviation / 20) - 1) < 0.06)
    #expect(few.upper - few.lower > 2.5 * (many.upper - many.lower))
  }

  @Test("equal samples give an interval of no width, one sample none")
  func degenerate() throws {
    var generator = RandomGenerator(seed: 1)
    let equal = try #require(BootstrapInterval(of: [3, 3, 3], using: &generator))
    #expect(equal.lower == 3 && equal.upper == 3)
    #expect(BootstrapInterval(of: [3], using: &generator) == nil)
    #expect(BootstrapInterval(of: [], using: &generator) == nil)
  }

  @Test(
    "quantiles of the normal distribution",
    arguments: [(0.5, 0), (0.975, 1.959963985), (0.025, -1.959963985), (0.999, 3.090232306)])
  func normalQuantiles(share: Double, expected: Double) {
    #expect(abs(NormalDistribution.quantile(share) - expected) < 1e-8)
    #expect(abs(NormalDistribution.cumulative(expected) - share) < 1e-9)
  }
}

@Suite("Paired test")
struct PairedTestTests {
  @Test("five differences of one sign: 2 of 32 choices of signs are as extreme")
  func exact() throws {
    var generator = RandomGenerator(seed: 1)
    let test = try #require(PairedTest([1, 2, 3, 4, 5], [2, 3, 4, 5, 7], using: &generator))
    #expect(test.pValue == 2 / 32.0 && test.count == 5 && abs(test.meanDifference - 1.2) < 1e-12)
  }

  @Test("equal systems: the p-value is 1; samples that one lacks are left out")
  func equalSystems() throws {
    var generator = RandomGenerator(seed: 1)
    let test = try #require(PairedTest([1, 2, nil, 4], [1, nil, 3, 4], using: &generator))
    #expect(test.pValue == 1 && test.count == 2 && test.meanDifference == 0)
    #expect(PairedTest([nil, 1], [2, nil], using: &generator) == nil)
  }

  @Test("random choices agree with the exact number for 16 differences")
  func random() throws {
    var generator = RandomGenerator(seed: 2)
    // One clip of sixteen differs the other way: 2 x (16 + 1) of 65,536 sums are as extreme as 14.
    let second = (0..<16).map { Double?.some($0 == 0 ? -1 : 1) }
    let test = try #require(PairedTest([Double?](repeating: 0, count: 16), second, using: &generator))
    #expect(abs(test.pValue - 34 / 65_536.0) < 4e-4)
  }

  @Test("without a difference p-values are even: a twentieth of them are below 0.05")
  func falseAlarms() throws {
    var generator = RandomGenerator(seed: 9)
    var alarms = 0
    for _ in 0..<400 {
      let scores = (0..<9).map { _ in (Double?.some(generator.drawUniform()), Double?.some(generator.drawUniform())) }
      let test = try #require(PairedTest(scores.map(\.0), scores.map(\.1), using: &generator))
      if test.pValue < 0.05 { alarms += 1 }
    }
    #expect((8...34).contains(alarms), "\(alarms) of 400")
  }
}

@Suite("Rank correlation")
struct RankCorrelationTests {
  @Test("the same order gives 1, the opposite -1, whatever the distances")
  func orders() {
    #expect(RankCorrelation.spearman([1, 2, 3, 10], [1, 20, 21, 1000]) == 1)
    #expect(RankCorrelation.spearman([1, 2, 3], [3, 2, -5]) == -1)
  }

  @Test("equal scores share the mean of their ranks")
  func ties() throws {
    #expect(RankCorrelation.ranks([20, 10, 20, 5]) == [3.5, 2, 3.5, 1])
    // Ranks 1.5 1.5 3 against 1 2 3: covariance 1.5, variances 1.5 and 2.
    let value = try #require(RankCorrelation.spearman([1, 1, 2], [1, 2, 3]))
    #expect(abs(value - 1.5 / 3.0.squareRoot()) < 1e-12)
  }

  @Test("there is none for one sample or for a judge who gives all the same")
  func undefined() {
    #expect(RankCorrelation.spearman([1], [1]) == nil)
    #expect(RankCorrelation.spearman([1, 1, 1], [1, 2, 3]) == nil)
  }
}
