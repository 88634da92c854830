import Backbones
import Compute
import Evaluation
import Foundation
import Generation
import Media
import Runtime
import Schedulers
import Tensors

/// One run of `vap generate`: checked settings, and what to do with the result.
struct GenerateJob {
  private let request: GenerationRequest
  private let output: String
  private let sideBySide: String?
  private let savedLatents: String?
  private let keepsMetadata: Bool
  private let filtersContent: Bool
  private let filterWeights: WeightDirectory?
  private let writing: VideoWriter.Options
  /// What the model's makers say of it.
  private let note: String?

  /// Checks the settings by themselves; throws `UsageFailure`, or `ContentRefusal` for captions that the content filter
  /// refuses.
  init(_ settings: GenerateSettings) throws {
    try UsageFailure.checkIsNotEmpty(settings.output, "--output")
    let model = try GenerationModel(settings.model)
    note = model.note
    request = try model.request(settings)
    filtersContent = settings.contentFilter ?? true
    if filtersContent {
      try PromptFilter.check(request.caption, field: "--prompt")
      for reference in request.references { try PromptFilter.check(reference.caption, field: "--ref-prompt") }
    }
    filterWeights = try settings.filterWeights.map { try WeightDirectory(path: $0) }
    if let threads = try Self.check(settings.threads, "--threads", 1...1024) { Workers.threadCount = threads }
    output = settings.output ?? "out.mp4"
    sideBySide = settings.sideBySide == true ? Self.beside(output, "side-by-side", extension: nil) : nil
    savedLatents = settings.saveLatents
    var writing = VideoWriter.Options()
    writing.overwrites = settings.overwrite ?? false
    writing.quality = try Self.check(settings.crf, "--crf", 0...51) ?? writing.quality
    keepsMetadata = settings.metadata ?? true
    self.writing = writing
  }

  /// The checked part of the settings that decides the video.
  ///
  /// - Parameter model: the directory of the pipeline.
  static func request(_ settings: GenerateSettings, model: String) throws(UsageFailure) -> GenerationRequest {
    try UsageFailure.checkIsNotEmpty(settings.image, "--image")
    try UsageFailure.checkIsNotEmpty(settings.latents, "--latents")
    if settings.prompt == nil, settings.latents == nil {
      throw UsageFailure("--prompt is missing: the caption of the new video")
    }
    let videos = settings.referenceVideos ?? []
    let captions = settings.referencePrompts ?? []
    guard videos.count == captions.count else {
      throw UsageFailure(
        "\(videos.count) --ref-video and \(captions.count) --ref-prompt: give one caption for each reference video")
    }
    var request = GenerationRequest(model: model, image: settings.image, caption: settings.prompt ?? "")
    request.references = zip(videos, captions).map { .init(path: $0, caption: $1) }
    request.expert = settings.expert
    request.adapters = settings.adapters ?? []
    request.negativeCaption = settings.negativePrompt ?? request.negativeCaption
    request.height = try check(settings.height, "--height", 1...65_536)
    request.width = try check(settings.width, "--width", 1...65_536)
    request.frames = try check(settings.frames, "--frames", 1...100_000)
    request.steps = try check(settings.steps, "--steps", 1...1000) ?? request.steps
    request.seed = settings.seed ?? request.seed
    if let fps = settings.fps {
      guard let rate = FrameRate(fps) else { throw UsageFailure("--fps", "must lie in \(FrameRate.range), not \(fps)") }
      request.frameRate = rate
    }
    if let scale = settings.guidance, !(0...1000).contains(scale) {
      throw UsageFailure("--guidance", "must be from 0 to 1000, not \(scale)")
    }
    // Only CogVideoX was published with dynamic guidance, of scale 6.
    request.guidance =
      settings.dynamicGuidance == true ? .dynamic(settings.guidance ?? 6) : settings.guidance.map(Guidance.constant)
    request.scheduler = try choice(settings.scheduler, "--scheduler")
    request.frameSelection = try choice(settings.frameSelection, "--frame-selection") ?? request.frameSelection
    request.memoryBudget = try settings.memory.map(parseMemoryBudget)
    request.latents = settings.latents
    return request
  }

  func run() throws {
    let printer = ProgressPrinter()
    let observer: RunObserver = { printer.show($0) }
    defer { printer.finish() }
    let additions = try TransformerAdditions(expert: request.expert, adapterTexts: request.adapters)
    let kind = try BackboneKind(directory: request.model)
    try run(kind.open(directory: request.model, additions: additions), printer, observer)
  }

