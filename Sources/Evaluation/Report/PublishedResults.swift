/// The table of the paper (arXiv 2510.20888, Table 1; Table 5 for the second judge), to stand beside a result.
package struct PublishedResults: Sendable {
  package let system: String
  /// By the names of columns.
  package let scores: [String: Double]
  /// Share of the user study's votes in percent.
  package let preference: Double

  /// Judges of the paper, by the names of their columns.
  package static let judges = [
    JudgeColumn.name("gemini-2.5-pro"): "Alignment (Gemini-2.5-Pro)", JudgeColumn.name("gpt-5"): "Alignment (GPT-5)",
  ]

  package static let all: [PublishedResults] = [
    row("VACE (original)", 5.88, 97.60, 68.75, 53.90, 35.38, 32.52, 0.6),
    row("VACE (depth)", 22.64, 97.65, 75.00, 56.03, 43.35, 39.41, 0.7),
    row("VACE (optical flow)", 22.65, 97.56, 79.17, 57.34, 46.71, 45.09, 1.8),
    row("CogVideoX-I2V", 22.82, 98.48, 72.92, 56.75, 26.04, 28.36, 6.9),
    row("CogVideoX-I2V (LoRA)", 23.59, 98.34, 70.83, 54.23, 68.60, 66.93, 13.1),
    row("Kling / Vidu", 24.05, 98.12, 79.17, 59.16, 74.02, 73.91, 38.2),
    row("Video-As-Prompt", 24.13, 98.59, 77.08, 57.71, 70.44, 70.26, 38.7),
  ]

  /// The systems that have a value in at least one of these columns.
  static func having(_ columns: [EvaluationResult.Column]) -> [PublishedResults] {
    all.filter { row in columns.contains { row.scores[$0.name] != nil } }
  }

  private static func row(
    _ system: String, _ clip: Double, _ smoothness: Double, _ dynamics: Double, _ aesthetics: Double,
    _ gemini: Double, _ gpt: Double, _ preference: Double
  ) -> PublishedResults {
    PublishedResults(
      system: system,
      scores: [
        MetricKind.clipScore.rawValue: clip, MetricKind.motionSmoothness.rawValue: smoothness,
        MetricKind.dynamicDegree.rawValue: dynamics, MetricKind.aestheticQuality.rawValue: aesthetics,
        JudgeColumn.name("gemini-2.5-pro"): gemini, JudgeColumn.name("gpt-5"): gpt,
      ], preference: preference)
  }
}
