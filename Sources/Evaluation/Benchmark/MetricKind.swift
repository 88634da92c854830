/// What is measured of each sample.
package enum MetricKind: String, CaseIterable, Sendable {
  case clipScore = "clip-score"
  case motionSmoothness = "motion-smoothness"
  case dynamicDegree = "dynamic-degree"
  case aestheticQuality = "aesthetic-quality"
  case peakSignalToNoise = "psnr"
  case structuralSimilarity = "ssim"

  /// The metrics of the published table.
  package static let published: [MetricKind] = [.clipScore, .motionSmoothness, .dynamicDegree, .aestheticQuality]

  package var title: String {
    switch self {
    case .clipScore: "CLIP score"
    case .motionSmoothness: "Motion smoothness"
    case .dynamicDegree: "Dynamic degree"
    case .aestheticQuality: "Aesthetic quality"
    case .peakSignalToNoise: "PSNR"
    case .structuralSimilarity: "SSIM"
    }
  }

  /// Whether the metric compares with the target video, which makes sense only where one answer is right.
  package var needsTarget: Bool { self == .peakSignalToNoise || self == .structuralSimilarity }
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
