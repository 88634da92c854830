import Backbones
import Compute
import Dispatch
import Layers
import Runtime
import Synchronization
import Tensors

/// Settings of the steps of a run.
package struct StepSettings: Sendable {
  package var seed: UInt64 = 42
  /// Samples of one update on each rank.
  package var accumulation = 1
  /// Samples that are computed as one batch; a step's batches run beside each other, each on one thread. For small models,
  /// whose layers are too little work to share. nil computes one sample after another, each on all threads.
  package var batch: Int?
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
    if let size = settings.batch {
      loss = try differentiate(batchesOf: size, into: &store)
      return (try collective.sum([loss])[0], StepGradients(store, of: trained) { _ in false })
    }
    for micro in 0..<settings.accumulation {
      let (index, draws) = place(micro)
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

  /// The index of a step's sample on this rank, and its random numbers.
  private func place(_ micro: Int) -> (index: Int, draws: TrainingDraws) {
    let turn = progress.step * settings.accumulation + micro
    let index = turn * collective.size + collective.rank
    return (
      index, TrainingDraws(seed: settings.seed, sample: settings.faults.contains(.sharedDraws) ? turn : index)
    )
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

// MARK: - Batches

extension Trainer {
  /// The mean loss of a step's samples, whose gradients are added batch by batch in their order, whoever computes them.
  private mutating func differentiate(batchesOf size: Int, into store: inout GradientStore) throws -> Double {
    let samples = try loadStep()
    let batches = stride(from: 0, to: samples.count, by: size).map {
      Array(samples[$0..<min(samples.count, $0 + size)])
    }
    let results = Mutex(
      [Result<(loss: Double, gradients: GradientStore), any Error>?](repeating: nil, count: batches.count))
    let (model, settings, total) = (model, settings, batch)
    Workers.forEachTask(batches.count) { index in
      let result = Result {
        try Self.differentiate(batches[index], model, share: 1 / Double(total), recomputes: settings.recomputes)
      }
      results.withLock { $0[index] = result }
    }
    var loss = 0.0
    for result in results.withLock({ $0 }) {
      guard let (part, gradients) = try result?.get() else { continue }
      loss += part
      store.merge(gradients)
    }
    return loss
  }

  private mutating func loadStep() throws -> [DrawnSample] {
    let start = DispatchTime.now().uptimeNanoseconds
    defer { loadingSeconds += Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9 }
    let places = (0..<settings.accumulation).map(place)
    return zip(try source.samples(at: places.map(\.index)), places).map { sample, place in
      DrawnSample(target: sample.target, references: sample.references, draws: place.draws)
    }
  }

  /// - Parameter share: of one sample in the step's loss.
  private static func differentiate(
    _ samples: [DrawnSample], _ model: Model, share: Double, recomputes: Bool
  ) throws -> (loss: Double, gradients: GradientStore) {
    try Interruption.check()
    let loss = try model.loss(of: samples, context: RunContext(recomputesSegments: recomputes))
    let value = Double(loss.floats()[0])
    var store = GradientStore()
    if value.isFinite { try loss.backward(.filled([1], with: Float(share)), into: &store) }
    return (value * share, store)
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
