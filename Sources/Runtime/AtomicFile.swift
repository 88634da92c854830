import Foundation

/// Writes a file or directory under a temporary name beside its place, and renames it only once complete and synced.
package enum AtomicFile {
  /// Runs `write` with a temporary path in the target's directory, then syncs and renames it to `path`.
  ///
  /// The temporary name keeps the target's extension, so that writers which look at it (FFmpeg) choose the same format.
  /// If anything throws, the temporary is removed and an existing file at `path` is left as it was.
  package static func write<Result>(to path: String, _ write: (_ temporary: String) throws -> Result) throws -> Result {
    let target = URL(fileURLWithPath: path)
    let directory = target.deletingLastPathComponent().path
    try checkWritableTarget(path)
    let temporary = "\(directory)/.partial-\(getpid())-\(target.lastPathComponent)"
    do {
      let result = try write(temporary)
      try sync(temporary)
      guard rename(temporary, path) == 0 else { throw FileFailure(path: path, action: "move the finished file here") }
      try sync(directory)
      return result
    } catch {
      try? FileManager.default.removeItem(atPath: temporary)
      throw error
    }
  }

  /// Throws if `path` names a directory or stands in a directory that is missing or not writable.
  package static func checkWritableTarget(_ path: String) throws(FileFailure) {
    var isDirectory: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue {
      throw FileFailure(path: path, action: "write a file here", code: EISDIR)
    }
    let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
    guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory) else {
      throw FileFailure(path: directory, action: "write \(path) in it", code: ENOENT)
    }
    guard isDirectory.boolValue else { throw FileFailure(path: directory, action: "write in it", code: ENOTDIR) }
    guard access(directory, W_OK) == 0 else { throw FileFailure(path: directory, action: "write in it") }
  }

  /// Writes `data` atomically.
  package static func write(_ data: Data, to path: String) throws {
    try write(to: path) { temporary in
      let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else { throw FileFailure(path: temporary, action: "create") }
      defer { close(descriptor) }
      try data.withUnsafeBytes { try append($0, to: descriptor, path: temporary) }
    }
  }

  /// Writes all of `bytes`, going on after short writes and interrupted calls.
  package static func append(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String
  ) throws(FileFailure) {
    var done = 0
    while done < bytes.count {
      let written = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if written < 0 {
        if errno == EINTR { continue }
        throw FileFailure(path: path, action: "write")
      }
      done += written
    }
  }

  /// Waits until a file's contents, or a directory's entries, are on disk.
  package static func sync(_ path: String) throws(FileFailure) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileFailure(path: path, action: "open for syncing") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw FileFailure(path: path, action: "sync") }
  }
}
