import Foundation
import Runtime
import Synchronization

/// The digests of files, each read once as long as it stays the same: of one size, time of change and place on its disk.
final class FileDigests: Sendable {
  private struct Stamp: Sendable, Equatable {
    let size: Int
    let seconds: Int
    let nanoseconds: Int
    let device: UInt
    let inode: UInt
  }

  private struct Entry: Sendable {
    let stamp: Stamp
    let digest: ContentDigest
  }

  private let entries = Mutex<[String: Entry]>([:])
  /// Files that are remembered; some tens of megabytes.
  private static let limit = 100_000

  /// The digest of the file at a path; throws `FileFailure`.
  func digest(ofFile path: String) throws -> ContentDigest {
    let stamp = Self.stamp(path)
    if let stamp, let known = entries.withLock({ $0[path] }), known.stamp == stamp { return known.digest }
    let digest = try ContentDigest(ofFile: path)
    // A file that changes while it is read is read again the next time.
    guard let stamp, Self.stamp(path) == stamp else { return digest }
    entries.withLock { entries in
      if entries.count >= Self.limit { entries = [:] }
      entries[path] = Entry(stamp: stamp, digest: digest)
    }
    return digest
  }

  private static func stamp(_ path: String) -> Stamp? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return Stamp(
      size: Int(status.st_size), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec,
      device: UInt(status.st_dev), inode: UInt(status.st_ino))
  }
}
