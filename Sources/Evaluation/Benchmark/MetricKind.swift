/// What is measured of each sample.
package enum MetricKind: String, CaseIterable, Sendable {
  case clipScore = "clip-score"
  case motionSmoothness = "motion-smoothness"
  case dynamicDegree = "dynamic-degree"
  case aestheticQuality = "aesthetic-quality"
  case peakSignalToNoise = "psnr"
  case structuralSimilarity = "ssim"
  // On data sets that this program rendered.
  case matchByPixels = "match-pixels"
  case matchByChange = "match-change"
  case speedError = "speed-error"

  /// The metrics of the published table.
  package static let published: [MetricKind] = [.clipScore, .motionSmoothness, .dynamicDegree, .aestheticQuality]

  /// The metrics of data sets of which it is known what every condition does to a picture.
  package static let exact: [MetricKind] = [
    .peakSignalToNoise, .structuralSimilarity, .matchByPixels, .matchByChange, .speedError,
  ]

  package var title: String {
    switch self {
    case .clipScore: "CLIP score"
    case .motionSmoothness: "Motion smoothness"
    case .dynamicDegree: "Dynamic degree"
    case .aestheticQuality: "Aesthetic quality"
    case .peakSignalToNoise: "PSNR"
    case .structuralSimilarity: "SSIM"
    case .matchByPixels: "Match by pixels"
    case .matchByChange: "Match by change"
    case .speedError: "Speed error"
    }
  }

  /// Whether the metric compares with the target video, which makes sense only where one answer is right.
  package var needsTarget: Bool { Self.exact.contains(self) }

  /// Whether the metric compares with renderings of the target's scene under all conditions.
  package var needsTruth: Bool { isRightOrWrong || self == .speedError }

  /// Whether a clip has 100 if it is right and 0 if it is wrong, so that the mean is the share of right ones in percent.
  package var isRightOrWrong: Bool { self == .matchByPixels || self == .matchByChange }

  /// Whether lower values are better.
  package var prefersLow: Bool { self == .speedError }
}

/// One metric's result for one clip.
package struct MetricScore: Sendable, Equatable, Codable {
  /// As it is printed: times 100 where the published table is, decibels for PSNR.
  package let value: Double
  /// What the value was computed from, frame by frame or pair by pair.
  package let parts: [Double]
  /// What a reader of the value should know, such as a text that was cut.
  package var note: String?

  package init(value: Double, parts: [Double], note: String? = nil) {
    self.value = value
    self.parts = parts
    self.note = note
  }
}
