import Backbones
import Datasets
import Foundation
import Generation
import Media
import Runtime
import Training

/// Generates one clip of the data with the weights as they are, to be looked at beside its reference and its target.
struct TrainValidation<Backbone: TrainableBackbone> {
  private let backbone: Backbone
  private let clips: EncodeJob
  private let pairs: EncodedPairs
  private let settings: TrainSettings
  private let folder: RunFolder
  private let memoryBudget: Int

  /// - Parameter memoryBudget: what the training leaves, in bytes.
  init(
    _ backbone: Backbone, _ clips: EncodeJob, _ pairs: EncodedPairs, _ settings: TrainSettings, _ folder: RunFolder,
    memoryBudget: Int
  ) {
    self.memoryBudget = memoryBudget
    self.backbone = backbone
    self.clips = clips
    self.pairs = pairs
    self.settings = settings
    self.folder = folder
  }

  /// Writes `validation/step-000100.mp4`: references, target and new clip side by side.
  func run(
    step: Int, _ weights: CurrentWeights, observer: @escaping RunObserver
  ) throws -> ValidationRecord? {
    // Always the same pair, so that the clips of a run can be compared; one whose videos can be read.
    let pair = try pairs.pair(at: 0, observer: observer).sample
    let manifest = pairs.sampler.pool.manifest
    let target = manifest[pair.target]
    let targetPath = try clips.file(target.video)
    var request = settings.validationRequest(
      model: backbone.directory, image: targetPath, caption: CaptionRules.target(target.caption), clips.geometry)
    request.references = try pair.references.map { row in
      let reference = manifest[row]
      return .init(path: try clips.file(reference.video), caption: CaptionRules.reference(reference.caption))
    }
    request.memoryBudget = memoryBudget
    return try ValidationClip(backbone: backbone, folder: folder).make(
      request, step: step, weights, observer: observer
    ) { try frames(of: targetPath, $0) }
  }

  private func frames(of path: String, _ size: FrameSize) throws -> VideoClip {
    let reader = try VideoReader(path: path)
    let indices = FrameSelection.evenIndices(selecting: clips.geometry.frames, of: try reader.frameCount())
    return try reader.readFrames(at: indices, resizedTo: size)
  }
}
