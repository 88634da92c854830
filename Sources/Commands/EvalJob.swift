import Backbones
import Evaluation
import Foundation
import Generation
import Judging
import Media
import Pages
import Runtime
import Schedulers

/// One run of `vap eval`: checked settings, then videos, scores and report.
struct EvalJob {
  private let input: BenchmarkInput
  private let clips: Clips
  private let metrics: [MetricKind]
  private let weights: WeightDirectory?
  private let clipSize: MetricSuite.CLIPSize
  private let system: String
  private let output: String
  private let showsClips: Bool
  private let filtersContent: Bool
  private let showsReferences: Bool
  private let judges: [JudgeInput]

  /// Where the clips come from.
  private enum Clips {
    case made(GenerationRequest)
    case finished(ClipSource)
  }

  /// Checks the command line and reads the table; throws before any long work.
  init(_ options: EvalRunCommand) throws {
    let kinds = try options.metrics.map(Self.metrics)
    input = try BenchmarkInput(benchmark: options.benchmark, data: options.data, rows: options.rows)
    try Self.checkNothingIsLost(in: options.out, input.samples)
    metrics = kinds ?? (input.hasTruth ? MetricKind.published + MetricKind.exact : MetricKind.published)
    weights = try options.weights.map { try WeightDirectory(path: $0) }
    clipSize = options.clip
    output = options.out
    showsClips = options.clips
    filtersContent = options.filter.contentFilter
    showsReferences = options.references
    judges = try options.judges.map { path in
      try JudgeInput(file: path, template: options.template, criteria: options.criteria)
    }
    if let name = options.system, !EvaluationResult.isName(name) {
      throw UsageFailure("--system", "must be a name without control characters, not '\(printable(name))'")
    }
    guard Set(judges.map(\.settings.name)).count == judges.count else {
      throw UsageFailure("two of the judges have the same name")
    }
    for judge in judges { try judge.check(input.samples) }
    switch (options.model, options.videos) {
    case (let model?, nil):
      guard !options.threePanels else { throw UsageFailure("--three-panels is about --videos") }
      let model = try GenerationModel(model)
      var request = try Self.request(model, options.generation)
      (request.expert, request.adapters) = (options.expert, options.lora)
      clips = .made(request)
      system =
        try options.system
        ?? SystemName.make(
          model: model.directory, expert: options.expert, adapters: options.lora, showsReferences: options.references)
    case (nil, let videos?):
      guard options.expert == nil, options.lora.isEmpty, options.references else {
        throw UsageFailure("--expert, --lora and --no-references are about --model")
      }
      clips = .finished(try ClipSource(directory: videos, hasThreePanels: options.threePanels))
      system = options.system ?? SystemName.last(videos)
    default: throw UsageFailure("give either --model, to make the videos, or --videos, the folder where they are")
    }
  }

  /// - Parameter tellsStages: whether the observer hears of each stage of each video.
  func run(tellsStages: Bool, observer: @escaping RunObserver) throws -> EvaluationResult {
    let samples = input.samples
    if let warning = input.warning { observer(.warning(warning)) }
    let suite = try MetricSuite(metrics, weights: weights, clipSize: clipSize, hasTruth: input.hasTruth)
    for skipped in suite.skipped { observer(.warning("\(skipped.metric) is not run: \(skipped.reason)")) }
    let digest = try ContentDigest(ofFile: input.path).description
    try Folder.make(output)
    let (source, failures) = try clipSource(digest, tellsStages, observer)
    let scoring = try BenchmarkScoring(suite, clips: source, scores: "\(output)/scores")
    var result = EvaluationResult(
      system: system, benchmark: URL(fileURLWithPath: input.path).lastPathComponent, benchmarkDigest: digest)
    result.columns = scoring.columns
    result.skipped = suite.skipped
    observer(.stage("score", units: samples.count))
    for (index, sample) in samples.enumerated() {
      var scored = try scoring.score(sample, observer: observer)
      if let failure = failures[sample.row] { scored.notes["clip"] = failure }
      result.samples.append(scored)
      observer(.progress(index + 1))
    }
    for judge in judges { try judge.run(on: &result, samples, source, output: output, observer: observer) }
    result.summarize()
    try ReportFiles.write(result, strips: try strips(source, observer), to: output)
    return result
  }

