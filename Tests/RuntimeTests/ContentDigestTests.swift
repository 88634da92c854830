import Foundation
import TestSupport
import Testing

@testable import Runtime

@Suite("Content digest")
struct ContentDigestTests {
  @Test("digests are SHA-256 (FIPS 180-4 examples)")
  func examples() {
    #expect(
      ContentDigest(of: "abc").description == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(ContentDigest(of: "").description == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test("a file's digest is that of its bytes, over many chunks")
  func files() throws {
    let directory = try TemporaryDirectory()
    let text = String(repeating: "0123456789", count: 100_000)
    #expect(try ContentDigest(ofFile: directory.write(text, to: "a")) == ContentDigest(of: text))
    #expect(try ContentDigest(ofFile: directory.write("", to: "b")) == ContentDigest(of: ""))
    #expect(throws: FileFailure.self) { try ContentDigest(ofFile: directory.path) }
  }

  @Test("parts differ from their concatenation")
  func parts() {
    #expect(ContentDigest(ofParts: ["ab", "c"]) != ContentDigest(ofParts: ["a", "bc"]))
    #expect(ContentDigest(ofParts: ["ab", ""]) != ContentDigest(ofParts: ["ab"]))
  }

  @Test("a folder's digest changes with names, sizes, small files and samples of large ones")
  func folders() throws {
    let directory = try TemporaryDirectory()
    try directory.write("{}", to: "config.json")
    try directory.write(Data(repeating: 1, count: 1 << 20), to: "weights")
    let first = try ContentDigest(samplingFilesIn: directory.path)
    #expect(try ContentDigest(samplingFilesIn: directory.path) == first)
    try directory.write("{ }", to: "config.json")
    #expect(try ContentDigest(samplingFilesIn: directory.path) != first)
    try directory.write("{}", to: "config.json")
    #expect(try ContentDigest(samplingFilesIn: directory.path) == first)
    for place in [0, (1 << 20) - 1] {
      var bytes = Data(repeating: 1, count: 1 << 20)
      bytes[place] = 2
      try directory.write(bytes, to: "weights")
      #expect(try ContentDigest(samplingFilesIn: directory.path) != first)
    }
    #expect(throws: FileFailure.self) { try ContentDigest(samplingFilesIn: "/nonexistent") }
  }
}
