import Compute
import Foundation

/// An interval that holds the mean over all possible samples with a given confidence, by resampling the samples at hand.
///
/// Ends are quantiles of the means of resamples drawn with replacement. Plain quantiles make intervals of few samples too
/// narrow, because resamples vary less than new samples would; so they are taken further out, by as much as Student's t
/// is wider than the normal distribution and samples than resamples (the expanded percentile interval, Hesterberg, "What
/// teachers should know about the bootstrap", 2015).
package struct BootstrapInterval: Sendable, Equatable {
  package let lower: Double
  package let upper: Double
  package let confidence: Double

  package static let usualResamples = 4000

  /// Nil for fewer than two samples.
  ///
  /// - Parameter generator: drawn from once, so the same generator gives the same interval.
  package init?(
    of samples: [Double], confidence: Double = 0.95, resamples: Int = usualResamples,
    using generator: inout RandomGenerator
  ) {
    precondition(confidence > 0 && confidence < 1 && resamples > 1, "confidence \(confidence), \(resamples) resamples")
    guard samples.count > 1 else { return nil }
    let means = Resampling(using: &generator).means(of: samples, count: resamples).sorted()
    let tail = Self.tail(beyond: (1 - confidence) / 2, samples: samples.count)
    lower = Self.quantile(tail, of: means)
    upper = Self.quantile(1 - tail, of: means)
    self.confidence = confidence
  }

  /// The part of the resamples to leave out at either end.
  private static func tail(beyond tail: Double, samples: Int) -> Double {
    let freedom = Double(samples - 1)
    let z = NormalDistribution.quantile(1 - tail)
    // Student's quantile by its expansion around the normal one (Abramowitz & Stegun 26.7.5).
    let terms = [
      (pow(z, 3) + z) / 4, (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / 96,
      (3 * pow(z, 7) + 19 * pow(z, 5) + 17 * pow(z, 3) - 15 * z) / 384,
    ]
    let student = terms.enumerated().reduce(z) { $0 + $1.element / pow(freedom, Double($1.offset + 1)) }
    return NormalDistribution.cumulative(-student * (Double(samples) / freedom).squareRoot())
  }

  /// Between the two nearest of sorted values, linearly.
  private static func quantile(_ share: Double, of sorted: [Double]) -> Double {
    let place = min(max(share * Double(sorted.count - 1), 0), Double(sorted.count - 1))
    let first = Int(place)
    let second = min(first + 1, sorted.count - 1)
    return sorted[first] + (place - Double(first)) * (sorted[second] - sorted[first])
  }
}

/// Random numbers for resamples: any of them can be drawn by itself, so threads do not change them.
struct Resampling: Sendable {
  private let seed: UInt64

  init(using generator: inout RandomGenerator) { seed = UInt64(generator.drawUniform() * 0x1p53) }

  /// Means of `count` resamples of `samples`, drawn with replacement.
  func means(of samples: [Double], count: Int) -> [Double] {
    filled(count) { resample in
      var sum = 0.0
      forEachWord(samples.count, of: resample) { _, word in
        sum += samples[Int((UInt64(word) * UInt64(samples.count)) >> 32)]
      }
      return sum / Double(samples.count)
    }
  }

  /// Sums of `values` with `count` random choices of their signs.
  func signedSums(of values: [Double], count: Int) -> [Double] {
    filled(count) { resample in
      var sum = 0.0
      forEachWord(values.count, of: resample) { index, word in sum += word & 1 == 0 ? values[index] : -values[index] }
      return sum
    }
  }

  private func filled(_ count: Int, _ value: (Int) -> Double) -> [Double] {
    [Double](unsafeUninitializedCapacity: count) { buffer, initialized in
      // Sound: each block of resamples writes its own range and the closure only reads.
      nonisolated(unsafe) let (buffer, value) = (buffer, value)
      Workers.forEachBlock(of: 256, in: count) { range in for index in range { buffer[index] = value(index) } }
      initialized = count
    }
  }

  private func forEachWord(_ count: Int, of stream: Int, _ body: (Int, UInt32) -> Void) {
    for block in 0..<(count + 3) / 4 {
      let words = RandomGenerator.block(UInt64(block), stream: UInt64(stream), seed: seed)
      for lane in 0..<min(4, count - 4 * block) { body(4 * block + lane, words[lane]) }
    }
  }
}

enum NormalDistribution {
  static func cumulative(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

  /// The x below which a share of the distribution lies, by Newton's method.
  static func quantile(_ share: Double) -> Double {
    precondition(share > 0 && share < 1, "quantile at \(share)")
    // From the flatter side, where Newton's steps do not overshoot.
    if share < 0.5 { return -quantile(1 - share) }
    var x = 0.0
    for _ in 0..<100 {
      let step = (cumulative(x) - share) * (2 * Double.pi).squareRoot() * exp(x * x / 2)
      x -= max(step, -1)
      if abs(step) < 1e-12 { break }
    }
    return x
  }
}
