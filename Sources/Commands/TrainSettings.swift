import Backbones
import Runtime
import Training

/// The settings of `vap train`: the keys of its YAML file, which are those of `vap encode` and more.
struct TrainSettings: Decodable {
  /// Model, data, cache, size and which rows are used.
  var clips = EncodeSettings()
  var flow = FlowSettings()
  /// What is trained, and from which start.
  var plan = TrainingPlan()
  /// Clips drawn from the miniature world, in place of a manifest's.
  var miniature: MiniatureSettings?
  /// What is trained: the transformer, or the vae of a miniature.
  var component = "transformer"
  /// Of preference training; nil trains on targets alone.
  var preference: PreferenceSettings?
  /// Folder of a trained expert that the training starts from.
  var expert: String?
  var output: String?

  var references = 1
  var maskReferenceRatio = 0.0
  var maskCaptionRatio = 0.02
  var rowLimit: Int?

  var steps = 20_000
  var accumulation = 1
  var batch: Int?
  var optimizer = "adamw"
  var learningRate = 1e-5
  var matrixRate: Double?
  var matrixMomentum = 0.95
  var matrixDecay: Double?
  var schedule = "constant"
  var hold = 0.0
  var finalRate = 0.0
  var warmUp = 1000
  var beta1 = 0.9
  var beta2 = 0.99
  var epsilon = 1e-8
  var weightDecay = 1e-4
  var maxGradientNorm = 1.0
  var ema: Double?
  var precision: String?
  var products: String?
  var seed: UInt64 = 42
  var recompute = true
  var maxSkipped = 10
  /// Stage of ZeRO: 1 shares the optimizer's state out over the processes.
  var zero = 0

  var saveEvery = 1000
  var keep = 2
  var keepBest = true
  var weights = "trained"
  var validateEvery = 100
  var validationSteps = 50
  var validationGuidance: Double?

  var threads: Int?
  var memory: String?
  var force = false

  enum CodingKeys: String, CodingKey, CaseIterable {
    case miniature, component, expert, output, references
    case preference = "dpo"
    case maskReferenceRatio = "mask-ref-ratio"
    case maskCaptionRatio = "mask-caption-ratio"
    case rowLimit = "row-limit"
    case steps, accumulation, batch, optimizer
    case learningRate = "learning-rate"
    case matrixRate = "matrix-rate"
    case matrixMomentum = "matrix-momentum"
    case matrixDecay = "matrix-decay"
    case schedule, hold
    case finalRate = "final-rate"
    case warmUp = "warmup"
    case beta1, beta2, epsilon
    case weightDecay = "weight-decay"
    case maxGradientNorm = "max-grad-norm"
    case ema, precision, products, seed, recompute
    case maxSkipped = "max-skipped"
    case zero
    case saveEvery = "save-every"
    case keep
    case keepBest = "keep-best"
    case weights
    case validateEvery = "validate-every"
    case validationSteps = "validation-steps"
    case validationGuidance = "validation-guidance"
    case threads, memory, force
  }

  static var keys: [String] {
    CodingKeys.allCases.map(\.rawValue) + EncodeSettings.CodingKeys.allCases.map(\.rawValue)
      + FlowSettings.CodingKeys.allCases.map(\.rawValue)
      + TrainingPlan.Key.allCases.map(\.rawValue)
  }

  init() {}

  /// What is added to the pipeline's transformer: an expert to start from, and what is trained.
  func additions() throws -> TransformerAdditions {
    guard expert == nil || plan.start != .random else {
      throw UsageFailure("'expert' is not read with 'start: random'; leave one of them out")
    }
    var additions = try TransformerAdditions(expert: expert, adapterTexts: [])
    additions.plan = plan
    additions.seed = seed
    return additions
  }

  /// The folder of the run; throws if there is none, or if it is something else already.
  func folder() throws -> RunFolder {
    guard let output, !output.isEmpty else { throw UsageFailure("--output is missing: the folder of the run") }
    let folder = RunFolder(path: output)
    try folder.checkIsFree()
    return folder
  }

  /// Absent keys keep the published recipe's values.
  init(from decoder: any Decoder) throws {
    clips = try EncodeSettings(from: decoder)
    flow = try FlowSettings(from: decoder)
    plan = try TrainingPlan(from: decoder)
    let values = try decoder.container(keyedBy: CodingKeys.self)
    func read<Value: Decodable>(_ key: CodingKeys, into value: inout Value) throws {
      if let found = try values.decodeIfPresent(Value.self, forKey: key) { value = found }
    }
    func read<Value: Decodable>(_ key: CodingKeys, into value: inout Value?) throws {
      if let found = try values.decodeIfPresent(Value.self, forKey: key) { value = found }
    }
    try read(.miniature, into: &miniature)
    try read(.component, into: &component)
    try read(.preference, into: &preference)
    try read(.expert, into: &expert)
    try read(.output, into: &output)
    try read(.references, into: &references)
    try read(.maskReferenceRatio, into: &maskReferenceRatio)
    try read(.maskCaptionRatio, into: &maskCaptionRatio)
    try read(.rowLimit, into: &rowLimit)
    try read(.steps, into: &steps)
    try read(.accumulation, into: &accumulation)
    try read(.batch, into: &batch)
    try read(.optimizer, into: &optimizer)
    try read(.learningRate, into: &learningRate)
    try read(.matrixRate, into: &matrixRate)
    try read(.matrixMomentum, into: &matrixMomentum)
    try read(.matrixDecay, into: &matrixDecay)
    try read(.hold, into: &hold)
    try read(.finalRate, into: &finalRate)
    try read(.schedule, into: &schedule)
    try read(.warmUp, into: &warmUp)
    try read(.beta1, into: &beta1)
    try read(.beta2, into: &beta2)
    try read(.epsilon, into: &epsilon)
    try read(.weightDecay, into: &weightDecay)
    try read(.maxGradientNorm, into: &maxGradientNorm)
    try read(.ema, into: &ema)
    try read(.precision, into: &precision)
    try read(.products, into: &products)
    try read(.seed, into: &seed)
    try read(.recompute, into: &recompute)
    try read(.maxSkipped, into: &maxSkipped)
    try read(.zero, into: &zero)
    try read(.saveEvery, into: &saveEvery)
    try read(.keep, into: &keep)
    try read(.keepBest, into: &keepBest)
    try read(.weights, into: &weights)
    try read(.validateEvery, into: &validateEvery)
    try read(.validationSteps, into: &validationSteps)
    try read(.validationGuidance, into: &validationGuidance)
    try read(.threads, into: &threads)
    try read(.memory, into: &memory)
    try read(.force, into: &force)
  }

  /// Reads a YAML file, with some of its keys given other values; relative paths of inputs in the file are relative to its
  /// folder.
  init(file path: String?, changes: [SettingsFile.Change]) throws {
    let file = try path.map { try SettingsFile(path: $0) } ?? SettingsFile()
    try file.checkKeys(Self.keys)
    let changed = Set(changes.map(\.key))
    self = try file.changing(changes).decode(TrainSettings.self) ?? TrainSettings()
    guard let path else { return }
    func resolve(_ key: String, _ value: inout String?) {
      if !changed.contains(key) { value = value.map { SettingsFile.resolve($0, beside: path) } }
    }
    if !changed.contains("model") { clips.model = clips.model.map { PipelineName.resolve($0, beside: path) } }
    resolve("data", &clips.data)
    resolve("root", &clips.root)
    resolve("cache", &clips.cache)
    resolve("expert", &expert)
  }
}
