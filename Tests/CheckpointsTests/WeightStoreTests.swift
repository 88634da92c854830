import Compute
import Foundation
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

@Suite struct WeightStoreTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let indexName = "diffusion_pytorch_model.safetensors.index.json"
  private static let first = "diffusion_pytorch_model-00001-of-00002.safetensors"
  private static let second = "diffusion_pytorch_model-00002-of-00002.safetensors"

  private func write(_ tensors: [String: [Float]], _ name: String) throws {
    try SafetensorsWriter.write(
      tensors.map { (name: $0.key, tensor: Tensor($0.value)) }, to: directory.file(name))
  }

  private func writeIndex(_ weightMap: [String: String], name: String = indexName) throws {
    let index: [String: Any] = ["metadata": ["total_size": 16], "weight_map": weightMap]
    try directory.write(try JSONSerialization.data(withJSONObject: index), to: name)
  }

  /// Two shards that hold a, b and c, and their index.
  private func writeSharded() throws {
    try write(["a": [1], "b": [2, 3]], Self.first)
    try write(["c": [4]], Self.second)
    try writeIndex(["a": Self.first, "b": Self.first, "c": Self.second])
  }

  /// The error of opening the directory.
  private func failure() -> CheckpointError? {
    do {
      _ = try WeightStore(directory: directory.path)
      return nil
    } catch {
      return error as? CheckpointError
    }
  }

  private func path(_ name: String) -> String { directory.file(name) }

  @Test(
    "a single file is found under each published name",
    arguments: [
      "diffusion_pytorch_model.safetensors", "model.safetensors", "diffusion_pytorch_model.bf16.safetensors",
      "model.fp16.safetensors",
    ])
  func singleFile(name: String) throws {
    try write(["b": [1, 2], "a": [3]], name)
    let store = try WeightStore(directory: directory.path)
    #expect(store.names == ["a", "b"])
    #expect(store.shape(of: "b") == [2])
    #expect(store.dtype(of: "b") == .float32)
    #expect(try store.tensor(named: "b").floats() == [1, 2])
    #expect(try WeightStore(file: path(name)).names == ["a", "b"])
  }

  @Test(
    "shards are found under each published name of their index",
    arguments: [
      indexName, "model.safetensors.index.json", "diffusion_pytorch_model.safetensors.index.bf16.json",
    ])
  func shards(name: String) throws {
    try writeSharded()
    try FileManager.default.removeItem(atPath: path(Self.indexName))
    try writeIndex(["a": Self.first, "b": Self.first, "c": Self.second], name: name)
    let store = try WeightStore(directory: directory.path)
    #expect(store.names == ["a", "b", "c"])
    #expect(try store.tensor(named: "b").floats() == [2, 3])
    #expect(try store.tensor(named: "c").floats() == [4])
    try store.checkUnchanged()
  }

  @Test("plain names come before variants") func variants() throws {
    try write(["plain": [1]], "model.safetensors")
    try write(["variant": [1]], "diffusion_pytorch_model.bf16.safetensors")
    #expect(try WeightStore(directory: directory.path).names == ["plain"])
  }

  @Test("links to files elsewhere, as download caches make them, are followed") func links() throws {
    try writeSharded()
    let blobs = try TemporaryDirectory()
    for name in [Self.first, Self.second] {
      try FileManager.default.moveItem(atPath: path(name), toPath: blobs.file(name))
      try FileManager.default.createSymbolicLink(atPath: path(name), withDestinationPath: blobs.file(name))
    }
    #expect(try WeightStore(directory: directory.path).names == ["a", "b", "c"])
  }

  @Test("a directory without weights says what it looked for") func noWeights() throws {
    #expect(
      failure()
        == .noWeights(
          directory: directory.path,
          lookedFor: [
            Self.indexName, "diffusion_pytorch_model.safetensors", "model.safetensors", "model.safetensors.index.json",
          ]))
    #expect(throws: FileFailure.self) { try WeightStore(directory: path("missing")) }
  }

  @Test("PyTorch weights are not opened", arguments: ["diffusion_pytorch_model.bin", "pytorch_model.pth", "model.pt"])
  func pickled(name: String) throws {
    try directory.write([0x80, 0x02], to: name)
    #expect(failure() == .onlyPickledWeights(directory: directory.path, example: name))
    #expect(failure()?.message.contains("convert them to safetensors") == true)
  }

  @Test("M01: an index that names a missing shard is refused") func missingShard() throws {
    try writeSharded()
    try FileManager.default.removeItem(atPath: path(Self.second))
    #expect(failure() == .missingShard(index: path(Self.indexName), shard: Self.second, tensor: "c"))
  }

  @Test(
    "M02: a shard outside of the directory is refused",
    arguments: [
      "../../etc/passwd", "/etc/passwd", "../x.safetensors", "sub/x.safetensors", "", ".", "..", "x.bin",
      "a\0.safetensors",
    ])
  func shardPath(name: String) throws {
    try writeIndex(["a": name])
    #expect(failure() == .invalidShardName(index: path(Self.indexName), name: name))
  }

  @Test("M02: a link that leads to itself is refused") func linkLoop() throws {
    try writeIndex(["a": "loop.safetensors"])
    try FileManager.default.createSymbolicLink(
      atPath: path("loop.safetensors"), withDestinationPath: "loop.safetensors")
    #expect(throws: FileFailure(path: path("loop.safetensors"), action: "open", code: ELOOP)) {
      try WeightStore(directory: directory.path)
    }
  }

  @Test("M03: a tensor in two shards is refused") func tensorInTwoShards() throws {
    try writeSharded()
    try write(["a": [9], "c": [4]], Self.second)
    #expect(failure() == .tensorInTwoShards(name: "a", first: path(Self.first), second: path(Self.second)))
  }

  @Test("M04: a tensor that the index promises but its shard lacks is refused") func tensorNotInShard() throws {
    try writeSharded()
    try writeIndex(["a": Self.first, "b": Self.first, "c": Self.second, "d": Self.second])
    #expect(failure() == .tensorNotInShard(index: path(Self.indexName), name: "d", shard: Self.second))
    try writeIndex(["a": Self.first, "b": Self.second, "c": Self.second])
    #expect(failure() == .tensorNotInShard(index: path(Self.indexName), name: "b", shard: Self.second))
  }

  @Test("M05: a shard of another revision is refused where its shapes differ, by name") func otherRevision() throws {
    try writeSharded()
    let store = try WeightStore(directory: directory.path)
    #expect(try store.weight(named: "b", shape: [2]).floats() == [2, 3])
    #expect(
      throws: CheckpointError.shapeMismatch(path: path(Self.second), name: "c", expected: [2], found: [1])
    ) { try store.weight(named: "c", shape: [2]) }
  }

  @Test("M13: a Git LFS pointer in place of weights or index is named as such") func lfsPointer() throws {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"
    try directory.write(pointer, to: "model.safetensors")
    let weights = #expect(throws: SafetensorsError.self) { try WeightStore(directory: directory.path) }
    #expect(weights?.problem == .otherFormat(.gitLFSPointer))
    #expect(weights?.message.contains("Git LFS pointer") == true)
    try directory.write(pointer, to: Self.indexName)
    let index = #expect(throws: ConfigError.self) { try WeightStore(directory: directory.path) }
    #expect(index?.problem == .otherFormat(.gitLFSPointer))
  }

  @Test(
    "M14: a web page in place of weights is named as such",
    arguments: [
      "<!DOCTYPE html><html>", "\n <html lang=\"en\">", "<?xml version=\"1.0\"?><Error>", "\u{FEFF}<!doctype HTML>",
    ])
  func webPage(text: String) throws {
    try directory.write(text, to: "model.safetensors")
    let error = #expect(throws: SafetensorsError.self) { try WeightStore(directory: directory.path) }
    #expect(error?.problem == .otherFormat(.html))
  }

  @Test("PyTorch and GGUF files under the name of safetensors are named as such") func otherFormats() throws {
    let files: [([UInt8], ForeignFormat)] = [
      ([0x50, 0x4B, 3, 4, 0, 0, 8, 8, 0, 0], .zip), ([0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9], .pickle),
      (Array("GGUF\u{3}\0\0\0".utf8), .gguf),
    ]
    for (bytes, format) in files { #expect(try problem(bytes) == .otherFormat(format)) }
  }

  @Test(
    "broken indexes are refused",
    arguments: ["", "[]", "{}", "{\"weight_map\":[]}", "{\"weight_map\":{\"a\":1}}", "{\"weight_map\":null}", "{"])
  func brokenIndex(text: String) throws {
    try directory.write(text, to: Self.indexName)
    #expect(throws: ConfigError.self) { try WeightStore(directory: directory.path) }
  }

  @Test("an index without tensors is refused") func emptyIndex() throws {
    try writeIndex([:])
    #expect(failure() == .emptyIndex(path: path(Self.indexName)))
  }

  @Test("S22: a valid type that is not a weight's is refused by name") func notAWeight() throws {
    let integers = Tensor(storage: Storage(byteCount: 8), layout: Layout([1]), dtype: .int64)
    try SafetensorsWriter.write([("ids", integers)], to: path("model.safetensors"))
    let store = try WeightStore(directory: directory.path)
    #expect(throws: CheckpointError.notAWeight(path: path("model.safetensors"), name: "ids", type: .int64)) {
      try store.weight(named: "ids", shape: [1])
    }
    #expect(try store.tensor(named: "ids").dtype == .int64)
  }

  @Test("S23: NaN and infinity are counted and named") func notFinite() throws {
    try write(["good": [0, -1, .greatestFiniteMagnitude, .leastNonzeroMagnitude]], Self.first)
    try write(["bad": [.nan, 1, -.infinity]], Self.second)
    try writeIndex(["good": Self.first, "bad": Self.second])
    let store = try WeightStore(directory: directory.path)
    try store.checkFinite(["good"])
    let error = #expect(throws: CheckpointError.self) { try store.checkFinite() }
    #expect(error == .notFinite(path: directory.path, counts: ["bad": 2]))
    #expect(error?.message.contains("'bad' (2)") == true)
  }

  @Test("S23: values that are not finite are counted in every type and view") func nonFiniteCount() {
    var values = Array(repeating: Float(1), count: 600_001)
    values[0] = .infinity
    values[300_000] = .nan
    values[600_000] = -.infinity
    let tensor = Tensor(values)
    #expect(tensor.nonFiniteCount == 3)
    #expect(tensor.stored(as: .bfloat16).nonFiniteCount == 3)
    #expect(tensor.stored(as: .float16).nonFiniteCount == 3)
    #expect(tensor.sliced(0, 1..<600_000).nonFiniteCount == 1)
    #expect(Tensor([65504, 1e30, .nan, 0], shape: [2, 2]).transposed(0, 1).sliced(0, 0..<1).nonFiniteCount == 1)
    // 1e30 is finite as float32, but not as float16.
    #expect(Tensor([1e30]).nonFiniteCount == 0)
    #expect(Tensor([1e30]).stored(as: .float16).nonFiniteCount == 1)
    let doubles = Storage(byteCount: 16)
    doubles.bytes.storeBytes(of: Double.nan, as: Double.self)
    doubles.bytes.storeBytes(of: 1, toByteOffset: 8, as: Double.self)
    #expect(Tensor(storage: doubles, layout: Layout([2]), dtype: .float64).nonFiniteCount == 1)
    #expect(Tensor(storage: doubles, layout: Layout([2]), dtype: .int64).nonFiniteCount == 0)
    #expect(Tensor([]).nonFiniteCount == 0)
  }

  @Test("S30: a shard that changes after opening is reported") func changed() throws {
    try writeSharded()
    let store = try WeightStore(directory: directory.path)
    #expect(truncate(path(Self.second), 3) == 0)
    #expect(throws: FileFailure.self) { try store.checkUnchanged() }
    #expect(throws: FileFailure.self) { try store.tensor(named: "c") }
    #expect(try store.tensor(named: "a").floats() == [1])
  }
}
