import Foundation
import Runtime

/// A file of JSON lines that grows with a run.
///
/// Resuming cuts off the lines after the checkpoint, so that the file is the same as that of a run which never stopped.
package final class RunLog {
  package let path: String
  private let descriptor: Int32
  private let encoder = JSONEncoder()
  package private(set) var byteCount: Int

  /// Opens or makes the file.
  package init(path: String) throws(FileFailure) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileFailure(path: path, action: "open the log") }
    self.path = path
    self.descriptor = descriptor
    byteCount = Int(lseek(descriptor, 0, SEEK_END))
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  }

  deinit { close(descriptor) }

  /// How numbers that JSON does not have are read back.
  static var decoding: JSONDecoder.NonConformingFloatDecodingStrategy {
    .convertFromString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  }

  /// Cuts the file to its first bytes; returns whether it had that many.
  package func truncate(to length: Int) throws(FileFailure) -> Bool {
    guard byteCount >= length else { return false }
    guard ftruncate(descriptor, off_t(length)) == 0 else { throw FileFailure(path: path, action: "cut the log") }
    lseek(descriptor, off_t(length), SEEK_SET)
    byteCount = length
    return true
  }

  /// Appends a line for each record, all with one call of the system.
  package func append(_ records: [some Encodable]) throws {
    var lines = Data()
    for record in records {
      lines += try encoder.encode(record)
      lines.append(UInt8(ascii: "\n"))
    }
    try lines.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
    byteCount += lines.count
  }

  /// Waits until all lines are on disk.
  package func sync() throws(FileFailure) {
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw FileFailure(path: path, action: "sync the log") }
  }
}
