import Layers
import Tensors
import Testing

@testable import Training

@Suite("Learning rate and moving average")
struct ScheduleTests {
  @Test("warm-up rises from 0 as published; then the rate is constant, or falls to 0 at the end")
  func courses() {
    func rates(_ course: LearningRateSchedule.Course) -> [Double] {
      let schedule = LearningRateSchedule(peak: 1, course: course, warmUpSteps: 4, totalSteps: 12)
      return [0, 1, 4, 8, 12, 20].map(schedule.rate)
    }
    #expect(rates(.constant) == [0, 0.25, 1, 1, 1, 1])
    #expect(rates(.linear) == [0, 0.25, 1, 0.5, 0, 0])
    let cosine = rates(.cosine)
    for (found, expected) in zip(cosine, [0, 0.25, 1, 0.5, 0, 0]) { #expect(abs(found - expected) < 1e-12) }
  }

  @Test("a rate that is held falls only afterwards, and to the share that is asked for")
  func held() {
    var schedule = LearningRateSchedule(peak: 2, course: .linear, warmUpSteps: 10, totalSteps: 110)
    (schedule.holdShare, schedule.finalShare) = (0.6, 0.1)
    for (step, rate) in [(5, 1.0), (10, 2), (70, 2), (90, 1.1), (110, 0.2), (200, 0.2)] {
      #expect(abs(schedule.rate(after: step) - rate) < 1e-12, "step \(step)")
    }
  }

  @Test("without warm-up the first rate is the peak")
  func noWarmUp() {
    #expect(LearningRateSchedule(peak: 1e-5, totalSteps: 10).rate(after: 0) == 1e-5)
    #expect(LearningRateSchedule(peak: 1e-5, warmUpSteps: 10, totalSteps: 10).rate(after: 10) == 1e-5)
  }

  @Test("a moving average starts at the value and follows it with its share")
  func average() {
    let parameter = Parameter(key: "w", tensor: Tensor([1, 2]), isTrainable: true)
    var average = MovingAverage(decay: 0.75, of: [parameter])
    parameter.update(to: Tensor([5, -2]))
    average.follow([parameter])
    #expect(average.averages["w"]?.floats() == [2, 1])
    #expect(parameter.tensor.floats() == [5, -2])
  }
}
