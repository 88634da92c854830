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

  /// All of a path but its last name; nil where nothing is above it.
  private static func parent(of path: String) -> String? {
    guard let end = path.lastIndex(where: { $0 != "/" }), let slash = path[..<end].lastIndex(of: "/"),
      slash > path.startIndex
    else { return nil }
    return String(path[..<slash])
  }
}
