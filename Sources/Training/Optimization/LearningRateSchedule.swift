import Foundation

/// The learning rate over a run: it rises linearly during the warm-up, then follows a course.
package struct LearningRateSchedule: Sendable, Equatable {
  package enum Course: String, Sendable, CaseIterable {
    case constant
    /// Half a cosine, falling.
    case cosine
    /// A falling line.
    case linear
  }

  package let peak: Double
  package let course: Course
  package let warmUpSteps: Int
  package let totalSteps: Int
  /// Share of the run after the warm-up through which the rate stays at its peak before it falls.
  package var holdShare = 0.0
  /// Share of the peak that a falling rate has reached at the last step.
  package var finalShare = 0.0

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
    let progress = Double(step - warmUpSteps) / Double(max(1, totalSteps - warmUpSteps))
    let fallen = min(1, max(0, progress - holdShare) / max(1 - holdShare, 1e-9))
    return switch course {
    case .constant: peak
    case .cosine: peak * (finalShare + (1 - finalShare) * 0.5 * (1 + cos(Double.pi * fallen)))
    case .linear: peak * (1 - (1 - finalShare) * fallen)
    }
  }
}
