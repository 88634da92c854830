import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Verification

/// A part of the recorded evaluation: its larger networks and videos are left out for their size.
@Suite("Verifier on the evaluation goldens")
struct EvaluationSetTests {
  static let directory = Fixtures.path("evaluation")
  static let names = (try? GoldenSet(directory: directory).cases.map(\.name)) ?? []

  @Test("the set has its metrics, and the cases that only their files show")
  func setIsComplete() throws {
    #expect(
      Set(Self.names) == [
        "clip_score", "motion_smoothness", "logic", "tokenizer", "loader", "network_amt", "network_clip_b32",
        "network_raft", "preprocess",
      ])
    #expect(try GoldenSet(directory: Self.directory).isEvaluation)
  }

  @Test("each case passes within the tolerances of the set", arguments: names)
  func casePasses(name: String) throws {
    let verifier = try Verifier(directory: Self.directory)
    let result = verifier.verdict(on: try GoldenSet(directory: Self.directory).golden(name))
    #expect(result.verdict == .passed, "\(result.line)")
  }

  @Test("a changed weight makes the network's case and its metric fail")
  func deviationIsFound() throws {
    let temporary = try TemporaryDirectory()
    let copy = temporary.file("set")
    try FileManager.default.copyItem(atPath: Self.directory, toPath: copy)
    let reader = try SafetensorsReader(path: "\(copy)/amt_s.safetensors")
    let tensors = try reader.names.map { name in
      let tensor = try reader.tensor(named: name).dense()
      return (name: name, tensor: name == "update4.convc1.weight" ? tensor.scaled(by: 1.05) : tensor)
    }
    try SafetensorsWriter.write(tensors, to: reader.path)
    let verifier = try Verifier(directory: copy)
    for name in ["network_amt", "motion_smoothness"] {
      let result = verifier.verdict(on: try GoldenSet(directory: copy).golden(name))
      guard case .failed = result.verdict else {
        Issue.record("the case passed: \(result.line)")
        continue
      }
    }
  }
}
