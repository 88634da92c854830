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
    other.seed = 7
    let refused = { (difference: String) in EvaluationFailure.otherRun(path: benchmark.videos, difference: difference) }
    #expect(throws: refused("seed: 42 there, 7 here; steps: 2 there, 3 here")) { try run(other) }
    #expect(throws: refused("benchmark table: not the same")) { try run(digest: "e") }
  }

  @Test("settings are compared key by key, whatever their order; a key that is not there says what that means")
  func differences() {
    func difference(_ there: String, _ here: String) -> String? {
      BenchmarkGeneration.Settings.difference(there: Data(there.utf8), here: Data(here.utf8))
    }
    #expect(difference(#"{"steps": 2, "seed": 1}"#, #"{"seed":1,"steps":2}"#) == nil)
    #expect(
      difference(#"{"steps": 2}"#, #"{"references": "none", "steps": 2}"#) == "references: shown there, none here")
    #expect(
      difference(#"{"additions": "a"}"#, #"{"seed": 1}"#)
        == "expert or LoRA: given there, none here; seed: not set there, 1 here")
    #expect(difference(#"{"additions": "a"}"#, #"{"additions": "b"}"#) == "expert or LoRA: not the same")
    #expect(difference("[]", "{}") == "settings.json cannot be read")
  }

  @Test("rows are counted where their stages are not told, and what the user should know comes through")
  func counted() throws {
    try FileManager.default.removeItem(atPath: benchmark.samples[0].referencePath)
    var generation = try BenchmarkGeneration(request, directory: benchmark.videos, frameFilter: nil)
    var events: [RunEvent] = []
    func run() throws -> [Int: String] {
      events = []
      return try generation.run(benchmark.samples, with: backbone, benchmarkDigest: "d") { events.append($0) }
    }
    generation.tellsStages = false
    let failure = try #require(try run()[0])
    #expect(events.contains(.warning("row 0: \(failure)")))
    let places = events.drop { $0 != .stage("make videos", units: 2) }.filter {
      if case .warning = $0 { false } else { true }
    }
    #expect(Array(places) == [.stage("make videos", units: 2), .progress(1), .progress(2)])
    generation.tellsStages = true
    #expect(try run().keys.sorted() == [0])
    #expect(events.contains(.stage("row 0, video 1 of 1", units: 0)))
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
