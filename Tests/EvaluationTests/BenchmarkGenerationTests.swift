import Backbones
import Foundation
import Generation
import Media
import Runtime
import TestSupport
import Testing

@testable import Evaluation

@Suite("Making a benchmark's videos")
struct BenchmarkGenerationTests {
  private let benchmark: SampleBenchmark
  private let backbone: CogVideoXBackbone
  private var request: GenerationRequest

  init() throws {
    benchmark = try SampleBenchmark(rows: 2, finished: [])
    let model = Fixtures.path("cogvideox-tiny/checkpoint")
    backbone = try CogVideoXBackbone(directory: model)
    request = GenerationRequest(model: model, image: nil, caption: "")
    request.steps = 2
  }

  private func run(_ request: GenerationRequest? = nil, digest: String = "d") throws -> [Int: String] {
    try BenchmarkGeneration(request ?? self.request, directory: benchmark.videos, frameFilter: nil)
      .run(benchmark.samples, with: backbone, benchmarkDigest: digest, observer: { _ in })
  }

  private func bytes(_ row: Int) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: "\(benchmark.videos)/\(BenchmarkGeneration.fileName(row: row))"))
  }

  @Test("C17: what is missing is made with the seed of its row, and gives the same bytes whenever it is made")
  func resumes() throws {
    #expect(try run().isEmpty)
    let (first, second) = (try bytes(0), try bytes(1))
    #expect(first != second)
    try FileManager.default.removeItem(atPath: "\(benchmark.videos)/\(BenchmarkGeneration.fileName(row: 1))")
    #expect(try run().isEmpty)
    #expect(try bytes(0) == first && bytes(1) == second)
    // Denoised latents do not stay once the video is there.
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(benchmark.videos)/latents").isEmpty)
    let clip = try ClipSource(directory: benchmark.videos).read(
      "\(benchmark.videos)/vap_bench_0.mp4", observer: { _ in })
    #expect(clip.frameCount == 9 && clip.size == FrameSize(width: 64, height: 48))
  }

  @Test("C08: videos of other settings are not mixed with these")
  func otherSettings() throws {
    #expect(try run().isEmpty)
    var other = request
    other.steps = 3
    #expect(throws: EvaluationFailure.self) { try run(other) }
    #expect(throws: EvaluationFailure.self) { try run(digest: "e") }
  }

  @Test("a row whose files are missing is named and the others are made; settings no row allows end the run")
  func failures() throws {
    try FileManager.default.removeItem(atPath: benchmark.samples[0].referencePath)
    let failures = try run()
    #expect(failures.keys.sorted() == [0] && failures[0]?.contains("reference-0") == true)
    #expect(try !bytes(1).isEmpty)
    var odd = request
    odd.frames = 6
    try FileManager.default.removeItem(atPath: benchmark.videos)
    #expect(throws: BackboneFailure.self) { try run(odd) }
  }
}