  private func run(
    _ backbone: some VideoPromptBackbone, _ printer: ProgressPrinter, _ observer: @escaping RunObserver
  ) throws {
    let generator = try Generator(backbone, request, observer: observer)
    let description =
      try request.latents.flatMap { try LatentsFile.settings(ofDenoised: $0) }
      ?? Self.describe(request, generator)
    var writing = writing
    if keepsMetadata { writing.metadata = description }
    for path in [output, sideBySide].compactMap({ $0 }) {
      try VideoWriter.checkTarget(
        path, size: generator.size, frameCount: generator.frameCount, frameRate: request.frameRate, options: writing)
    }
    // A name of this process: nobody else's file is replaced or removed.
    let latentsPath = savedLatents ?? Self.beside(output, "latents-\(getpid())", extension: "safetensors")
    try AtomicFile.checkWritableTarget(latentsPath)
    try checkNothingIsLost()
    if let note { observer(.note(note)) }

    let inputs = try generator.readInputs(observer: observer)
    let latents = try generator.denoise(inputs, observer: observer)
    try LatentsFile.write(denoised: latents, metadata: description, to: latentsPath)
    let advice = "the denoised latents are kept in \(latentsPath); decode them with --latents"
    do {
      let clip = try MemoryExhaustion.advising(advice) {
        try generator.decode(latents, savedLatents: latentsPath, observer: observer)
      }
      if filtersContent, let filter = try filterWeights.flatMap({ try FrameFilter($0) }) { try filter.check(clip) }
      observer(.stage("write \(output)", units: 0))
      try VideoWriter.write(clip, to: output, options: writing)
      if let sideBySide { try writeSideBySide(clip, inputs, to: sideBySide, writing) }
    } catch {
      printer.show(.warning(advice))
      throw error
    }
    if savedLatents == nil { unlink(latentsPath) }
    printer.finish()
    print(output)
    if let sideBySide { print(sideBySide) }
  }

  /// Refuses outputs that would replace each other, an input, or without --overwrite an existing file.
  private func checkNothingIsLost() throws(UsageFailure) {
    func place(_ path: String) -> String {
      URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }
    let outputs = [output, sideBySide, savedLatents].compactMap { $0 }
    let inputs = ([request.image, request.latents].compactMap { $0 } + request.references.map(\.path)).map(place)
    for path in outputs {
      if inputs.contains(place(path)) {
        throw UsageFailure("\(printable(path)) is an input of this run and cannot be its output")
      }
    }
    guard Set(outputs.map(place)).count == outputs.count else {
      throw UsageFailure(
        "two outputs of this run have the same name: \(outputs.map { printable($0) }.joined(separator: ", "))")
    }
    if let savedLatents, !writing.overwrites, FileManager.default.fileExists(atPath: savedLatents) {
      throw UsageFailure("\(printable(savedLatents)) exists already; give --overwrite to replace it")
    }
  }

  /// Pixels; comparisons are to be looked at, and players show a miniature's clips as stamps.
  private static let leastComparisonHeight = 192

  private func writeSideBySide(
    _ clip: VideoClip, _ inputs: GenerationInputs, to path: String, _ writing: VideoWriter.Options
  ) throws {
    var clips = inputs.references.map(\.clip) + [inputs.image].compactMap { $0 } + [clip]
    for index in clips.indices { clips[index].frameRate = clip.frameRate }
    // At least the new clip is there.
    guard let joined = VideoClip.sideBySide(clips) else { return }
    let factor = max(1, Self.leastComparisonHeight / joined.height)
    try VideoWriter.write(joined.enlarged(by: factor), to: path, options: writing)
  }

  /// `out.mp4` -> `out.label.mp4`
  private static func beside(_ path: String, _ label: String, extension other: String?) -> String {
    let isFolder = path.hasSuffix("/")
    let url = URL(fileURLWithPath: path)
    let stem = url.deletingPathExtension().lastPathComponent
    // As it was given: relative names stay so.
    let folder = path.dropLast(isFolder ? 1 : 0).lastIndex(of: "/").map { path[...$0] } ?? ""
    let ending = other ?? (isFolder ? "" : url.pathExtension)
    return folder + "\(stem).\(label)" + (ending.isEmpty ? "" : ".\(ending)") + (isFolder && other == nil ? "/" : "")
  }

  /// The settings that made a video, as one JSON text under the tag that players show; paths without their folders.
  private static func describe(
    _ request: GenerationRequest, _ generator: Generator<some VideoPromptBackbone>
  ) -> [String: String] {
    func name(_ path: String) -> String { URL(fileURLWithPath: path).lastPathComponent }
    let (kind, scale): (String, Double) =
      switch generator.guidance {
      case .constant(let scale): ("constant", scale)
      case .dynamic(let scale): ("dynamic", scale)
      }
    var settings: [String: Any] = [
      "program": "vap", "model": name(request.model), "prompt": request.caption,
      "negative-prompt": request.negativeCaption, "steps": request.steps, "guidance": scale,
      "guidance-kind": kind, "seed": "\(request.seed)", "frame-selection": request.frameSelection.rawValue,
      "references": request.references.map { ["video": name($0.path), "prompt": $0.caption] },
      "width": generator.size.width, "height": generator.size.height, "frames": generator.frameCount,
      "scheduler": generator.method.rawValue,
    ]
    settings["image"] = request.image.map(name)
    settings["expert"] = request.expert.map(name)
    if !request.adapters.isEmpty { settings["lora"] = request.adapters.map(name) }
    settings["latents"] = request.latents.map(name)
    // Strings, numbers and lists of them always serialise.
    let data = try? JSONSerialization.data(withJSONObject: settings, options: [.sortedKeys, .withoutEscapingSlashes])
    return ["comment": String(decoding: data ?? Data(), as: UTF8.self)]
  }

  private static func check(
    _ value: Int?, _ name: String, _ range: ClosedRange<Int>
  ) throws(UsageFailure) -> Int? {
    guard let value, !range.contains(value) else { return value }
    throw UsageFailure(name, "must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
  }

  private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ value: String?, _ name: String
  ) throws(UsageFailure) -> Choice? {
    guard let value else { return nil }
    guard let choice = Choice(rawValue: value) else {
      let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageFailure(name, "must be one of \(names), not '\(printable(value))'")
    }
    return choice
  }
}
