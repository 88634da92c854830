import Backbones
import Compute
import Datasets
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
  /// Whether each rank keeps the optimizer's state of a part of the parameters only; weights are the same bits.
  package var shardsOptimizer = false
  /// Bytes of gradients that travel to other ranks together.
  package var bucketBytes = 32 << 20

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
  let collective: any Collective
  private let buckets: GradientBuckets
  private let shards: OptimizerShards?

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
    buckets = GradientBuckets(
      counts: trained.map(\.shape.count), ranks: collective.size, limit: settings.bucketBytes / 4)
    shards =
      settings.shardsOptimizer && collective.size > 1 ? OptimizerShards(trained, buckets, collective) : nil
    self.optimizer = optimizer
    self.optimizer.prepare(shards?.own ?? trained)
    for parameter in shards?.foreign ?? [] {
      parameter.update(to: parameter.tensor.detached.stored(as: optimizer.precision.weights))
    }
    // Needed for checkpoints only.
    average = collective.isFirst ? averageDecay.map { MovingAverage(decay: $0, of: trained) } : nil
  }

  /// Videos and rows of the data that turned out to be unusable so far.
  package var badItems: BadItems { source.badItems }

  /// The weights to make clips and measurements with: averages where the run keeps them.
  package var shownWeights: CurrentWeights { CurrentWeights(model.parameters, averages: average?.averages ?? [:]) }

  /// Samples of one step on all ranks.
  package var batch: Int { settings.accumulation * collective.size }

  /// Makes one step.
  ///
  /// Where the loss or a gradient is not finite there is no update, and the weights stay as they were. Throws
  /// `TrainingFailure.notFinite` after too many of those in a row, and `Interrupted` in the middle of a step, which then
  /// has had no effect; both on all ranks at the same step.
  package mutating func step() throws -> StepRecord {
    let rate = schedule.rate(after: progress.step)
    // Those of a step that was interrupted.
    _ = model.takeMeasures()
    let (loss, gradients) = try differentiate()
    let fault =
      gradients == nil ? "the loss is not finite" : gradients?.norm.isFinite == true ? nil : "a gradient is not finite"
    if let gradients, fault == nil {
      gradients.apply(limit: settings.gradientLimit, learningRate: rate, by: &optimizer)
      try shards?.spread()
      let followed = trained
      average?.follow(followed)
    }
    progress.finishStep(loss: loss, isUpdated: fault == nil)
    let measures = model.takeMeasures()
    return StepRecord(
      step: progress.step, loss: loss, learningRate: rate, gradientNorm: gradients?.norm,
      samples: progress.step * batch, skipped: fault, measures: measures.isEmpty ? nil : measures)
  }

  /// Throws `TrainingFailure.notFinite` if too many steps in a row had no update.
  package func checkForDivergence() throws(TrainingFailure) {
    guard progress.skippedInRow < settings.skipLimit else {
      throw .notFinite(step: progress.step, inRow: progress.skippedInRow)
    }
  }

  /// The mean loss of a step's samples on all ranks, and the sums of their gradients; nil if the loss is not finite.
  private mutating func differentiate() throws -> (loss: Double, gradients: StepGradients?) {
    var reduction = GradientReduction(trained, buckets, collective, isSharded: shards != nil)
    var (share, isInterrupted) = (0.0, false)
    do {
      share = try differentiate(into: &reduction)
    } catch is Interrupted {
      // Told to the other ranks at the end of the step, where they wait for this one.
      isInterrupted = true
    }
    let (loss, sums) = try reduction.finish(loss: share, isInterrupted: isInterrupted)
    guard loss.isFinite else { return (loss, nil) }
    let kept = shards?.ownIndices ?? Array(trained.indices)
    let decaysUnread = settings.faults.contains(.decayOfUnread)
    let pairs = StepGradients.pairs(kept.map { sums[$0] }, of: kept.map { trained[$0] }) {
      decaysUnread && model.isUnread($0)
    }
    let norm = try shards?.norm(of: pairs) ?? globalNorm(of: pairs.map(\.gradient))
    return (loss, StepGradients(pairs, norm: norm))
  }

  /// The losses of this rank's samples, as their share in the mean of all.
  private mutating func differentiate(into reduction: inout GradientReduction) throws -> Double {
    var loss = 0.0
    loadingSeconds = 0
    if let size = settings.batch { return try differentiate(batchesOf: size, into: &reduction) }
    for micro in 0..<settings.accumulation {
      try Interruption.check()
      let (index, draws) = place(micro)
      let isLast = micro + 1 == settings.accumulation
      loss += try differentiate(load(index), draws, into: &reduction, isLast: isLast) / Double(batch)
      if settings.faults.contains(.repeatedClipping), !isLast, let limit = settings.gradientLimit {
        let norm = StepGradients(reduction.store, of: trained) { _ in false }.norm
        reduction.scale(by: clippingScale(norm: norm, limit: limit))
      }
    }
    return loss
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
    _ sample: TrainingSample, _ draws: TrainingDraws, into reduction: inout GradientReduction, isLast: Bool
  ) throws -> Double {
    let loss = try model.loss(
      target: sample.target, references: sample.references, draws: draws,
      context: RunContext(recomputesSegments: settings.recomputes))
    let value = Double(loss.floats()[0])
    if value.isFinite { try reduction.add(loss, scale: 1 / Float(batch), isLast: isLast) }
    return value
  }
}

// MARK: - Batches

extension Trainer {
  /// As above: gradients are added batch by batch in their order, whoever computes them.
  private mutating func differentiate(batchesOf size: Int, into reduction: inout GradientReduction) throws -> Double {
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
    var store = GradientStore()
    for result in results.withLock({ $0 }) {
      guard let (part, gradients) = try result?.get() else { continue }
      loss += part
      store.merge(gradients)
    }
    reduction.addLast(store)
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
  /// What this rank has of what a checkpoint keeps.
  package var snapshot: TrainingSnapshot {
    TrainingSnapshot(
      progress: progress, weights: trained.map { ($0.key, $0.tensor.detached) }, optimizer: optimizer.state,
      averages: average?.averages)
  }

  /// Everything that a checkpoint keeps, on the first rank; nil on others, which give it their part.
  package func collectedSnapshot() throws -> TrainingSnapshot? {
    var snapshot = snapshot
    if let shards {
      guard let state = try shards.collected(snapshot.optimizer) else { return nil }
      snapshot.optimizer = state
    }
    return collective.isFirst ? snapshot : nil
  }

  /// Goes on from a checkpoint of the same model and settings, made by any number of ranks; throws `CheckpointFailure` if it
  /// does not fit.
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
    let state = shards?.part(of: snapshot.optimizer) ?? snapshot.optimizer
    try optimizer.restore(state, for: shards?.own ?? trained, path: path)
    for parameter in trained {
      if let tensor = weights[parameter.key] { parameter.update(to: tensor) }
    }
    // Frozen weights may lie with the averages.
    let keys = Set(trained.map(\.key))
    average = average.map {
      MovingAverage(decay: $0.decay, of: trained, averages: snapshot.averages?.filter { keys.contains($0.key) })
    }
    progress = snapshot.progress
  }
}
