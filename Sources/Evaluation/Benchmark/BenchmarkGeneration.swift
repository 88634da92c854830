import Backbones
import Foundation
import Generation
import Media
import Runtime
import Schedulers

/// Makes the videos of a benchmark that are not there yet, each with a seed of its own, so that a run that was stopped
/// goes on where it was and gives the same videos.
package struct BenchmarkGeneration {
  private let template: GenerationRequest
  private let directory: String
  private let frameFilter: FrameFilter?
  /// Whether the model is shown the references.
  package var showsReferences = true
  /// Whether the observer hears of each stage of each row; else rows are counted.
  package var tellsStages = true

  private var latents: String { "\(directory)/latents" }
  private var settingsFile: String { "\(directory)/settings.json" }

  /// - Parameters:
  ///   - template: the request but for image, references, caption and seed, to which the row is added.
  ///   - directory: where videos go.
  ///   - frameFilter: looks at each video before it is written.
  package init(_ template: GenerationRequest, directory: String, frameFilter: FrameFilter?) throws(FileFailure) {
    self.template = template
    self.directory = directory
    self.frameFilter = frameFilter
    try Folder.make("\(directory)/latents")
  }

  package static func fileName(row: Int) -> String { "vap_bench_\(row).mp4" }

  /// Makes what is missing. Throws `BackboneFailure` if references are to be shown to a model that reads none.
  ///
  /// - Parameter benchmarkDigest: of the table.
  /// - Returns: why rows have no video, by row. Only what concerns all rows, an interruption or a lack of resources is
  ///   thrown.
  package func run<Backbone: VideoPromptBackbone>(
    _ samples: [BenchmarkSample], with backbone: Backbone, benchmarkDigest: String, observer: @escaping RunObserver
  ) throws -> [Int: String] {
    if showsReferences { try backbone.checkReferences(1) }
    let missing = samples.filter { !FileManager.default.fileExists(atPath: path(row: $0.row)) }
    // Settings that no row can be made with are an error of the whole run, and leave no trace in the folder.
    let keepsDenoiser = try missing.first.map { first in
      try Generator(backbone, request(for: first), observer: { _ in }).canKeepDenoiser
    }
    try checkSettings(backbone, benchmarkDigest)
    let kept = keepsDenoiser == true ? try backbone.loadDenoiser(observer: observer) : nil
    var failures: [Int: String] = [:]
    if !tellsStages, !missing.isEmpty { observer(.stage("make videos", units: missing.count)) }
    for (index, sample) in missing.enumerated() {
      if tellsStages { observer(.stage("row \(sample.row), video \(index + 1) of \(missing.count)", units: 0)) }
      do {
        try make(sample, backbone, kept, tellsStages ? observer : RunEvent.remarks(to: observer))
      } catch let failure as any Failure where BenchmarkScoring.concernsSample(failure) {
        observer(.warning("row \(sample.row): \(failure.message)"))
        failures[sample.row] = failure.message
      }
      if !tellsStages { observer(.progress(index + 1)) }
    }
    return failures
  }

  private func path(row: Int) -> String { "\(directory)/\(Self.fileName(row: row))" }

  private func request(for sample: BenchmarkSample) -> GenerationRequest {
    var request = template
    // The first frame of the target is the image, as published.
    request.image = sample.targetPath
    request.caption = sample.targetCaption
    request.references =
      showsReferences ? [.init(path: sample.referencePath, caption: sample.referenceCaption)] : []
    request.seed = template.seed &+ UInt64(sample.row)
    return request
  }

  private func make<Backbone: VideoPromptBackbone>(
    _ sample: BenchmarkSample, _ backbone: Backbone, _ denoiser: Backbone.Denoiser?, _ observer: @escaping RunObserver
  ) throws {
    var request = request(for: sample)
    let saved = "\(latents)/\(sample.row).safetensors"
    if FileManager.default.fileExists(atPath: saved) { request.latents = saved }
    let generator = try Generator(backbone, request, observer: observer)
    let inputs = try generator.readInputs(observer: observer)
    let denoised = try generator.denoise(inputs, by: denoiser, observer: observer)
    if request.latents == nil { try LatentsFile.write(denoised: denoised, metadata: [:], to: saved) }
    let clip = try generator.decode(denoised, savedLatents: saved, observer: observer)
    try frameFilter?.check(clip)
    var options = VideoWriter.Options()
    options.metadata = ["comment": "vap eval, row \(sample.row), seed \(request.seed)"]
    try VideoWriter.write(clip, to: path(row: sample.row), options: options)
    unlink(saved)
  }

  /// Writes the settings beside the videos, or throws if others are there.
  private func checkSettings(_ backbone: some VideoPromptBackbone, _ benchmarkDigest: String) throws {
    let natural = backbone.naturalGeometry
    let size = [template.width ?? natural.width, template.height ?? natural.height, template.frames ?? natural.frames]
    let additions = try backbone.additions.digests()
    let settings = Settings(
      benchmark: benchmarkDigest, model: URL(fileURLWithPath: template.model).lastPathComponent,
      weights: try ContentDigest(samplingFilesIn: "\(template.model)/transformer").description, seed: template.seed,
      steps: template.steps, guidance: "\(template.guidance ?? .constant(backbone.naturalGuidance))",
      scheduler: template.scheduler?.rawValue ?? "checkpoint", size: size.map(String.init).joined(separator: "x"),
      negativeCaption: template.negativeCaption, frameRate: "\(template.frameRate)",
      additions: additions.isEmpty ? nil : ContentDigest(ofParts: additions).description,
      references: showsReferences ? nil : "none")
    let text = try JSONText.encode(settings)
    guard FileManager.default.fileExists(atPath: settingsFile) else {
      try AtomicFile.write(text, to: settingsFile)
      return
    }
    let found = try Data(contentsOf: URL(fileURLWithPath: settingsFile))
    guard let difference = Settings.difference(there: found, here: text) else { return }
    throw EvaluationFailure.otherRun(path: directory, difference: difference)
  }
}
