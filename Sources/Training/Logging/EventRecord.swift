import Foundation

/// A record of a TensorBoard event file: a protobuf message `Event` in the frame of a TFRecord.
///
/// Of TensorFlow's `event.proto` and `summary.proto` this writes what scalars need, by hand: three messages of together
/// eight fields, whose numbers have not changed since 2015.
///
///     Event     { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
///                 SessionLog session_log = 7; }
///     Summary   { repeated Value value = 1; }   Value { string tag = 1; float simple_value = 2; }
///     SessionLog { SessionStatus status = 1; }   START = 1
///
/// A TFRecord is: length of the message as 8 bytes, masked CRC-32C of these 8 bytes, the message, its masked CRC-32C; all
/// numbers little-endian.
enum EventRecord {
  /// What an event tells.
  enum Contents {
    /// The first event of every file.
    case fileVersion
    /// The run goes on from here: readers forget what earlier files say of this step and those after it.
    case start
    case scalars([(tag: String, value: Double)])
  }

  /// The bytes of an event.
  ///
  /// - Parameter time: seconds since 1970.
  static func bytes(_ contents: Contents, step: Int, time: Double) -> [UInt8] {
    var event = Message()
    event.double(1, time)
    if step != 0 { event.varint(2, UInt64(bitPattern: Int64(step))) }
    switch contents {
    case .fileVersion: event.bytes(3, Array("brain.Event:2".utf8))
    case .start:
      var log = Message()
      log.varint(1, 1)
      event.bytes(7, log.bytes)
    case .scalars(let scalars):
      var summary = Message()
      for scalar in scalars {
        var value = Message()
        value.bytes(1, Array(scalar.tag.utf8))
        value.float(2, Float(scalar.value))
        summary.bytes(1, value.bytes)
      }
      event.bytes(5, summary.bytes)
    }
    return framed(event.bytes)
  }

  static func framed(_ message: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(message.count))
    return length + littleEndian(maskedChecksum(length)) + message + littleEndian(maskedChecksum(message))
  }

  /// A protobuf message in the making: fields in the order of the calls.
  private struct Message {
    private(set) var bytes: [UInt8] = []

    /// The kind of a field's value on the wire.
    private enum Wire: UInt64 {
      case varint = 0
      case eightBytes = 1
      case length = 2
      case fourBytes = 5
    }

    mutating func varint(_ field: UInt64, _ value: UInt64) {
      tag(field, .varint)
      append(value)
    }

    mutating func double(_ field: UInt64, _ value: Double) {
      tag(field, .eightBytes)
      bytes += littleEndian(value.bitPattern)
    }

    mutating func float(_ field: UInt64, _ value: Float) {
      tag(field, .fourBytes)
      bytes += littleEndian(value.bitPattern)
    }

    /// A string, or a message inside of this one.
    mutating func bytes(_ field: UInt64, _ value: [UInt8]) {
      tag(field, .length)
      append(UInt64(value.count))
      bytes += value
    }

    private mutating func tag(_ field: UInt64, _ wire: Wire) { append(field << 3 | wire.rawValue) }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    private mutating func append(_ value: UInt64) {
      var rest = value
      while rest > 0x7F {
        bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
      }
      bytes.append(UInt8(rest))
    }
  }

  // MARK: - Checksums

  /// CRC-32C, turned and shifted by a constant, so that a checksum over data that holds checksums stays a good one.
  static func maskedChecksum(_ data: [UInt8]) -> UInt32 {
    let checksum = checksum(data)
    return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
  }

  /// CRC-32C (Castagnoli; polynomial 0x1EDC6F41, here with its bits reversed).
  static func checksum(_ data: [UInt8]) -> UInt32 {
    ~data.reduce(~0 as UInt32) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
  }

  /// The checksum's change by each value of a byte.
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { rest, _ in rest & 1 == 0 ? rest >> 1 : rest >> 1 ^ 0x82F6_3B78 }
  }
}

private func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
