import Backbones
import Checkpoints
import Compute
import Foundation
import Layers
import Media
import Runtime
import Schedulers
import Tensors

/// The clips that a request names, at the size of the new video.
package struct GenerationInputs: Sendable {
  package let image: VideoClip?
  /// The image at its own size, if the model looks at it.
  package let picture: VideoClip?
  package let references: [Reference]

  package struct Reference: Sendable {
    package let clip: VideoClip
    /// Its first frame at its own size, if the model looks at it.
    package let picture: VideoClip?
  }
}

/// Makes a video from a request: media in, stages of a backbone, frames out.
///
/// Stages run one at a time and let go of their weights. The denoised latents are handed out before decoding begins, so
/// that a failure afterwards loses no work.
package struct Generator<Backbone: VideoPromptBackbone>: Sendable {
  private let backbone: Backbone
  private let request: GenerationRequest
  private let geometry: ClipGeometry
  private let scheduler: any Scheduler
  package let method: SamplingMethod
  package let guidance: Guidance
  private let options: BackboneOptions
  private let decoding: StageMemory?
  /// Whether the transformer's weights fit in memory beside every stage, so that one of them can serve many generations.
  package let canKeepDenoiser: Bool

  /// Checks the request against the model before any work.
  package init(_ backbone: Backbone, _ request: GenerationRequest, observer: @escaping RunObserver) throws {
    self.backbone = backbone
    self.request = request
    let natural = backbone.naturalGeometry
    geometry = ClipGeometry(
      height: request.height ?? natural.height, width: request.width ?? natural.width,
      frames: request.frames ?? natural.frames)
    try backbone.check(geometry, referenceCount: request.references.count)
    let sampling = try Self.sampling(backbone.scheduler, request)
    method = sampling.method
    scheduler = try sampling.scheduler(steps: request.steps)
    guidance = request.guidance ?? .constant(backbone.naturalGuidance)
    let isGuided = guidance != .constant(1)
    let stages = try backbone.memoryNeeds(
      geometry, referenceCount: request.references.count, isGuided: isGuided)
    decoding = stages.last
    let plan = try MemoryPlan(
      stages: stages, budget: request.memoryBudget, addressSpace: BufferPool.shared.addressSpaceLeft)
    // Weights are widened for products, so they count more than as they are stored.
    canKeepDenoiser = plan.paging == .keep && plan.peak + 3 * (stages.map(\.weights).max() ?? 0) <= plan.budget
    options = BackboneOptions(
      context: RunContext(paging: plan.paging), usesTiles: plan.usesTiles, isGuided: isGuided)
    if plan.usesTiles {
      let limit =
        plan.isShortOfAddressSpace ? "the address space that `ulimit -v` leaves" : "\(byteText(plan.budget)) of memory"
      observer(.warning("the autoencoder works in tiles to stay within \(limit)"))
    }
  }

  private static func sampling(
    _ configuration: SchedulerConfiguration, _ request: GenerationRequest
  ) throws(GenerationFailure) -> SchedulerConfiguration {
    guard let method = request.scheduler else { return configuration }
    guard let changed = configuration.using(method) else {
      throw .schedulerDoesNotFit(method, fitting: configuration.methods)
    }
    return changed
  }

  package var size: FrameSize { FrameSize(width: geometry.width, height: geometry.height) }
  package var frameCount: Int { geometry.frames }

  /// Reads the image and the chosen frames of the references, resized without keeping their aspect ratio, as published.
  ///
  /// All references give the frames at the indices chosen for the first, as published; one that is too short for them
  /// gets indices of its own.
  package func readInputs(observer: @escaping RunObserver) throws -> GenerationInputs {
    observer(.stage("read image and references", units: 1 + request.references.count))
    let picture = try request.image.map { try VideoReader.readImage(path: $0) }
    observer(.progress(1))
    var generator = RandomGenerator(seed: request.seed, nextStream: 4 << 32)
    var shared: [Int]?
    var references: [GenerationInputs.Reference] = []
    for (index, reference) in request.references.enumerated() {
      let reader = try VideoReader(path: reference.path)
      let available = try reader.frameCount()
      var indices =
        try shared
        ?? request.frameSelection.indices(
          selecting: geometry.frames, of: available, using: &generator)
      if let last = indices.max(), last >= available {
        indices = FrameSelection.evenIndices(selecting: geometry.frames, of: available)
      }
      shared = shared ?? indices
      if available < geometry.frames {
        observer(
          .warning(
            available == 1
              ? "\(reference.path) is a still picture, which shows no motion; were the reference and the image swapped?"
              : "\(reference.path) has \(available) frames for \(geometry.frames); some are shown more than once"))
      }
      references.append(
        GenerationInputs.Reference(
          clip: try reader.readFrames(at: indices, resizedTo: size),
          picture: backbone.readsPictures ? try reader.readFrames(at: [indices[0]]) : nil))
      for warning in reader.warnings { observer(.warning("\(reference.path): \(warning)")) }
      observer(.progress(2 + index))
    }
    return GenerationInputs(
      image: picture?.resized(to: size), picture: backbone.readsPictures ? picture : nil, references: references)
  }

  /// Denoises; with latents given in the request, from them, or not at all if they are denoised already.
  ///
  /// - Parameter given: the transformer, if it is not to be loaded from the directory.
  package func denoise(
    _ inputs: GenerationInputs, by given: Backbone.Denoiser? = nil, observer: @escaping RunObserver
  ) throws -> Tensor {
    let noise = SeededNoise(seed: request.seed)
    let shape = backbone.latentShape(geometry)
    var start: Tensor?
    if let path = request.latents {
      let file = try LatentsFile(path: path, expected: shape)
      if file.isDenoised { return file.latents }
      start = file.latents
    }
    guard let image = inputs.image else { throw GenerationFailure.noImage }
    let prompt = VideoPrompt(
      image: image.pixelTensor(), picture: inputs.picture, caption: request.caption,
      negativeCaption: request.negativeCaption,
      references: zip(request.references, inputs.references).map {
        VideoPrompt.Reference(video: $1.clip.pixelTensor(), picture: $1.picture, caption: $0.caption)
      })
    let conditions = try backbone.encode(prompt, geometry, noise: noise, options, observer: observer)
    let denoiser = try given ?? backbone.loadDenoiser(observer: observer)
    observer(.stage("denoise", units: request.steps))
    let latents = try Sampler(scheduler: scheduler, guidance: guidance).run(
      denoiser, from: start ?? noise.noise(for: .initialLatents, shape: shape), conditions, noise: noise, options
    ) { observer(.progress($0.index + 1)) }
    BufferPool.shared.trim()
    return latents
  }

  /// Decodes latents to frames.
  ///
  /// Decoders work in groups of latent frames; where the last group makes more frames than asked for, the first ones,
  /// which repeat, are left out. The decoder works in tiles, though nothing was known against it when the run began, if
  /// there is too little memory by now.
  ///
  /// - Parameter savedLatents: where the latents are kept, for the message of a failure; nil if nowhere.
  package func decode(_ latents: Tensor, savedLatents: String?, observer: @escaping RunObserver) throws -> VideoClip {
    var options = options
    if let decoding, !options.usesTiles, !fits(decoding) {
      options.usesTiles = true
      observer(.warning("the autoencoder works in tiles, as other work has taken memory since the run began"))
    }
    var pixels: [UInt8] = []
    try backbone.decode(latents, options, observer: observer) { batch in
      guard batch.nonFiniteCount == 0 else { throw GenerationFailure.notFiniteFrames(latents: savedLatents) }
      pixels += VideoClip(pixels: batch, frameRate: request.frameRate).pixels
    }
    let extra = pixels.count / size.byteCount - geometry.frames
    return VideoClip(
      size: size, frameRate: request.frameRate, pixels: Array(pixels.dropFirst(max(0, extra) * size.byteCount)))
  }

  /// Whether there is memory for a stage now, without tiles; the program itself is there already.
  private func fits(_ stage: StageMemory) -> Bool {
    stage.peak(paging: options.context.paging, usesTiles: false) - StageMemory.program <= MachineMemory.available
      && stage.addressSpace(usesTiles: false) <= BufferPool.shared.addressSpaceLeft ?? .max
  }
}
