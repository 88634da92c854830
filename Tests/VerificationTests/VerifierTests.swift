import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Verification

/// Every recorded case of the published implementation, and proof that a deviation is caught.
@Suite("Verifier on the CogVideoX goldens")
struct VerifierTests {
  static let directory = Fixtures.path("cogvideox-tiny")
  static let names = (try? GoldenSet(directory: directory).cases.map(\.name)) ?? []

  @Test("the set has all kinds of cases")
  func setIsComplete() {
    #expect(Self.names.count == 23)
    #expect(Self.names.contains("pipeline_dpm_static"))
  }

  @Test("each case passes within the tolerances of the set", arguments: names)
  func casePasses(name: String) throws {
    let verifier = try Verifier(directory: Self.directory)
    let result = verifier.verdict(on: try GoldenSet(directory: Self.directory).golden(name))
    #expect(result.verdict == .passed, "\(result.line)")
  }

  @Test(
    "the transformer is an order of magnitude closer than the tolerance asks",
    arguments: [
      "transformer_1ref", "transformer_2ref", "transformer_3ref", "transformer_base",
    ])
  func transformerIsClose(name: String) throws {
    let verifier = try Verifier(directory: Self.directory)
    let result = verifier.verdict(on: try GoldenSet(directory: Self.directory).golden(name))
    #expect(result.comparison.maxRelative < 1e-5)
    #expect(result.comparison.comparedValues > 1000)
  }

  @Test("a changed weight makes a case fail, and the first block that deviates is named")
  func deviationIsNamed() throws {
    let temporary = try TemporaryDirectory()
    let copy = temporary.file("set")
    try FileManager.default.copyItem(atPath: Self.directory, toPath: copy)
    let path = "\(copy)/checkpoint/transformer/diffusion_pytorch_model.safetensors"
    let reader = try SafetensorsReader(path: path)
    let tensors = try reader.names.map { name in
      let tensor = try reader.tensor(named: name).dense()
      let isChanged = name == "transformer_blocks.1.attn1_mot_ref.to_v.weight"
      return (name: name, tensor: isChanged ? tensor.scaled(by: 1.01) : tensor)
    }
    try SafetensorsWriter.write(tensors, to: path)
    let verifier = try Verifier(directory: copy)
    let result = verifier.verdict(on: try GoldenSet(directory: copy).golden("transformer_1ref"))
    guard case .failed(let why) = result.verdict else {
      Issue.record("the case passed: \(result.line)")
      return
    }
    #expect(why.contains("block_1."))
  }

  @Test("a directory without cases.json, and one whose file is not of the form, are refused")
  func formIsChecked() throws {
    let temporary = try TemporaryDirectory()
    #expect(throws: (any Error).self) { try Verifier(directory: temporary.file("none")) }
    try Data("{\"cases\": {}}".utf8).write(to: URL(fileURLWithPath: temporary.file("cases.json")))
    #expect(throws: GoldenFailure.self) {
      try GoldenSet(directory: URL(fileURLWithPath: temporary.file("cases.json")).deletingLastPathComponent().path)
    }
  }
}

@Suite("Comparison")
struct ComparisonTests {
  @Test("values within absolute + relative tolerance pass, others fail with place and values")
  func toleranceIsApplied() {
    var comparison = Comparison()
    comparison.compare("a", [1.0, 100.0], [1.05, 101], Tolerance(absolute: 0.1, relative: 0.01))
    #expect(comparison.passed)
    comparison.compare("b", [1.0, 5.0], [1.0, 5.2], Tolerance(absolute: 0.1))
    #expect(!comparison.passed)
    #expect(comparison.firstFault == "b [1] is 5.0, recorded 5.2")
  }

  @Test("NaN is never close, equal infinities are")
  func specialValues() {
    var comparison = Comparison()
    comparison.compare("inf", [.infinity], [.infinity], .exact)
    #expect(comparison.passed)
    comparison.compare("nan", [.nan], [.nan], Tolerance(absolute: 1e9))
    #expect(!comparison.passed)
  }

  @Test("a comparison of nothing does not pass")
  func emptyFails() { #expect(!Comparison().passed) }

  @Test("shapes must agree")
  func shapesAgree() {
    var comparison = Comparison()
    comparison.compare("t", .zeros([2]), .zeros([2, 1]), .exact)
    #expect(comparison.firstFault == "t has shape [2], recorded [2, 1]")
  }
}
