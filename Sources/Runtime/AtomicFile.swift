import Foundation

/// Writes a file or directory under a temporary name beside its place, and renames it only once complete and synced.
package enum AtomicFile {
  /// Runs `write` with a temporary path in the target's directory, then syncs and renames it to `path`.
  ///
  /// The temporary name keeps the target's extension, so that writers which look at it (FFmpeg) choose the same format.
  /// If anything throws, the temporary is removed and an existing file at `path` is left as it was. A symbolic link at
  /// `path` stays; what it points to is written. Temporaries that killed processes left of the same target go away.
  ///
  /// - Parameter replacing: whether a file that stands at `path` when the new one is complete is replaced; throws if not.
  package static func write<Result>(
    to path: String, replacing: Bool = true, _ write: (_ temporary: String) throws -> Result
  ) throws -> Result {
    try checkWritableTarget(path)
    let place = Place(path)
    place.removeLeftovers()
    do {
      let result = try write(place.temporary)
      try sync(place.temporary)
      try place.finish(replacing: replacing)
      try sync(place.directory)
      return result
    } catch {
      try? FileManager.default.removeItem(atPath: place.temporary)
      throw error
    }
  }

  /// Throws if something other than a regular file stands at `path`, its directory is missing or not writable, or its name
  /// is longer than file systems allow.
  package static func checkWritableTarget(_ path: String) throws(FileFailure) {
    let place = Place(path)
    if let type = fileType(place.path), type != S_IFREG {
      // A rename would put a file in the place of a device or pipe, for every program on the machine.
      throw FileFailure(path: path, action: "write a file here", code: type == S_IFDIR ? EISDIR : EEXIST)
    }
    let directory = place.directory
    guard let type = fileType(directory) else {
      throw FileFailure(path: directory, action: "write \(path) in it", code: ENOENT)
    }
    guard type == S_IFDIR else { throw FileFailure(path: directory, action: "write in it", code: ENOTDIR) }
    guard access(directory, W_OK) == 0 else { throw FileFailure(path: directory, action: "write in it") }
    // The file system itself is asked: its limits differ.
    for name in [place.path, place.temporary] {
      var status = stat()
      guard lstat(name, &status) != 0, errno == ENAMETOOLONG else { continue }
      throw FileFailure(path: path, action: "write a file here", code: ENAMETOOLONG)
    }
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

  /// `S_IFREG`, `S_IFDIR`, ... of what stands at `path` or where a link there points to; nil if nothing does.
  private static func fileType(_ path: String) -> mode_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }

  /// Waits until a file's contents, or a directory's entries, are on disk.
  package static func sync(_ path: String) throws(FileFailure) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileFailure(path: path, action: "open for syncing") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw FileFailure(path: path, action: "sync") }
  }
}

/// Where a file is to appear, and the temporary name beside it.
struct Place {
  private static let prefix = ".partial-"

  /// As the caller named it, for messages.
  let given: String
  /// With links followed.
  let path: String
  let directory: String
  private let name: Substring

  init(_ given: String) {
    self.given = given
    let target = URL(fileURLWithPath: given).resolvingSymlinksInPath()
    path = target.path
    directory = target.deletingLastPathComponent().path
    // File systems allow 255 bytes; the end of the name tells the format.
    name = Substring(decoding: target.lastPathComponent.utf8.suffix(200), as: UTF8.self)
  }

  var temporary: String { "\(directory)/\(Self.prefix)\(getpid())-\(name)" }

  /// Removes temporaries of this target whose process is gone.
  func removeLeftovers() {
    for entry in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [] {
      guard entry.hasPrefix(Self.prefix), entry.hasSuffix("-\(name)"),
        let process = Int32(entry.dropFirst(Self.prefix.count).dropLast(name.count + 1)), process > 0,
        kill(process, 0) != 0, errno == ESRCH
      else { continue }
      try? FileManager.default.removeItem(atPath: "\(directory)/\(entry)")
    }
  }

  func finish(replacing: Bool) throws(FileFailure) {
    if !replacing {
      // Unlike a rename, a link fails if another process was quicker.
      if link(temporary, path) == 0 {
        unlink(temporary)
        return
      }
      if errno == EEXIST { throw FileFailure(path: given, action: "put the finished file here") }
      // Directories and some file systems have no links.
    }
    guard rename(temporary, path) == 0 else {
      throw FileFailure(path: given, action: "move the finished file here")
    }
  }
}
