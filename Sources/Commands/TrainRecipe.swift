import Backbones
import Datasets
import Runtime
import Training

/// The settings of a training as its parts take them, each checked.
struct TrainRecipe {
  let steps: StepSettings
  let run: RunSettings
  let schedule: LearningRateSchedule
  let optimizer: any Optimizer
  /// Whether linear maps round what they multiply to bfloat16.
  let roundsProducts: Bool
  let pairing: PairingRules
  /// Bytes; nil for what the machine has.
  let memoryBudget: Int?
  private let settings: TrainSettings

  /// Throws `UsageFailure` for values that cannot be used.
  ///
  /// - Parameter usesManifest: whether samples are pairs of a manifest, for which there are rules.
  init(_ settings: TrainSettings, usesManifest: Bool = true) throws {
    func check<Value: Comparable>(_ value: Value, _ name: String, _ range: ClosedRange<Value>) throws(UsageFailure) {
      guard range.contains(value) else {
        throw UsageFailure(name, "must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
      }
    }
    for (value, name, limit) in [
      (settings.steps, "steps", 0), (settings.accumulation, "accumulation", 1), (settings.warmUp, "warmup", 0),
      (settings.saveEvery, "save-every", 1), (settings.keep, "keep", 1), (settings.maxSkipped, "max-skipped", 1),
      (settings.validateEvery, "validate-every", 1), (settings.threads ?? 1, "threads", 1),
    ] {
      try check(value, name, limit...1_000_000_000)
    }
    try check(settings.validationSteps, "validation-steps", 1...1000)
    try check(settings.zero, "zero", 0...1)
    try check(settings.learningRate, "learning-rate", 0...1)
    try check(settings.matrixRate ?? 0, "matrix-rate", 0...1)
    try check(settings.matrixMomentum, "matrix-momentum", 0...0.999_999)
    try check(settings.matrixDecay ?? 0, "matrix-decay", 0...1000)
    try check(settings.hold, "hold", 0...1)
    try check(settings.finalRate, "final-rate", 0...1)
    if let batch = settings.batch { try check(batch, "batch", 1...1_000_000) }
    try check(settings.beta1, "beta1", 0...0.999_999)
    try check(settings.beta2, "beta2", 0...0.999_999)
    try check(settings.epsilon, "epsilon", 1e-30...1)
    try check(settings.weightDecay, "weight-decay", 0...1000)
    try check(settings.maxGradientNorm, "max-grad-norm", 0...1e9)
    try check(settings.validationGuidance ?? 1, "validation-guidance", 0...1000)
    if let decay = settings.ema { try check(decay, "ema", 0...0.999_999_999) }

    let compatibility = try Compatibility(setting: settings.clips.compatibility)
    let isReference = compatibility == .reference
    let precision =
      try settings.precision.map { try Self.choice($0, "precision", Precision.self) }
      ?? (isReference ? .bfloat16 : .float32)
    // Weights in 16 bits ask for products of 16 bits.
    roundsProducts =
      try settings.products.map { try Self.choice($0, "products", ProductPrecision.self) == .bfloat16 }
      ?? (precision != .float32)
    self.settings = settings
    var steps = StepSettings()
    steps.seed = settings.seed
    steps.accumulation = settings.accumulation
    steps.batch = settings.batch
    if isReference, settings.batch != nil {
      throw UsageFailure("'batch' does not go with 'compatibility: reference', which takes one sample at a time")
    }
    steps.gradientLimit = settings.maxGradientNorm > 0 ? settings.maxGradientNorm : nil
    steps.faults = compatibility.faults
    steps.skipLimit = settings.maxSkipped
    steps.recomputes = settings.recompute
    steps.shardsOptimizer = settings.zero == 1
    self.steps = steps
    var run = RunSettings()
    run.steps = settings.steps
    run.saveEvery = settings.saveEvery
    run.kept = settings.keep
    run.keepsBest = settings.keepBest
    run.savesFrozen = try Self.choice(settings.weights, "weights", SavedWeights.self) == .full
    if run.savesFrozen, settings.plan.trained == .lora {
      throw UsageFailure(
        "'weights: full' does not go with 'train: lora', which leaves the model's own weights as they are; give 'weights: "
          + "trained'")
    }
    run.validateEvery = settings.validateEvery
    run.isForced = settings.force
    self.run = run
    var schedule = LearningRateSchedule(
      peak: settings.learningRate,
      course: try Self.choice(settings.schedule, "schedule", LearningRateSchedule.Course.self),
      warmUpSteps: settings.warmUp, totalSteps: settings.steps)
    (schedule.holdShare, schedule.finalShare) = (settings.hold, settings.finalRate)
    self.schedule = schedule
    optimizer = try Self.optimizer(settings, precision)
    var pairing = isReference ? PairingRules.published : PairingRules()
    pairing.seed = settings.seed
    pairing.scoreThreshold = settings.clips.scoreThreshold ?? pairing.scoreThreshold
    pairing.condition = settings.clips.condition
    pairing.referenceCount = settings.references
    pairing.referenceDropout = settings.maskReferenceRatio
    pairing.captionDropout = settings.maskCaptionRatio
    pairing.rowLimit = settings.rowLimit
    if usesManifest { try pairing.validate() }
    self.pairing = pairing
    guard settings.preference == nil || settings.references == 1 else {
      throw UsageFailure("'dpo' trains with one reference, so 'references' must be 1, not \(settings.references)")
    }
    memoryBudget = try settings.memory.map(parseMemoryBudget)
  }

  private enum ProductPrecision: String, CaseIterable { case float32, bfloat16 }
  private enum OptimizerName: String, CaseIterable { case adamw, muon }

  private static func optimizer(_ settings: TrainSettings, _ precision: Precision) throws(UsageFailure) -> any Optimizer
  {
    let rest = AdamW.Settings(
      firstBeta: settings.beta1, secondBeta: settings.beta2, epsilon: settings.epsilon,
      weightDecay: settings.weightDecay)
    switch try choice(settings.optimizer, "optimizer", OptimizerName.self) {
    case .adamw:
      guard settings.matrixRate == nil, settings.matrixDecay == nil else {
        throw UsageFailure("'matrix-rate' and 'matrix-decay' are for 'optimizer: muon'")
      }
      return AdamW(rest, precision: precision)
    case .muon:
      guard precision == .float32 else { throw UsageFailure("'optimizer: muon' needs 'precision: float32'") }
      guard settings.learningRate > 0 else { throw UsageFailure("'optimizer: muon' needs a 'learning-rate' above 0") }
      var muon = Muon.Settings(
        momentum: settings.matrixMomentum, weightDecay: settings.matrixDecay ?? settings.weightDecay)
      muon.rateRatio = (settings.matrixRate ?? settings.learningRate) / settings.learningRate
      guard muon.rateRatio <= 1e9 else {
        throw UsageFailure("'matrix-rate' must be at most 1e9 times 'learning-rate'; raise 'learning-rate'")
      }
      return Muon(muon, rest: rest)
    }
  }

  private enum SavedWeights: String, CaseIterable { case trained, full }

  private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ value: String, _ name: String, _ type: Choice.Type
  ) throws(UsageFailure) -> Choice {
    guard let choice = Choice(rawValue: value) else {
      let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageFailure(name, "must be one of \(names), not '\(printable(value))'")
    }
    return choice
  }

