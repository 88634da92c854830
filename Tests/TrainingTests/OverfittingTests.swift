import Backbones
import Layers
import Tensors
import TestSupport
import Testing

@testable import Training

/// The short form of scripts/overfit-tiny.sh: the tiny checkpoint's expert begins to learn four pairs of noise by heart.
@Suite("Learning")
struct OverfittingTests {
  private struct FourPairs: SampleSource {
    let digest = "four pairs"
    func sample(at index: Int) -> TrainingSample { RandomClips().sample(at: index % 4) }
  }

  /// On draws that are always the same and that no training sees.
  private func meanLoss(_ model: CogVideoXTraining) throws -> Double {
    var sum = 0.0
    for number in 0..<4 {
      let sample = FourPairs().sample(at: number)
      for place in 0..<8 {
        let draws = TrainingDraws(
          level: (Double(place) + 0.5) / 8, noise: SeededNoise(seed: UInt64(9000 + 100 * number + place)))
        sum += try model.loss(
          target: sample.target, references: sample.references, draws: draws, context: RunContext()
        ).doubles()[0]
      }
    }
    return sum / 32
  }

  @Test("expert training on four pairs lowers their loss at unseen noise; frozen weights keep every bit")
  func fourPairs() throws {
    var training = TinyTraining()
    training.steps.accumulation = 4
    var trainer = try Trainer(
      training.model(), source: FourPairs(), optimizer: AdamW(),
      schedule: LearningRateSchedule(peak: 1e-2, warmUpSteps: 5, totalSteps: 60), settings: training.steps)
    let frozen = trainer.model.parameters.filter { !$0.isTrainable }
    let (weights, start) = (frozen.map { $0.tensor.floats() }, try meanLoss(trainer.model))
    for _ in 0..<60 { _ = try trainer.step() }
    let end = try meanLoss(trainer.model)
    // Recorded 2.29 and 1.53: the frozen head of random weights cannot make much more of what it is told.
    #expect(end < 0.75 * start, "\(start), then \(end)")
    #expect(frozen.map { $0.tensor.floats() } == weights)
  }
}