  /// Makes the missing videos, if a model is given.
  ///
  /// - Returns: where the videos are, and why rows have none.
  private func clipSource(
    _ digest: String, _ tellsStages: Bool, _ observer: @escaping RunObserver
  ) throws -> (ClipSource, failures: [Int: String]) {
    switch clips {
    case .finished(let source): return (source, [:])
    case .made(let request):
      var failures: [Int: String] = [:]
      if filtersContent {
        for sample in input.samples {
          for text in [sample.targetCaption, sample.referenceCaption] {
            do {
              try PromptFilter.check(text, field: "row \(sample.row)")
            } catch {
              failures[sample.row] = error.message
            }
          }
        }
      }
      let filter = filtersContent ? try weights.flatMap { try FrameFilter($0) } : nil
      var generation = try BenchmarkGeneration(request, directory: "\(output)/videos", frameFilter: filter)
      (generation.showsReferences, generation.tellsStages) = (showsReferences, tellsStages)
      let allowed = input.samples.filter { failures[$0.row] == nil }
      let additions = try TransformerAdditions(expert: request.expert, adapterTexts: request.adapters)
      let backbone = try BackboneKind(directory: request.model).open(directory: request.model, additions: additions)
      let failed = try generation.run(allowed, with: backbone, benchmarkDigest: digest, observer: observer)
      failures.merge(failed) { first, _ in first }
      return (try ClipSource(directory: "\(output)/videos"), failures)
    }
  }

  private func strips(_ source: ClipSource, _ observer: @escaping RunObserver) throws -> [Int: ClipStrip] {
    guard showsClips else { return [:] }
    let samples = input.samples
    observer(.stage("clips for the page", units: samples.count))
    var strips: [Int: ClipStrip] = [:]
    for (index, sample) in samples.enumerated() {
      try Interruption.check()
      do {
        // Warnings about a clip were given when it was scored.
        strips[sample.row] = try ClipStrip(of: sample, clips: source, scratch: output, observer: { _ in })
      } catch let failure as any Failure where BenchmarkScoring.concernsSample(failure) {
        // The sample's notes say so already.
        continue
      }
      observer(.progress(index + 1))
    }
    return strips
  }
}

// MARK: - Reading the command line

extension EvalJob {
  private static func metrics(_ text: String) throws(UsageFailure) -> [MetricKind] {
    var kinds: [MetricKind] = []
    for name in text.split(separator: ",").map({ $0.trimmingCharacters(in: .whitespaces) }) {
      guard let kind = MetricKind(rawValue: name) else {
        let names = MetricKind.allCases.map(\.rawValue).joined(separator: ", ")
        throw UsageFailure("--metrics must be of \(names); '\(printable(name))' is none of them")
      }
      if !kinds.contains(kind) { kinds.append(kind) }
    }
    return kinds
  }

  private static func request(
    _ model: GenerationModel, _ options: BenchmarkGenerationOptions
  ) throws -> GenerationRequest {
    var settings = GenerateSettings()
    settings.height = options.height
    settings.width = options.width
    settings.frames = options.frames
    settings.steps = options.steps
    settings.guidance = options.guidance
    settings.scheduler = options.scheduler
    settings.seed = options.seed
    settings.memory = options.memory
    settings.prompt = ""
    return try model.request(settings)
  }

  /// Refuses to put results of fewer rows in the place of those that are there; what cannot be read is no loss.
  private static func checkNothingIsLost(in output: String, _ samples: [BenchmarkSample]) throws(UsageFailure) {
    guard let found = try? EvaluationResult(path: "\(output)/\(EvaluationResult.fileName)") else { return }
    let lost = Set(found.samples.map(\.row)).subtracting(samples.map(\.row))
    guard !lost.isEmpty else { return }
    throw UsageFailure(
      "\(printable(output, limit: 1024)) holds results of \(found.samples.count) rows, of which "
        + "\(printable(BenchmarkInput.text(of: lost))) would be lost: choose another --out, or rows that include them")
  }
}
