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

@Suite("Generator", .serialized)
struct GeneratorTests {
  private static let checkpoint = Fixtures.path("cogvideox-tiny/checkpoint")

  /// A clip of a bright square moving over a gradient.
  private static func clip(width: Int = 64, height: Int = 48, frames: Int) -> VideoClip {
    var pixels: [UInt8] = []
    for frame in 0..<frames {
      for y in 0..<height {
        for x in 0..<width {
          let isInside = (x - 2 * frame - 8).magnitude < 8 && (y - height / 2).magnitude < 8
          pixels += isInside ? [250, 240, 40] : [UInt8(x * 255 / width), UInt8(y * 255 / height), 90]
        }
      }
    }
    return VideoClip(
      size: FrameSize(width: width, height: height), frameRate: .training, pixels: pixels)
  }

  private struct Scene {
    let directory: TemporaryDirectory
    var request: GenerationRequest

    init(references: Int = 1) throws {
      directory = try TemporaryDirectory()
      let image = directory.file("image.png")
      try VideoWriter.write(GeneratorTests.clip(width: 50, height: 70, frames: 1), to: image)
      request = GenerationRequest(model: GeneratorTests.checkpoint, image: image, caption: "A square moves.")
      for index in 0..<references {
        let path = directory.file("reference\(index).mkv")
        try VideoWriter.write(GeneratorTests.clip(frames: 14 - 3 * index), to: path)
        request.references.append(.init(path: path, caption: "A bright square \(index)."))
      }
      request.steps = 3
    }

    func generator() throws -> Generator<CogVideoXBackbone> {
      try Generator(CogVideoXBackbone(directory: request.model), request, observer: { _ in })
    }

    func run() throws -> (latents: Tensor, clip: VideoClip) {
      let generator = try generator()
      let latents = try generator.denoise(generator.readInputs(observer: { _ in }), observer: { _ in })
      return (latents, try generator.decode(latents, savedLatents: "-", observer: { _ in }))
    }
  }

  @Test("a generation has the requested size, frames and rate", arguments: 0...3)
  func shape(references: Int) throws {
    let result = try Scene(references: references).run()
    #expect(result.clip.size == FrameSize(width: 64, height: 48))
    #expect(result.clip.frameCount == 9)
    #expect(result.latents.shape == [1, 3, 16, 6, 8])
  }

  @Test("the same seed gives the same bytes on one thread and on two; another seed does not")
  func determinism() throws {
    let threads = Workers.threadCount
    defer { Workers.threadCount = threads }
    var scene = try Scene()
    Workers.threadCount = 1
    let one = try scene.run()
    Workers.threadCount = 2
    let two = try scene.run()
    #expect(one.latents.floats() == two.latents.floats())
    #expect(one.clip == two.clip)
    scene.request.seed = 43
    #expect(try scene.run().clip != one.clip)
  }

  @Test("paged weights and tiles within a small budget give a video too; no budget at all is refused before work")
  func budget() throws {
    var scene = try Scene()
    let whole = try scene.run().latents.floats()
    let needs = try CogVideoXBackbone(directory: Self.checkpoint).memoryNeeds(
      ClipGeometry(height: 48, width: 64, frames: 9), referenceCount: 1, isGuided: true)
    scene.request.memoryBudget = needs.map { $0.peak(paging: .release, usesTiles: false) }.max()
    #expect(try scene.run().latents.floats() == whole)
    scene.request.memoryBudget = 1000
    #expect(throws: GenerationFailure.self) { try scene.generator() }
  }

  @Test("frame counts whose last group decodes to more frames are cut to what was asked", arguments: [1, 5, 13])
  func frameCounts(frames: Int) throws {
    var scene = try Scene()
    scene.request.frames = frames
    #expect(try scene.run().clip.frameCount == frames)
  }

  @Test("without guidance only the conditional half is computed, and the result differs")
  func guidance() throws {
    var scene = try Scene()
    let guided = try scene.run().latents.floats()
    scene.request.guidance = .constant(1)
    let plain = try scene.run().latents.floats()
    #expect(plain != guided)
    // With scale 1 the pair's combination is the conditional half.
    scene.request.guidance = .constant(1 + 1e-9)
    let pair = try scene.run().latents
    expectClose(pair, Tensor(plain, shape: pair.shape), absolute: 1e-4, "latents")
  }

  @Test("denoised latents from a file are decoded without image, references or transformer")
  func savedLatents() throws {
    var scene = try Scene()
    let first = try scene.run()
    let path = scene.directory.file("latents.safetensors")
    try LatentsFile.write(denoised: first.latents, metadata: [:], to: path)
    scene.request.latents = path
    scene.request.image = nil
    scene.request.references = []
    #expect(try scene.run().clip == first.clip)
  }

  @Test("latents of another shape are refused, and noise from a file is the start")
  func latentsFromFile() throws {
    var scene = try Scene()
    let path = scene.directory.file("noise.safetensors")
    let shape: Shape = [1, 3, 16, 6, 8]
    let noise = SeededNoise(seed: scene.request.seed).noise(for: .initialLatents, shape: shape)
    try LatentsFile.write(initial: noise, to: path)
    let usual = try scene.run().latents.floats()
    scene.request.latents = path
    #expect(try scene.run().latents.floats() == usual)
    scene.request.frames = 5
    #expect(throws: GenerationFailure.latentsShape(path: path, found: shape, expected: [1, 2, 16, 6, 8])) {
      try scene.run()
    }
  }

  @Test("R02: latents from a file that are not numbers are refused with the file's name")
  func notFiniteFile() throws {
    var scene = try Scene()
    let path = scene.directory.file("nan.safetensors")
    try LatentsFile.write(initial: .filled([1, 3, 16, 6, 8], with: .nan), to: path)
    scene.request.latents = path
    #expect(throws: GenerationFailure.notFiniteLatents(path: path)) { try scene.run() }
  }

  /// Predicts zeros until a timestep below 500, then NaN.
  private struct FailingDenoiser: VideoPromptDenoiser {
    func predictAll(
      _ latents: Tensor, timestep: Double, referenceTimesteps: [Float]?, _: Int, _ options: BackboneOptions
    ) throws -> (target: Tensor, references: Tensor?) {
      let output = Tensor.filled(latents.shape, with: timestep < 500 ? .nan : 0)
      options.context.probe("block_7.hidden_states", output)
      return (output, nil)
    }
  }

  @Test("R02: a prediction that is not numbers stops the run with the step and the first tensor that shows it")
  func notFinite() throws {
    let scheduler = try CogVideoXBackbone(directory: Self.checkpoint).scheduler.scheduler(steps: 4)
    let sampler = Sampler(scheduler: scheduler, guidance: .constant(1))
    #expect(throws: GenerationFailure.notFinite(step: 3, of: 4, place: "block_7.hidden_states")) {
      try sampler.run(
        FailingDenoiser(), from: .zeros([1, 1, 2, 2, 2]), 0, noise: SeededNoise(seed: 1),
        BackboneOptions(isGuided: false), onStep: { _ in })
    }
  }

  @Test("without an image there is a message, and an unknown method for the schedule is refused")
  func missingParts() throws {
    var scene = try Scene()
    scene.request.image = nil
    #expect(throws: GenerationFailure.noImage) { try scene.run() }
    scene.request.scheduler = .euler
    #expect(throws: GenerationFailure.self) { try scene.generator() }
  }
}