  /// The settings that change what the steps compute, on the clips of a manifest.
  ///
  /// A step has accumulation x ranks samples, whose gradients are one sum however they are shared out: so a run may go on
  /// with another number of ranks, if the product stays.
  func identity(_ clips: EncodeJob, ranks: Int) -> [String: String] {
    identity(
      [
        "size": clips.geometry.description, "clips": clips.loader.description,
        "mask-ref-ratio": "\(settings.maskReferenceRatio)", "mask-caption-ratio": "\(settings.maskCaptionRatio)",
        "score-threshold": "\(pairing.scoreThreshold)", "condition": settings.clips.condition ?? "all",
        "row-limit": settings.rowLimit.map { "\($0)" } ?? "none",
      ].merging(settings.clips.tiles == true ? ["tiles": "true"] : [:]) { $1 }, ranks: ranks)
  }

  /// As above, with what tells of the clips.
  func identity(_ clips: [String: String], ranks: Int = 1) -> [String: String] {
    var identity = [
      "references": "\(settings.references)", "accumulation x ranks": "\(settings.accumulation * ranks)",
      "learning-rate": "\(settings.learningRate)", "schedule": settings.schedule, "warmup": "\(settings.warmUp)",
      "beta1": "\(settings.beta1)", "beta2": "\(settings.beta2)", "epsilon": "\(settings.epsilon)",
      "weight-decay": "\(settings.weightDecay)", "max-grad-norm": "\(settings.maxGradientNorm)",
      "ema": settings.ema.map { "\($0)" } ?? "none", "precision": optimizer.precision.rawValue,
      "seed": "\(settings.seed)", "compatibility": settings.clips.compatibility ?? Compatibility.none.rawValue,
      "flow": settings.flow.description,
    ]
    identity["dpo"] = settings.preference?.description
    identity.merge(settings.plan.identity) { $1 }
    identity.merge(clips) { $1 }
    identity["products"] = settings.products
    identity["batch"] = settings.batch.map { "\($0)" }
    if settings.optimizer != "adamw" {
      identity["optimizer"] = settings.optimizer
      identity["matrix-rate"] = "\(settings.matrixRate ?? settings.learningRate)"
      identity["matrix-momentum"] = "\(settings.matrixMomentum)"
      identity["matrix-decay"] = "\(settings.matrixDecay ?? settings.weightDecay)"
    }
    if settings.hold != 0 || settings.finalRate != 0 {
      identity["hold"] = "\(settings.hold), then to \(settings.finalRate)"
    }
    // Published faults depend on which samples a rank has.
    if !steps.faults.isDisjoint(with: [.sharedDraws, .repeatedClipping]) { identity["ranks"] = "\(ranks)" }
    // A constant rate does not look ahead, so such a run may be made longer.
    if schedule.course != .constant { identity["steps"] = "\(settings.steps)" }
    return identity
  }
}
