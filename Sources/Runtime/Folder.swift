import Foundation

/// Folders that outputs go to.
package enum Folder {
  /// Makes a folder, with those above it; does nothing if it is there.
  package static func make(_ path: String) throws(FileFailure) {
    if mkdir(path, 0o777) == 0 { return }
    var code = errno
    if code == ENOENT, let parent = parent(of: path) {
      try make(parent)
      if mkdir(path, 0o777) == 0 { return }
      code = errno
    }
    var isFolder: ObjCBool = false
    // Another process may have made it meanwhile.
    let isThere = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    if isThere, isFolder.boolValue { return }
    throw FileFailure(path: path, action: "make this folder", code: isThere ? ENOTDIR : code)
  }

  /// Fills a folder with entries that appear once all of them are complete; makes the folder if there is none.
  ///
  /// They are written into a temporary folder in it, which goes if anything throws, as do those that killed processes left.
  /// A folder that was made here goes then, too. What else lies in the folder stays: throws `FileFailure` if an entry of
  /// that name is there already.
  ///
  /// - Parameter names: of the entries in the order that they appear in; what is not made is left out.
  package static func fill<Result>(
    _ path: String, with names: [String], _ write: (_ temporary: String) throws -> Result
  ) throws -> Result {
    let isNew = !hasEntry(at: path)
    try make(path)
    do {
      return try fill(present: path, with: names, write)
    } catch {
      if isNew { rmdir(path) }
      throw error
    }
  }

  private static func fill<Result>(
    present path: String, with names: [String], _ write: (_ temporary: String) throws -> Result
  ) throws -> Result {
    let place = Place("\(path)/.contents")
    place.removeLeftovers()
    // In a container every process may have the same number.
    try? FileManager.default.removeItem(atPath: place.temporary)
    guard mkdir(place.temporary, 0o777) == 0 else { throw FileFailure(path: path, action: "make a folder in it") }
    defer { try? FileManager.default.removeItem(atPath: place.temporary) }
    let result = try write(place.temporary)
    let made = names.filter { hasEntry(at: "\(place.temporary)/\($0)") }
    for name in made where hasEntry(at: "\(path)/\(name)") {
      throw FileFailure(path: "\(path)/\(name)", action: "put it here", code: EEXIST)
    }
    for (index, name) in made.enumerated() where rename("\(place.temporary)/\(name)", "\(path)/\(name)") != 0 {
      let failure = FileFailure(path: "\(path)/\(name)", action: "move it here")
      for moved in made[..<index] { try? FileManager.default.removeItem(atPath: "\(path)/\(moved)") }
      throw failure
    }
    try AtomicFile.sync(path)
    return result
  }

  /// Whether something has this name, if only a link that leads nowhere.
  package static func hasEntry(at path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  /// The path from the root, without links, `.` and `..` as far as it exists.
  package static func resolved(_ path: String) -> String {
    let place = URL(fileURLWithPath: path).standardizedFileURL
    // `none/../link` is a link only to those who do not look for `none`.
    for name in [path, place.path] {
      guard let real = realpath(name, nil) else { continue }
      defer { free(real) }
      return String(cString: real)
    }
    let above = place.deletingLastPathComponent()
    guard above.path != place.path else { return place.path }
    let folder = resolved(above.path)
    return (folder == "/" ? "" : folder) + "/" + place.lastPathComponent
  }

  /// All of a path but its last name; nil where nothing is above it.
  private static func parent(of path: String) -> String? {
    guard let end = path.lastIndex(where: { $0 != "/" }), let slash = path[..<end].lastIndex(of: "/"),
      slash > path.startIndex
    else { return nil }
    return String(path[..<slash])
  }
}
