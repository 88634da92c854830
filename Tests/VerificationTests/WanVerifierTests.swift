import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Verification

/// Every recorded case of the published implementation, and proof that a deviation is caught.
@Suite("Verifier on the Wan goldens")
struct WanVerifierTests {
  static let directory = Fixtures.path("wan-tiny")
  static let names = (try? GoldenSet(directory: directory).cases.map(\.name)) ?? []

  @Test("the set has all kinds of cases")
  func setIsComplete() {
    #expect(
      Self.names == [
        "tokenizer", "umt5", "clip", "vae", "transformer", "rope", "schedulers", "pipeline_unipc", "pipeline_euler",
        "selections", "training",
      ])
  }

  @Test("each case passes within the tolerances of the set", arguments: names)
  func casePasses(name: String) throws {
    let verifier = try Verifier(directory: Self.directory)
    let result = verifier.verdict(on: try GoldenSet(directory: Self.directory).golden(name))
    #expect(result.verdict == .passed, "\(result.line)")
  }

  @Test(
    "float32 results are an order of magnitude closer than the tolerance asks",
    arguments: [
      "umt5", "clip", "vae", "transformer", "pipeline_unipc",
    ])
  func resultsAreClose(name: String) throws {
    let verifier = try Verifier(directory: Self.directory)
    let result = verifier.verdict(on: try GoldenSet(directory: Self.directory).golden(name))
    let strict = result.comparison.figures.filter { ($0.tolerance.norm ?? 1) <= 1e-3 }
    #expect(!strict.isEmpty)
    #expect(strict.allSatisfy { $0.maxRelative < 1e-5 }, "\(result.line)")
    #expect(result.comparison.comparedValues > 1000)
  }

  @Test(
    "a changed weight makes a case fail, and the first tensor that deviates is named",
    arguments: [
      (
        "transformer", "diffusion_pytorch_model-00003-of-00004.safetensors", "attn2_mot_ref.add_v_proj.weight",
        "transformer", "block2."
      ),
      (
        "vae", "diffusion_pytorch_model.safetensors", "decoder.up_blocks.0.upsamplers.0.time_conv.weight", "vae",
        "decode"
      ),
    ])
  func deviationIsNamed(component: String, file: String, key: String, name: String, place: String) throws {
    let temporary = try TemporaryDirectory()
    let copy = temporary.file("set")
    try FileManager.default.copyItem(atPath: Self.directory, toPath: copy)
    let path = "\(copy)/checkpoint/\(component)/\(file)"
    let reader = try SafetensorsReader(path: path)
    let changed = try #require(reader.names.first { $0.hasSuffix(key) })
    let tensors = try reader.names.map { name in
      let tensor = try reader.tensor(named: name).dense()
      return (name: name, tensor: name == changed ? tensor.scaled(by: 1.02) : tensor)
    }
    try SafetensorsWriter.write(tensors, to: path)
    let verifier = try Verifier(directory: copy)
    let result = verifier.verdict(on: try GoldenSet(directory: copy).golden(name))
    guard case .failed(let why) = result.verdict else {
      Issue.record("the case passed: \(result.line)")
      return
    }
    #expect(why.contains(place), "\(why)")
  }
}
