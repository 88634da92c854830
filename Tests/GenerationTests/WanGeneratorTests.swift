import Backbones
import Compute
import Foundation
import Media
import Runtime
import Schedulers
import Tensors
import TestSupport
import Testing

@testable import Generation

@Suite("Generator with Wan", .serialized)
struct WanGeneratorTests {
  private let directory: TemporaryDirectory
  private let image: String
  private let reference: String

  init() throws {
    directory = try TemporaryDirectory()
    image = directory.file("image.png")
    reference = directory.file("reference.mkv")
    func clip(_ frames: Int, _ size: FrameSize) -> VideoClip {
      VideoClip(
        size: size, frameRate: .training,
        pixels: (0..<frames * size.byteCount).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 501) })
    }
    try VideoWriter.write(clip(1, FrameSize(width: 70, height: 50)), to: image)
    try VideoWriter.write(clip(12, FrameSize(width: 60, height: 44)), to: reference)
  }

  private func request(references: Int = 1) -> GenerationRequest {
    var request = GenerationRequest(
      model: Fixtures.path("wan-tiny/checkpoint"), image: image, caption: "A square moves.")
    request.references = (0..<references).map { .init(path: reference, caption: "A square \($0).") }
    (request.height, request.width, request.frames, request.steps) = (32, 48, 9, 3)
    return request
  }

  private func run(_ request: GenerationRequest) throws -> (latents: Tensor, clip: VideoClip) {
    let generator = try Generator(WanBackbone(directory: request.model), request, observer: { _ in })
    let latents = try generator.denoise(generator.readInputs(observer: { _ in }), observer: { _ in })
    return (latents, try generator.decode(latents, savedLatents: "-", observer: { _ in }))
  }

  @Test("a generation has the requested size and frames, from no reference up to three", arguments: 0...3)
  func shape(references: Int) throws {
    let result = try run(request(references: references))
    #expect(result.clip.size == FrameSize(width: 48, height: 32))
    #expect(result.clip.frameCount == 9)
    #expect(result.latents.shape == [1, 16, 3, 4, 6])
  }

  @Test("unless it is given, guidance has the scale that the model was published with")
  func naturalGuidance() throws {
    var request = request()
    let natural = try Generator(WanBackbone(directory: request.model), request, observer: { _ in })
    #expect(natural.guidance == .constant(5))
    request.guidance = .constant(1)
    #expect(try Generator(WanBackbone(directory: request.model), request, observer: { _ in }).guidance == .constant(1))
  }

  @Test("the image and the references' first frames are read at their own size too")
  func pictures() throws {
    let request = request(references: 2)
    let inputs = try Generator(WanBackbone(directory: request.model), request, observer: { _ in })
      .readInputs(observer: { _ in })
    #expect(inputs.image?.size == FrameSize(width: 48, height: 32))
    #expect(inputs.picture?.size == FrameSize(width: 70, height: 50))
    #expect(
      inputs.references.map(\.picture?.size) == [FrameSize(width: 60, height: 44), FrameSize(width: 60, height: 44)])
    #expect(inputs.references.map(\.picture?.frameCount) == [1, 1])
  }

  @Test("the same seed gives the same bytes on any number of threads; every sampling method gives others")
  func determinism() throws {
    var request = request()
    let one = try withThreads(1) { try run(request) }
    let two = try withThreads(2) { try run(request) }
    #expect(one.latents.floats() == two.latents.floats())
    #expect(one.clip == two.clip)
    request.scheduler = .euler
    #expect(try run(request).latents.floats() != one.latents.floats())
    request.scheduler = .ddim
    #expect(throws: GenerationFailure.self) { try run(request) }
  }

  @Test("paged weights give the same latents, and no budget at all is refused before work")
  func budget() throws {
    var request = request()
    let whole = try run(request).latents.floats()
    let needs = try WanBackbone(directory: request.model).memoryNeeds(
      ClipGeometry(height: 32, width: 48, frames: 9), referenceCount: 1, isGuided: true)
    request.memoryBudget = needs.map { $0.peak(paging: .release, usesTiles: false) }.max()
    #expect(try run(request).latents.floats() == whole)
    request.memoryBudget = 1000
    #expect(throws: GenerationFailure.self) { try run(request) }
  }

  @Test("R05: where memory has become short since the run began, the decoder works in tiles after all")
  func tilesInTheEnd() async {
    await #expect(processExitsWith: .success) {
      // Each thread would need a buffer of OpenBLAS's.
      Workers.threadCount = 1
      let backbone = try WanBackbone(directory: Fixtures.path("wan-tiny/checkpoint"))
      let geometry = ClipGeometry(height: 256, width: 512, frames: 5)
      var request = GenerationRequest(model: backbone.directory, image: nil, caption: "")
      (request.height, request.width, request.frames) = (geometry.height, geometry.width, geometry.frames)
      var warnings: [String] = []
      func note(_ event: RunEvent) { if case .warning(let text) = event { warnings.append(text) } }
      let generator = try Generator(backbone, request, observer: note)
      let stage = try #require(backbone.memoryNeeds(geometry, referenceCount: 0, isGuided: true).last)
      #expect(warnings.isEmpty && stage.addressSpace(usesTiles: true) < stage.addressSpace(usesTiles: false))
      try limitAddressSpace(
        growingBy: (stage.addressSpace(usesTiles: true) + stage.addressSpace(usesTiles: false)) / 2)
      let latents = Tensor.zeros(backbone.latentShape(geometry))
      let clip = try generator.decode(latents, savedLatents: "-", observer: note)
      #expect(clip.frameCount == 5 && warnings.contains { $0.contains("works in tiles") })
    }
  }
}
