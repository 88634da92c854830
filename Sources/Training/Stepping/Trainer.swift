import Backbones
import Datasets
import Dispatch
import Layers
import Runtime
import Tensors

/// Settings of the steps of a run.
package struct StepSettings: Sendable {
  package var seed: UInt64 = 42
  /// Samples of one update on each rank.
  package var accumulation = 1
  /// Longest gradient; nil for no clipping.
  package var gradientLimit: Double? = 1
  package var faults: PublishedFaults = []
  /// Steps in a row whose values are not finite, after which the run stops.
  package var skipLimit = 10
  /// Whether a block's activations are computed again in the backward pass, which saves most of the memory.
  package var recomputes = true

  package init() {}
}

/// Takes a model from step to step; knows nothing of its kind.
package struct Trainer<Model: TrainingModel> {
  package let model: Model
  package let settings: StepSettings
  package private(set) var optimizer: any Optimizer
  package private(set) var average: MovingAverage?
  package private(set) var progress = TrainingProgress()
  /// Time that the latest step waited for its samples.
  package private(set) var loadingSeconds = 0.0
  private let trained: [Parameter]
  private let schedule: LearningRateSchedule
  private let source: any SampleSource
  private let collective: any Collective

  /// - Parameters:
  ///   - averageDecay: for a moving average of the weights; nil for none.
  /// Throws `TrainingFailure.nothingToTrain`.
  package init(
    _ model: Model, source: any SampleSource, optimizer: any Optimizer, schedule: LearningRateSchedule,
    settings: StepSettings = StepSettings(), averageDecay: Double? = nil, collective: any Collective = SingleProcess()
  ) throws {
    self.model = model
    self.source = source
    self.schedule = schedule
    self.settings = settings
    self.collective = collective
    trained = model.trainedParameters
    guard !trained.isEmpty else { throw TrainingFailure.nothingToTrain }
    self.optimizer = optimizer
    self.optimizer.prepare(trained)
    average = averageDecay.map { MovingAverage(decay: $0, of: trained) }
  }

  /// Videos and rows of the data that turned out to be unusable so far.
  package var badItems: BadItems { source.badItems }

  /// Samples of one step on all ranks.
  package var batch: Int { settings.accumulation * collective.size }

  /// Makes one step.
  ///
  /// Where the loss or a gradient is not finite there is no update, and the weights stay as they were. Throws
  /// `TrainingFailure.notFinite` after too many of those in a row, and `Interrupted` in the middle of a step, which then
  /// has had no effect.
  package mutating func step() throws -> StepRecord {
    let rate = schedule.rate(after: progress.step)
    let (loss, found) = try differentiate()
    let gradients = try loss.isFinite ? found.summed(by: collective) : nil
    let fault =
      gradients == nil ? "the loss is not finite" : gradients?.norm.isFinite == true ? nil : "a gradient is not finite"
    if let gradients, fault == nil {
      gradients.apply(limit: settings.gradientLimit, learningRate: rate, by: &optimizer)
      let followed = trained
      average?.follow(followed)
    }
    progress.finishStep(loss: loss, isUpdated: fault == nil)
    return StepRecord(
      step: progress.step, loss: loss, learningRate: rate, gradientNorm: gradients?.norm,
      samples: progress.step * batch, skipped: fault)
  }

  /// Throws `TrainingFailure.notFinite` if too many steps in a row had no update.
  package func checkForDivergence() throws(TrainingFailure) {
    guard progress.skippedInRow < settings.skipLimit else {
      throw .notFinite(step: progress.step, inRow: progress.skippedInRow)
    }
  }

  /// The mean loss of a step's samples on all ranks, and this rank's share of the gradients.
  private mutating func differentiate() throws -> (loss: Double, gradients: StepGradients) {
    var store = GradientStore()
    var loss = 0.0
    loadingSeconds = 0
    for micro in 0..<settings.accumulation {
      let turn = progress.step * settings.accumulation + micro
      let index = turn * collective.size + collective.rank
      let draws = TrainingDraws(seed: settings.seed, sample: settings.faults.contains(.sharedDraws) ? turn : index)
      loss += try differentiate(load(index), draws, into: &store) / Double(batch)
      if settings.faults.contains(.repeatedClipping), micro + 1 < settings.accumulation,
        let limit = settings.gradientLimit
      {
        let norm = StepGradients(store, of: trained) { _ in false }.norm
        store.scale(by: clippingScale(norm: norm, limit: limit))
      }
    }
    let decaysUnread = settings.faults.contains(.decayOfUnread)
    let gradients = StepGradients(store, of: trained) { decaysUnread && model.isUnread($0) }
    return (try collective.sum([loss])[0], gradients)
  }

  private mutating func load(_ index: Int) throws -> TrainingSample {
    let start = DispatchTime.now().uptimeNanoseconds
    defer { loadingSeconds += Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9 }
    return try source.sample(at: index)
  }

  /// The loss of one sample; its gradients are added. What was computed on the way is let go of here.
  private func differentiate(
    _ sample: TrainingSample, _ draws: TrainingDraws, into store: inout GradientStore
  ) throws -> Double {
    let loss = try model.loss(
      target: sample.target, references: sample.references, draws: draws,
      context: RunContext(recomputesSegments: settings.recomputes))
    let value = Double(loss.floats()[0])
    if value.isFinite { try loss.backward(.filled([1], with: 1 / Float(batch)), into: &store) }
    return value
  }
}

// MARK: - Saving and resuming

extension Trainer {
  /// Everything that a checkpoint keeps.
  package var snapshot: TrainingSnapshot {
    TrainingSnapshot(
      progress: progress, weights: trained.map { ($0.key, $0.tensor.detached) }, optimizer: optimizer.state,
      averages: average?.averages)
  }

  /// Goes on from a checkpoint of the same model and settings; throws `CheckpointFailure` if it does not fit.
  package mutating func restore(_ snapshot: TrainingSnapshot, path: String) throws {
    let weights = Dictionary(snapshot.weights.map { ($0.key, $0.tensor) }) { first, _ in first }
    for parameter in trained {
      guard let tensor = weights[parameter.key], tensor.shape == parameter.shape,
        tensor.dtype == parameter.tensor.dtype
      else { throw CheckpointFailure.weight(path: path, name: parameter.key) }
    }
    if average != nil {
      guard let averages = snapshot.averages,
        trained.allSatisfy({ averages[$0.key]?.shape == $0.shape && averages[$0.key]?.dtype == .float32 })
      else { throw CheckpointFailure.averages(path: path) }
    }
    try optimizer.restore(snapshot.optimizer, for: trained, path: path)
    for parameter in trained {
      if let tensor = weights[parameter.key] { parameter.update(to: tensor) }
    }
    average = average.map { MovingAverage(decay: $0.decay, of: trained, averages: snapshot.averages) }
    progress = snapshot.progress
  }
}
