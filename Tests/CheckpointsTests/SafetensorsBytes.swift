import Foundation
import TestSupport

@testable import Checkpoints

/// The bytes of a safetensors file with any header.
func safetensors(_ header: [UInt8], data: [UInt8] = []) -> [UInt8] {
  withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + data
}

func safetensors(_ header: String, data: [UInt8] = []) -> [UInt8] { safetensors(Array(header.utf8), data: data) }

/// The problem that opening a file with these bytes reports; nil if it opens.
func problem(_ bytes: [UInt8]) throws -> SafetensorsError.Problem? {
  let directory = try TemporaryDirectory()
  let path = try directory.write(bytes, to: "weights.safetensors")
  do {
    _ = try SafetensorsReader(path: path)
    return nil
  } catch let error as SafetensorsError {
    // The promise of every message: one line that names the file and the place.
    precondition(error.message.hasPrefix(path) && !error.message.contains("\n"), error.message)
    return error.problem
  }
}

/// Where the problem is reported, in bytes from the start of the file.
func problemOffset(_ bytes: [UInt8]) throws -> Int? {
  let directory = try TemporaryDirectory()
  let path = try directory.write(bytes, to: "weights.safetensors")
  do {
    _ = try SafetensorsReader(path: path)
    return nil
  } catch let error as SafetensorsError {
    return error.offset
  }
}

/// A member of a header.
func member(_ name: String, _ shape: String, _ offsets: String, type: String = "U8") -> String {
  #""\#(name)":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(offsets)}"#
}

extension SafetensorsError.Problem {
  /// Whether the header's text leaves its grammar.
  var isSyntax: Bool { if case .header(.expected) = self { true } else { false } }
}
