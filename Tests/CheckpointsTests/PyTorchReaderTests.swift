import Foundation
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

@Suite("PyTorch reader")
struct PyTorchReaderTests {
  private static func fixture(_ name: String) -> String { Fixtures.path("evaluation/loader/\(name)") }

  private func expectSame(
    _ reader: PyTorchReader, as expected: SafetensorsReader, renaming: (String) -> String = { $0 }
  ) throws {
    #expect(Set(reader.names) == Set(expected.names.map(renaming)))
    for name in expected.names {
      let tensor = try reader.tensor(named: renaming(name))
      let wanted = try expected.tensor(named: name)
      #expect(tensor.shape == wanted.shape, "\(name)")
      #expect(tensor.dtype == wanted.dtype, "\(name)")
      #expect(tensor.doubles() == wanted.doubles(), "\(name)")
    }
  }

  @Test(
    "saved files of both layouts, with views, strides and every element type, hold the recorded tensors",
    arguments: [
      ("loader_zip.pth", "loader_expected"), ("loader_legacy.pth", "loader_expected"),
      ("head_zip.pth", "head_expected"),
    ])
  func readsSavedFiles(file: String, expected: String) throws {
    try expectSame(
      PyTorchReader(path: Self.fixture(file)),
      as: SafetensorsReader(path: Self.fixture("\(expected).safetensors")))
  }

  @Test("of a training state only the member state_dict counts")
  func readsNestedStates() throws {
    let reader = try PyTorchReader(path: Self.fixture("loader_nested.pth"))
    try expectSame(reader, as: SafetensorsReader(path: Self.fixture("loader_expected.safetensors"))) {
      String($0.dropFirst("module.".count))
    }
  }

  @Test("a TorchScript archive's tensors have the names of its attributes")
  func readsTorchScript() throws {
    try expectSame(
      PyTorchReader(path: Self.fixture("clip_jit.pt")),
      as: SafetensorsReader(path: Self.fixture("clip_jit_expected.safetensors")))
  }

  @Test("a weight store opens either format by its contents, whatever the file is called")
  func storeOpensBoth() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write(PyTorchBytes.archive(), to: "weights.bin")
    #expect(try WeightStore(anyFile: file).weight(named: "weight", shape: [2, 3]).floats() == [0, 1, 2, 3, 4, 5])
    let safe = Self.fixture("head_expected.safetensors")
    #expect(try WeightStore(anyFile: safe).names == ["bias", "weight"])
  }

  @Test("views keep their strides: a transposed tensor is not copied but reads right")
  func stridedViews() throws {
    let directory = try TemporaryDirectory()
    let pickle = PyTorchBytes.pickle(sizes: [3, 2], strides: [1, 3])
    let reader = try PyTorchReader(path: directory.write(PyTorchBytes.archive(pickle: pickle), to: "a.pth"))
    #expect(try reader.tensor(named: "weight").floats() == [0, 3, 1, 4, 2, 5])
  }

  @Test("the legacy layout's data may lie on any byte")
  func unalignedLegacyData() throws {
    for padding in 0..<4 {
      let name = "w" + String(repeating: "x", count: padding)
      let object =
        [0x80, 2] + PyTorchBytes.orderedDictionary + PyTorchBytes.mark + PyTorchBytes.text(name)
        + PyTorchBytes.tensor(key: "7", count: 2, sizes: [2], strides: [1], view: [PyTorchBytes.ascii("N")])
        + [PyTorchBytes.ascii("u")] + PyTorchBytes.stop
      let data = [Float(1.5), -2].flatMap { PyTorchBytes.little($0.bitPattern) }
      let directory = try TemporaryDirectory()
      let path = try directory.write(PyTorchBytes.legacy(object: object, storages: [("7", 2, data)]), to: "a.bin")
      #expect(try PyTorchReader(path: path).tensor(named: name).floats() == [1.5, -2])
    }
  }

  @Test("a tensor that is not there is named")
  func missingTensor() throws {
    let directory = try TemporaryDirectory()
    let reader = try PyTorchReader(path: directory.write(PyTorchBytes.archive(), to: "a.pth"))
    #expect(throws: CheckpointError.missingTensor(path: reader.path, name: "bias")) { try reader.tensor(named: "bias") }
  }

  @Test("a file rewritten after it was opened is noticed")
  func changedFile() throws {
    let directory = try TemporaryDirectory()
    let reader = try PyTorchReader(path: directory.write(PyTorchBytes.archive(), to: "a.pth"))
    let handle = try #require(FileHandle(forWritingAtPath: reader.path))
    try handle.truncate(atOffset: 10)
    #expect(throws: (any Error).self) { try reader.tensor(named: "weight") }
  }
}
