import Compute
import Foundation
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

@Suite struct SafetensorsReaderTests {
  @Test("values, shapes, types and metadata come back as written, in the order of the header") func reading() throws {
    let directory = try TemporaryDirectory()
    let header =
      #"{"__metadata__":{"format":"pt"},"#
      + member("b", "[2,1]", "[0,8]", type: "F32") + "," + member("a", "[]", "[8,10]", type: "I16") + "}"
    let values: [Float] = [1.5, -2]
    let data = values.withUnsafeBytes { Array($0) } + [0xFE, 0xFF]
    let path = try directory.write(safetensors(header, data: data), to: "x.safetensors")
    let reader = try SafetensorsReader(path: path)
    #expect(reader.names == ["b", "a"])
    #expect(reader.metadata == ["format": "pt"])
    #expect(reader.shape(of: "b") == [2, 1])
    #expect(reader.dtype(of: "a") == .int16)
    #expect(reader.shape(of: "c") == nil)
    #expect(try reader.tensor(named: "b").floats() == values)
    #expect(try reader.tensor(named: "a").integers() == [-2])
    #expect(throws: CheckpointError.missingTensor(path: path, name: "c")) { try reader.tensor(named: "c") }
  }

  @Test("aligned data is used in place, other data is copied", arguments: [0, 1, 2, 3])
  func alignment(padding: Int) throws {
    let directory = try TemporaryDirectory()
    let text = "{" + member("w", "[2]", "[0,8]", type: "F32") + "}"
    let spaces = (8 - text.utf8.count % 8) % 8 + padding
    let values: [Float] = [3, 4]
    let bytes = safetensors(text + String(repeating: " ", count: spaces), data: values.withUnsafeBytes { Array($0) })
    let tensor = try SafetensorsReader(path: directory.write(bytes, to: "x.safetensors")).tensor(named: "w")
    #expect(tensor.storage.isMapped == (padding == 0))
    #expect(tensor.floats() == values)
  }

  @Test("a file by the official writer is read") func official() throws {
    let reader = try SafetensorsReader(path: Fixtures.path("safetensors/official.safetensors"))
    #expect(reader.names == ["z_i64", "f64", "a_f32", "f32", "i32", "bf16", "f16", "i8", "u8", "flags"])
    #expect(reader.metadata == ["note": "tab\there \"quoted\" \u{E9}"])
    #expect(try reader.tensor(named: "z_i64").integers() == [-1, 1 << 40])
    #expect(try reader.tensor(named: "f64").doubles() == [0.1, -2])
    #expect(try reader.tensor(named: "f32").shape == [2, 2])
    #expect(try reader.tensor(named: "f32").floats() == [0, 1, 2, 3])
    #expect(try reader.tensor(named: "a_f32").floats() == [7])
    #expect(try reader.tensor(named: "bf16").floats() == [1, -0.5, 3])
    #expect(try reader.tensor(named: "f16").floats() == [0.25])
    #expect(try reader.tensor(named: "i32").integers() == [5, -6])
    #expect(try reader.tensor(named: "i8").integers() == [-1])
    #expect(try reader.tensor(named: "u8").integers() == [1, 2, 255])
    #expect(try reader.tensor(named: "flags").integers() == [1, 0])
  }

  @Test("S30: a file that is truncated or rewritten while open is reported") func changedWhileOpen() throws {
    let directory = try TemporaryDirectory()
    let bytes = safetensors("{" + member("w", "[4]", "[0,4]") + "}", data: [1, 2, 3, 4])
    let path = try directory.write(bytes, to: "x.safetensors")
    let reader = try SafetensorsReader(path: path)
    #expect(truncate(path, off_t(bytes.count - 2)) == 0)
    #expect(throws: FileFailure.self) { try reader.tensor(named: "w") }
    #expect(throws: FileFailure.self) { try reader.checkUnchanged() }
  }

  @Test("S30: a file that is replaced while open goes on being read as it was") func replacedWhileOpen() throws {
    let directory = try TemporaryDirectory()
    let header = "{" + member("w", "[4]", "[0,4]") + "}"
    let path = try directory.write(safetensors(header, data: [1, 2, 3, 4]), to: "x.safetensors")
    let reader = try SafetensorsReader(path: path)
    try AtomicFile.write(Data(safetensors(header, data: [9, 9, 9, 9])), to: path)
    #expect(try reader.tensor(named: "w").integers() == [1, 2, 3, 4])
  }

  @Test("a missing file, a directory and a FIFO are refused without waiting") func notAFile() throws {
    let directory = try TemporaryDirectory()
    #expect(throws: FileFailure.self) { try SafetensorsReader(path: directory.file("none")) }
    #expect(throws: FileFailure.self) { try SafetensorsReader(path: directory.path) }
    #expect(mkfifo(directory.file("fifo"), 0o600) == 0)
    #expect(throws: FileFailure.self) { try SafetensorsReader(path: directory.file("fifo")) }
  }
}
