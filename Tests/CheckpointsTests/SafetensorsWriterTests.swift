import Compute
import Foundation
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

@Suite struct SafetensorsWriterTests {
  /// A tensor of any element type from the bytes of its elements.
  private static func tensor<Element>(_ elements: [Element], _ dtype: DType, _ shape: Shape) -> Tensor {
    let storage = Storage(byteCount: max(1, elements.count * dtype.byteCount))
    elements.withUnsafeBytes { storage.bytes.copyBytes(from: $0) }
    return Tensor(storage: storage, layout: Layout(shape), dtype: dtype)
  }

  @Test("the file equals the official writer's, byte for byte") func official() throws {
    let path = Fixtures.path("safetensors/official.safetensors")
    let reader = try SafetensorsReader(path: path)
    let directory = try TemporaryDirectory()
    let tensors = try reader.names.reversed().map { (name: $0, tensor: try reader.tensor(named: $0)) }
    try SafetensorsWriter.write(tensors, metadata: reader.metadata, to: directory.file("copy.safetensors"))
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: directory.file("copy.safetensors")))
        == Data(contentsOf: URL(fileURLWithPath: path)))
  }

  @Test("every element type comes back with the same bits") func roundTrip() throws {
    let tensors: [(name: String, tensor: Tensor)] = [
      ("u8", Self.tensor([1, 2, 255] as [UInt8], .uint8, [3])),
      ("f64", Self.tensor([0.1, -.infinity] as [Double], .float64, [2, 1])),
      ("bool", Self.tensor([0, 1] as [UInt8], .bool, [2])),
      ("f32", Self.tensor([0.1, -0] as [Float], .float32, [1, 2])),
      ("i64", Self.tensor([.min, .max] as [Int64], .int64, [2])),
      ("bf16", Self.tensor([0x3F80, 0x7FC1] as [UInt16], .bfloat16, [2])),
      ("i16", Self.tensor([-2] as [Int16], .int16, [])),
      ("i32", Self.tensor([.min, 7, .max] as [Int32], .int32, [3])),
      ("i8", Self.tensor([-128] as [Int8], .int8, [1])),
      ("f16", Self.tensor([0x3C00] as [UInt16], .float16, [1, 1, 1])),
      ("none", Self.tensor([] as [Float], .float32, [0, 4])),
    ]
    let directory = try TemporaryDirectory()
    let path = directory.file("all.safetensors")
    try SafetensorsWriter.write(tensors, to: path)
    let reader = try SafetensorsReader(path: path)
    for (name, tensor) in tensors {
      let read = try reader.tensor(named: name)
      #expect(read.shape == tensor.shape)
      #expect(read.dtype == tensor.dtype)
      #expect(read.storage.isMapped, "\(name) is not aligned")
      #expect(Array(read.storage.bytes) == Array(tensor.storage.bytes.prefix(tensor.byteCount)))
    }
  }

  @Test("views are written as the elements they show") func views() throws {
    let whole = Tensor((0..<12).map(Float.init), shape: [3, 4])
    let directory = try TemporaryDirectory()
    let path = directory.file("views.safetensors")
    let views = [
      ("transposed", whole.transposed(0, 1)), ("rows", whole.sliced(0, 1..<3)), ("columns", whole.sliced(1, 1..<2)),
    ]
    try SafetensorsWriter.write(views.map { (name: $0.0, tensor: $0.1) }, to: path)
    let reader = try SafetensorsReader(path: path)
    for (name, view) in views {
      expectClose(try reader.tensor(named: name), view, absolute: 0, name)
    }
  }

  @Test("names and metadata with quotes, control characters and emoji come back") func text() throws {
    let text = "\"quote\" \\ \n\t\u{1}\u{7F}\u{1F600}/"
    let directory = try TemporaryDirectory()
    let path = directory.file("text.safetensors")
    try SafetensorsWriter.write([(text, Tensor([1]))], metadata: [text: text, "b": ""], to: path)
    let reader = try SafetensorsReader(path: path)
    #expect(reader.names == [text])
    #expect(reader.metadata == [text: text, "b": ""])
  }

  @Test("a failed write leaves no file and no partial file") func failure() throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: directory.file("taken"), withIntermediateDirectories: false)
    #expect(throws: FileFailure.self) { try SafetensorsWriter.write([], to: directory.file("taken")) }
    #expect(throws: FileFailure.self) { try SafetensorsWriter.write([], to: directory.file("none/x.safetensors")) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["taken"])
  }

  @Test("an existing file is replaced as a whole") func replacement() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("x.safetensors")
    try SafetensorsWriter.write([("a", Tensor([1, 2, 3]))], to: path)
    try SafetensorsWriter.write([("b", Tensor([4]))], to: path)
    #expect(try SafetensorsReader(path: path).names == ["b"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["x.safetensors"])
  }
}
