import Foundation
import Runtime
import TestSupport
import Testing

@testable import Backbones

/// What is refused alike for both families.
@Suite("Backbone kinds")
final class BackboneKindTests {
  /// Copies of checkpoints live as long as the test.
  private var kept: [TemporaryDirectory] = []

  private func checkpoint(_ kind: BackboneKind) -> String {
    switch kind {
    case .cogVideoX: Fixtures.path("cogvideox-tiny/checkpoint")
    case .wan: Fixtures.path("wan-tiny/checkpoint")
    }
  }

  private func other(_ kind: BackboneKind) -> BackboneKind { kind == .wan ? .cogVideoX : .wan }

  private func copy(_ kind: BackboneKind) throws -> String {
    let temporary = try TemporaryDirectory()
    let path = temporary.file("model")
    try FileManager.default.copyItem(atPath: checkpoint(kind), toPath: path)
    kept.append(temporary)
    return path
  }

  private func replace(_ file: String, in path: String, from kind: BackboneKind) throws {
    try FileManager.default.removeItem(atPath: "\(path)/\(file)")
    try FileManager.default.copyItem(atPath: "\(checkpoint(kind))/\(file)", toPath: "\(path)/\(file)")
  }

  private func change(_ file: String, _ changes: [String: Any]) throws {
    let url = URL(fileURLWithPath: file)
    var fields = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    fields.merge(changes) { $1 }
    try JSONSerialization.data(withJSONObject: fields).write(to: url)
  }

  private func failure(_ body: () throws -> Void) -> (any Failure)? {
    do {
      try body()
      return nil
    } catch {
      return error as? any Failure
    }
  }

  private func load(_ path: String) throws { try load(BackboneKind(directory: path).open(directory: path)) }

  private func load(_ backbone: some VideoPromptBackbone) throws { _ = try backbone.loadDenoiser(observer: { _ in }) }

  @Test(
    "the family is told by the pipeline, and by the transformer where there is no index",
    arguments: BackboneKind.allCases)
  func family(kind: BackboneKind) throws {
    #expect(try BackboneKind(directory: checkpoint(kind)) == kind)
    let path = try copy(kind)
    try FileManager.default.removeItem(atPath: "\(path)/model_index.json")
    #expect(try BackboneKind(directory: path) == kind)
    try load(path)
  }

  @Test("M07: a transformer of the other family is refused before anything is loaded", arguments: BackboneKind.allCases)
  func foreignTransformer(kind: BackboneKind) throws {
    let path = try copy(kind)
    try replace("transformer", in: path, from: other(kind))
    let failure = try #require(failure { _ = try BackboneKind(directory: path) })
    #expect(failure.category == .badInput)
    #expect(failure.message.contains("transformer/config.json"))
    #expect(failure.message.contains("\(other(kind).rawValue) model"))
    #expect(failure.message.contains("\(kind.rawValue) pipeline"))
  }

  @Test("M07: weights of the other family under the right configuration do not load", arguments: BackboneKind.allCases)
  func foreignWeights(kind: BackboneKind) throws {
    let path = try copy(kind)
    let configuration = try Data(contentsOf: URL(fileURLWithPath: "\(path)/transformer/config.json"))
    try replace("transformer", in: path, from: other(kind))
    try configuration.write(to: URL(fileURLWithPath: "\(path)/transformer/config.json"))
    let failure = try #require(failure { try load(path) })
    #expect(failure.category == .badInput)
    #expect(failure.message.contains("missing tensors"))
    #expect(failure.message.contains("unexpected tensors"))
  }

  @Test(
    "M07: other components of the other family are refused too", arguments: BackboneKind.allCases, ["vae", "scheduler"])
  func foreignComponent(kind: BackboneKind, component: String) throws {
    let path = try copy(kind)
    try replace(component, in: path, from: other(kind))
    let failure = try #require(
      failure {
        _ = try BackboneKind(directory: path).open(directory: path).components()
      })
    #expect(failure.category == .badInput)
    #expect(failure.message.contains(component))
  }

  @Test("M08: a base model refuses references", arguments: BackboneKind.allCases)
  func base(kind: BackboneKind) throws {
    let path = try copy(kind)
    try change("\(path)/transformer/config.json", ["block_idx_with_mot_ref": [] as [Int]])
    let backbone = try kind.open(directory: path)
    #expect(!backbone.hasExpert)
    #expect(throws: BackboneFailure.noExpert(path: path)) {
      try backbone.check(backbone.naturalGeometry, referenceCount: 1)
    }
    try backbone.check(backbone.naturalGeometry, referenceCount: 0)
  }

  @Test("M08: an expert whose weights are missing does not load", arguments: BackboneKind.allCases)
  func expertWithoutWeights(kind: BackboneKind) throws {
    let path = try copy(kind)
    try change("\(path)/transformer/config.json", ["block_idx_with_mot_ref": kind == .wan ? [0, 1, 2, 4] : [0, 1, 2]])
    let failure = try #require(failure { try load(path) })
    #expect(failure.category == .badInput)
    #expect(
      failure.message.contains(
        kind == .wan ? "blocks.1.scale_shift_table_mot_ref" : "transformer_blocks.2.norm1_mot_ref"))
  }

  @Test(
    "paged, a component needs its largest pair of segments and what belongs to none; whole, all of it",
    arguments: BackboneKind.allCases)
  func pagedWeights(kind: BackboneKind) throws {
    let backbone = try kind.open(directory: checkpoint(kind))
    let stages = try backbone.memoryNeeds(backbone.naturalGeometry, referenceCount: 1, isGuided: true)
    let denoise = try #require(stages.first { $0.name == "denoise" })
    #expect(denoise.window < denoise.weights)
    #expect(denoise.window > denoise.weights / 4)
    let decode = try #require(stages.first { $0.name == "decode video" })
    #expect(decode.window == decode.weights)
    let text = try #require(stages.first { $0.name == "encode text" })
    #expect(text.window < text.weights)
  }
}
