import Foundation
import TestSupport

@testable import Checkpoints

/// Builds pickles and archives, good and hostile, byte by byte.
enum PyTorchBytes {
  /// A record of an archive and what may be wrong about it.
  struct Record {
    var name: String
    var data: [UInt8]
    var method: UInt16 = 0
    var flags: UInt16 = 0
    /// Stated in the directory in place of the true size.
    var statedSize: UInt32?
    var statedCompressedSize: UInt32?
    /// Stated in the local header in place of the name.
    var localName: String?
    /// Stated in the directory in place of the true place.
    var statedOffset: UInt32?
    /// Extra data of the directory entry.
    var extra: [UInt8] = []
  }

  /// A zip archive; `end` may change the fields of the end record (record count, directory size, directory offset) and
  /// `large` adds a 64-bit end record with its own.
  static func archive(
    _ records: [Record], end: ((inout [UInt64]) -> Void)? = nil, large: ((inout [UInt64]) -> Void)? = nil
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for record in records {
      let offset = UInt32(bytes.count)
      let size = UInt32(record.data.count)
      let local = Array((record.localName ?? record.name).utf8)
      bytes += little(0x0403_4B50 as UInt32) + little(20 as UInt16) + little(record.flags) + little(record.method)
      bytes += [UInt8](repeating: 0, count: 8) + little(size) + little(size) + little(UInt16(local.count))
      bytes += little(0 as UInt16) + local + record.data
      let name = Array(record.name.utf8)
      directory += little(0x0201_4B50 as UInt32) + little(20 as UInt16) + little(20 as UInt16) + little(record.flags)
      directory += little(record.method) + [UInt8](repeating: 0, count: 8)
      directory += little(record.statedCompressedSize ?? record.statedSize ?? size) + little(record.statedSize ?? size)
      directory += little(UInt16(name.count)) + little(UInt16(record.extra.count)) + [UInt8](repeating: 0, count: 10)
      directory += little(record.statedOffset ?? offset) + name + record.extra
    }
    let start = bytes.count
    bytes += directory
    var fields = [UInt64(records.count), UInt64(directory.count), UInt64(start)]
    if let large {
      let place = UInt64(bytes.count)
      var wide = fields
      large(&wide)
      bytes += little(0x0606_4B50 as UInt32) + little(44 as UInt64) + little(45 as UInt16) + little(45 as UInt16)
      bytes += little(0 as UInt64) + little(wide[0]) + little(wide[0]) + little(wide[1]) + little(wide[2])
      bytes += little(0x0706_4B50 as UInt32) + little(0 as UInt32) + little(place) + little(1 as UInt32)
    }
    end?(&fields)
    bytes += little(0x0605_4B50 as UInt32) + little(0 as UInt32) + little(UInt16(truncatingIfNeeded: fields[0]))
    bytes += little(UInt16(truncatingIfNeeded: fields[0])) + little(UInt32(truncatingIfNeeded: fields[1]))
    return bytes + little(UInt32(truncatingIfNeeded: fields[2])) + little(0 as UInt16)
  }

  /// The archive of a state dictionary with one tensor `weight`, of float32 values 0, 1, 2...
  static func archive(
    pickle: [UInt8]? = nil, elements: Int = 6, records: ((inout [Record]) -> Void)? = nil
  ) -> [UInt8] {
    let values = (0..<elements).flatMap { little(Float($0).bitPattern) }
    var all = [
      Record(name: "model/data.pkl", data: pickle ?? self.pickle()),
      Record(name: "model/byteorder", data: Array("little".utf8)),
      Record(name: "model/data/0", data: values), Record(name: "model/version", data: Array("3\n".utf8)),
    ]
    records?(&all)
    return archive(all)
  }

  /// A pickled state dictionary with one tensor.
  ///
  /// - Parameter after: instructions between the last member and the end.
  static func pickle(
    count: Int = 6, offset: Int = 0, sizes: [Int] = [2, 3], strides: [Int] = [3, 1], after: [UInt8] = []
  ) -> [UInt8] {
    [0x80, 2] + orderedDictionary + mark + text("weight")
      + tensor(key: "0", count: count, offset: offset, sizes: sizes, strides: strides) + [ascii("u")] + after + stop
  }

  static func tensor(
    key: String, count: Int, offset: Int = 0, sizes: [Int], strides: [Int], type: String = "FloatStorage",
    view: [UInt8] = []
  ) -> [UInt8] {
    let storage =
      mark + text("storage") + global("torch", type) + text(key) + text("cpu") + integer(count) + view
      + [ascii("t"), ascii("Q")]
    let shape = mark + sizes.flatMap(integer) + [ascii("t")] + mark + strides.flatMap(integer) + [ascii("t")]
    return global("torch._utils", "_rebuild_tensor_v2") + mark + storage + integer(offset) + shape + [0x89]
      + orderedDictionary + [ascii("t"), ascii("R")]
  }

  /// The layout of older versions: pickles one after the other, then the storages.
  static func legacy(object: [UInt8], storages: [(key: String, count: UInt64, data: [UInt8])]) -> [UInt8] {
    let magic: [UInt8] = [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19] + stop
    let version: [UInt8] = [0x80, 2] + integer(1001) + stop
    let machine: [UInt8] = [0x80, 2, ascii("}")] + mark + text("little_endian") + [0x88, ascii("u")] + stop
    let keys = [0x80, 2, ascii("]")] + mark + storages.flatMap { text($0.key) } + [ascii("e")] + stop
    return magic + version + machine + object + keys + storages.flatMap { little($0.count) + $0.data }
  }

  static let mark: [UInt8] = [ascii("(")]
  static let stop: [UInt8] = [ascii(".")]
  static let orderedDictionary = global("collections", "OrderedDict") + [ascii(")"), ascii("R")]

  static func ascii(_ character: Unicode.Scalar) -> UInt8 { UInt8(ascii: character) }
  static func text(_ text: String) -> [UInt8] { [ascii("X")] + little(UInt32(text.utf8.count)) + Array(text.utf8) }
  static func integer(_ value: Int) -> [UInt8] {
    if let small = Int32(exactly: value) { return [ascii("J")] + little(small) }
    return [0x8A, 8] + little(Int64(value))
  }
  static func global(_ module: String, _ name: String) -> [UInt8] { [ascii("c")] + Array("\(module)\n\(name)\n".utf8) }

  static func little(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}

/// The problem that opening a file with these bytes reports; nil if it opens, and then every tensor can be read.
func pyTorchProblem(_ bytes: [UInt8], in directory: TemporaryDirectory? = nil) throws -> PyTorchError.Problem? {
  let directory = try directory ?? TemporaryDirectory()
  let path = try directory.write(bytes, to: "weights.pth")
  do {
    let reader = try PyTorchReader(path: path)
    for name in reader.names { _ = try reader.tensor(named: name).doubles() }
    return nil
  } catch let error as PyTorchError {
    // The promise of every message: one line that names the file.
    precondition(error.message.hasPrefix(path) && !error.message.contains("\n"), error.message)
    return error.problem
  }
}
