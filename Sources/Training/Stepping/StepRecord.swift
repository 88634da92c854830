/// What one step did: a line of the log, alike for every repetition of the run.
package struct StepRecord: Sendable, Equatable, Codable {
  /// From 1.
  package let step: Int
  /// Mean over the step's samples.
  package let loss: Double
  package let learningRate: Double
  /// Before clipping; nil where the loss was not finite.
  package let gradientNorm: Double?
  /// Samples of all steps so far.
  package let samples: Int
  /// Why there was no update.
  package let skipped: String?
  /// Of the first rank's samples, what the model tells besides the loss.
  package var measures: [String: Double]?

  private enum CodingKeys: String, CodingKey {
    case step, loss
    case learningRate = "learning_rate"
    case gradientNorm = "gradient_norm"
    case samples, skipped, measures
  }
}
