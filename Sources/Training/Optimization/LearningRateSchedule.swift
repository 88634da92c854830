import Foundation

/// The learning rate over a run: it rises linearly during the warm-up, then follows a course.
package struct LearningRateSchedule: Sendable, Equatable {
  package enum Course: String, Sendable, CaseIterable {
    case constant
    /// Half a cosine, down to 0 at the last step.
    case cosine
    /// Down to 0 at the last step.
    case linear
  }

  package let peak: Double
  package let course: Course
  package let warmUpSteps: Int
  package let totalSteps: Int

  package init(peak: Double, course: Course = .constant, warmUpSteps: Int = 0, totalSteps: Int) {
    self.peak = peak
    self.course = course
    self.warmUpSteps = warmUpSteps
    self.totalSteps = totalSteps
  }

  /// The rate of the update that takes the run from `step` finished steps to the next; as published, the warm-up begins
  /// with a rate of 0.
  package func rate(after step: Int) -> Double {
    if step < warmUpSteps { return peak * Double(step) / Double(warmUpSteps) }
    let progress = min(1, Double(step - warmUpSteps) / Double(max(1, totalSteps - warmUpSteps)))
    return switch course {
    case .constant: peak
    case .cosine: peak * 0.5 * (1 + cos(Double.pi * progress))
    case .linear: peak * (1 - progress)
    }
  }
}
