import Foundation
import Runtime

/// Scalars of a run for TensorBoard, in a folder of event files.
///
/// Every process of a run writes a file of its own, which begins by telling readers to forget what earlier files say of
/// the steps that are now made again.
final class EventFile {
  let path: String
  private let descriptor: Int32

  private static let prefix = "events.out.tfevents."

  /// Makes the folder's next file.
  ///
  /// - Parameter step: the first that will be written.
  init(directory: String, from step: Int) throws {
    try makeFolder(directory)
    // Readers take files in the order of their names, which a number keeps even if the clock goes back.
    let names = try FileManager.default.contentsOfDirectory(atPath: directory)
    let numbers = names.compactMap { name in
      name.hasPrefix(Self.prefix) ? Int(name.dropFirst(Self.prefix.count).prefix { $0 != "." }) : nil
    }
    let last = numbers.filter { (0..<9_999_999_999).contains($0) }.max() ?? 0
    path = "\(directory)/\(Self.prefix)\(String(format: "%010ld", last + 1)).vap"
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileFailure(path: path, action: "make the event file") }
    try append(.fileVersion, step: 0)
    try append(.start, step: step)
  }

  deinit { close(descriptor) }

  func append(_ scalars: [(tag: String, value: Double)], step: Int, time: Date = Date()) throws {
    try append(.scalars(scalars), step: step, time: time)
  }

  private func append(_ contents: EventRecord.Contents, step: Int, time: Date = Date()) throws {
    let bytes = EventRecord.bytes(contents, step: step, time: time.timeIntervalSince1970)
    try bytes.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
  }
}
