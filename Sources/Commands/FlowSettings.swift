import Runtime
import Schedulers

/// How clips are noised for a model that is trained by flow matching: some keys of `vap train`'s settings.
struct FlowSettings: Decodable, Equatable {
  var distribution: String?
  var mean: Double?
  var deviation: Double?
  var shift: Double?
  var leastNoise: Double?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case distribution = "sigma-distribution"
    case mean = "sigma-mean"
    case deviation = "sigma-deviation"
    case shift = "sigma-shift"
    case leastNoise = "sigma-min"
  }

  private enum Distribution: String, CaseIterable {
    case logitNormal = "logit-normal"
    case uniform
  }

  /// The published noising with what the settings change; nil if they change nothing. Throws for values that cannot be
  /// used.
  func noising() throws(UsageFailure) -> FlowNoising? {
    guard self != FlowSettings() else { return nil }
    func check(_ value: Double?, _ key: CodingKeys, _ range: ClosedRange<Double>) throws(UsageFailure) -> Double? {
      guard let value, !range.contains(value) else { return value }
      throw UsageFailure(key.rawValue, "must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
    }
    var noising = FlowNoising()
    let (mean, deviation) = (try check(mean, .mean, -10...10), try check(deviation, .deviation, 0...10))
    switch try distribution.map(Self.named) ?? .logitNormal {
    case .logitNormal: noising.distribution = .logitNormal(mean: mean ?? 0, deviation: deviation ?? 1)
    case .uniform:
      guard mean == nil, deviation == nil else {
        throw UsageFailure("'sigma-mean' and 'sigma-deviation' do not go with 'sigma-distribution' uniform")
      }
      noising.distribution = .uniform
    }
    noising.shift = try check(shift, .shift, 0.001...1000) ?? noising.shift
    noising.leastNoise = try check(leastNoise, .leastNoise, 0...0.1) ?? noising.leastNoise
    return noising
  }

  private static func named(_ name: String) throws(UsageFailure) -> Distribution {
    guard let distribution = Distribution(rawValue: name) else {
      let names = Distribution.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageFailure("sigma-distribution", "must be one of \(names), not '\(printable(name))'")
    }
    return distribution
  }

  /// For telling runs apart.
  var description: String {
    let values = [mean, deviation, shift, leastNoise].map { $0.map { "\($0)" } ?? "published" }
    return ([distribution ?? "published"] + values).joined(separator: ", ")
  }
}
