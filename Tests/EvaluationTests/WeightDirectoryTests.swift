import Checkpoints
import Foundation
import Runtime
import TestSupport
import Testing

@testable import Evaluation

@Suite("Weights of the metrics")
struct WeightDirectoryTests {
  private let directory: TemporaryDirectory
  private let weights: WeightDirectory

  init() throws {
    directory = try TemporaryDirectory()
    weights = try WeightDirectory(path: directory.path)
  }

  private func copy(_ fixture: String, as name: String) throws {
    try FileManager.default.copyItem(
      atPath: Fixtures.path("evaluation/\(fixture)"), toPath: directory.file(name))
  }

  @Test("an empty directory has none of the files, and a directory that is not there is refused")
  func absent() throws {
    for published in PublishedWeights.allCases { #expect(try weights.check(published) == .absent) }
    #expect(throws: FileFailure.self) { try WeightDirectory(path: directory.file("none")) }
  }

  @Test("a converted network is usable; its digest is said to be stated nowhere")
  func converted() throws {
    try copy("amt_s.safetensors", as: "amt-s.safetensors")
    let file = directory.file("amt-s.safetensors")
    let digest = try ContentDigest(ofFile: file).description
    #expect(try weights.check(.amt) == .usable(file: file, digest: .unstated(digest)))
    try copy("clip_b32_tiny.safetensors", as: "ViT-B-32.safetensors")
    guard case .usable(_, .other) = try weights.check(.clipBase) else {
      Issue.record("another CLIP than the published one is not named as such")
      return
    }
  }

  @Test("a file under a published name with other contents is unusable, even if it opens")
  func wrongContents() throws {
    try copy("clip_b32_tiny.safetensors", as: "ViT-B-32.pt")
    let size = try #require(PublishedWeights.aestheticHead.byteCount)
    try directory.write([UInt8](repeating: 7, count: size), to: "sa_0_4_vit_l_14_linear.pth")
    for (published, word) in [(PublishedWeights.clipBase, "bytes"), (.aestheticHead, "SHA-256")] {
      guard case .unusable(_, let why) = try weights.check(published) else {
        Issue.record("\(published) passed")
        continue
      }
      #expect(why.contains(word))
    }
  }

  @Test(
    "P01: hostile files are unusable with their reason, and nothing runs",
    arguments: ["bad_os_system", "bad_builtins_eval", "bad_stack_global", "bad_truncated_zip", "bad_not_a_model"])
  func hostile(name: String) throws {
    try copy("loader/\(name).pth", as: "raft-things.pth")
    guard case .unusable(_, let why) = try weights.check(.raft) else {
      Issue.record("\(name) passed")
      return
    }
    #expect(!why.isEmpty && !why.contains("\n"))
    #expect(throws: (any Error).self) {
      try WeightConversion.convert(directory.file("raft-things.pth"), to: directory.file("out.safetensors"))
    }
    #expect(!FileManager.default.fileExists(atPath: directory.file("out.safetensors")))
  }

  @Test("conversion keeps every tensor of both PyTorch layouts", arguments: ["loader_zip", "loader_legacy"])
  func conversion(name: String) throws {
    let target = directory.file("converted.safetensors")
    let count = try WeightConversion.convert(Fixtures.path("evaluation/loader/\(name).pth"), to: target)
    let converted = try SafetensorsReader(path: target)
    let expected = try SafetensorsReader(path: Fixtures.path("evaluation/loader/loader_expected.safetensors"))
    #expect(count == expected.names.count && Set(converted.names) == Set(expected.names))
    for tensor in expected.names {
      #expect(converted.dtype(of: tensor) == expected.dtype(of: tensor))
      #expect(converted.shape(of: tensor) == expected.shape(of: tensor))
      let (found, wanted) = (try converted.tensor(named: tensor), try expected.tensor(named: tensor))
      #expect(found.doubles() == wanted.doubles(), "\(tensor)")
    }
  }
}
