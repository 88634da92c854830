import Compute
import Layers
import Runtime
import Schedulers
import Tensors
import VideoTransformers

/// Size of a clip in pixels and frames.
package struct ClipGeometry: Sendable, Equatable, CustomStringConvertible {
  package let height: Int
  package let width: Int
  package let frames: Int

  package init(height: Int, width: Int, frames: Int) {
    self.height = height
    self.width = width
    self.frames = frames
  }

  package var description: String { "\(width)x\(height), \(frames) frames" }
}

/// How the stages of a backbone are run.
package struct BackboneOptions: Sendable {
  /// Paging of weights, and hooks.
  package var context: RunContext
  /// Whether the autoencoder works in spatial tiles: less memory, slightly other values.
  package var usesTiles: Bool
  /// Whether predictions come in pairs, without and with the captions, for classifier-free guidance.
  package var isGuided: Bool
  /// Faults of published training that clips are encoded with; generation has none.
  package var faults: PublishedFaults

  package init(
    context: RunContext = RunContext(), usesTiles: Bool = false, isGuided: Bool = true, faults: PublishedFaults = []
  ) {
    self.context = context
    self.usesTiles = usesTiles
    self.isGuided = isGuided
    self.faults = faults
  }
}

/// A Video-As-Prompt system assembled from a published checkpoint directory: what generation and training share.
///
/// Each stage loads the component it needs and lets go of it at its end, so that text encoder, autoencoder and
/// transformer are never in memory together.
package protocol VideoPromptBackbone: Sendable {
  associatedtype Configuration: MixtureConfiguration
  associatedtype Conditions: Sendable
  associatedtype Denoiser: VideoPromptDenoiser where Denoiser.Conditions == Conditions

  /// Where the published pipeline lies.
  var directory: String { get }
  /// What is added to its transformer.
  var additions: TransformerAdditions { get }
  /// The transformer's configuration, with what the additions change of it.
  var transformer: Configuration { get }
  /// The sampling method that the checkpoint names.
  var scheduler: SchedulerConfiguration { get }
  /// The size of the clips that the model was made for.
  var naturalGeometry: ClipGeometry { get }
  /// The scale of guidance that the model was published with.
  var naturalGuidance: Double { get }
  /// Whether the model also looks at the image, and at the references' first frames, at their own size.
  var readsPictures: Bool { get }
  /// Opens every component and holds its weights against its configuration; throws if any do not fit.
  func components() throws -> [ComponentSummary]
  /// Throws `BackboneFailure` if the model cannot make clips of this size from this many references.
  func check(_ geometry: ClipGeometry, referenceCount: Int) throws(BackboneFailure)
  /// Shape of the latents of a clip.
  func latentShape(_ geometry: ClipGeometry) -> Shape
  /// Estimated memory of each stage of a generation, in bytes.
  func memoryNeeds(_ geometry: ClipGeometry, referenceCount: Int, isGuided: Bool) throws -> [StageMemory]
  /// Encodes captions, image and references into what the denoiser takes.
  func encode(
    _ prompt: VideoPrompt, _ geometry: ClipGeometry, noise: some NoiseSource, _ options: BackboneOptions,
    observer: @escaping RunObserver
  ) throws -> Conditions
  /// Builds the transformer from its parameters.
  func makeDenoiser(in scope: ParameterScope) -> Denoiser
  /// Whether published files of the transformer carry this key without use.
  func isUnusedKey(_ key: String) -> Bool
  /// Decodes latents batch by batch of frames, each `[1, 3, f, H, W]`, nominally in -1...1.
  func decode(
    _ latents: Tensor, _ options: BackboneOptions, observer: @escaping RunObserver, frames: (Tensor) throws -> Void
  ) throws
}

extension VideoPromptBackbone {
  /// Whether the model reads reference videos.
  package var hasExpert: Bool { transformer.readsReferences }
  package func isUnusedKey(_ key: String) -> Bool { false }
}

/// The transformer, ready to predict.
package protocol VideoPromptDenoiser: Sendable {
  associatedtype Conditions: Sendable

  /// The model's predictions for `latents` (one sample) at a scheduler's timestep, and for the references where it makes
  /// them.
  ///
  /// - Parameter referenceTimesteps: of noised references, one each; nil for clean ones.
  /// - Returns: with guidance batches of two, without captions first; else batches of one. Both halves go through each
  ///   block together, so its weights are read once.
  func predictAll(
    _ latents: Tensor, timestep: Double, referenceTimesteps: [Float]?, _ conditions: Conditions,
    _ options: BackboneOptions
  ) throws -> (target: Tensor, references: Tensor?)
}

extension VideoPromptDenoiser {
  /// The prediction for the target alone, beside clean references.
  package func predict(
    _ latents: Tensor, timestep: Double, _ conditions: Conditions, _ options: BackboneOptions
  ) throws -> Tensor {
    try predictAll(latents, timestep: timestep, referenceTimesteps: nil, conditions, options).target
  }
}

/// A request that a model cannot fulfil.
package enum BackboneFailure: Failure, Equatable {
  case size(ClipGeometry, multiple: Int)
  case fixedSize(ClipGeometry, height: Int, width: Int)
  case frames(Int, multiple: Int)
  case positions(ClipGeometry, limit: Int)
  case references(Int, limit: Int)
  /// A picture whose longer side is more than `limit` times the shorter one.
  case picture(width: Int, height: Int, limit: Int)
  case noExpert(path: String)
  case unsupportedPipeline(path: String, name: String)
  case component(path: String, problem: String)
  /// A folder that a pipeline cannot be written to.
  case output(path: String, problem: String)

  package var category: FailureCategory {
    switch self {
    case .size, .fixedSize, .frames, .positions, .references, .output: .usage
    case .picture, .noExpert, .unsupportedPipeline, .component: .badInput
    }
  }

  package var message: String {
    switch self {
    case .size(let geometry, let multiple):
      "height and width must be positive multiples of \(multiple), not \(geometry.height) and \(geometry.width)"
    case .fixedSize(let geometry, let height, let width):
      "this model has a learned position table for \(width)x\(height) pixels and cannot make \(geometry.width)x"
        + "\(geometry.height); use height \(height) and width \(width)"
    case .frames(let frames, let multiple):
      "the number of frames must be \(multiple)k + 1, for example \(max(0, frames - 1) / multiple * multiple + 1), not \(frames)"
    case .positions(let geometry, let limit):
      "\(geometry) are more than the \(limit) positions that this model knows in time or along a side; lower frames, height "
        + "or width"
    case .references(let count, let limit):
      "\(count) reference videos are too many; the model takes at most \(limit)"
    case .picture(let width, let height, let limit):
      "a picture of \(width)x\(height) is too long for the image encoder; its longer side may be \(limit) times the "
        + "shorter one"
    case .noExpert(let path):
      "\(path): this model has no expert blocks ('block_idx_with_mot_ref' in config.json), so it cannot read reference "
        + "videos; leave the references out (`vap eval`: --no-references) or use a Video-As-Prompt checkpoint"
    case .unsupportedPipeline(let path, let name):
      "\(path): pipelines of class '\(printable(name))' are not supported; this program runs "
        + BackboneKind.pipelineNames
    case .component(let path, let problem): "\(path): \(problem)"
    case .output(let path, let problem): "\(printable(path, limit: 1024)): \(problem)"
    }
  }
}
