import Foundation

/// Folders that outputs go to.
package enum Folder {
  /// Makes a folder, with those above it; does nothing if it is there.
  package static func make(_ path: String) throws(FileFailure) {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      let code = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code
      throw FileFailure(
        path: path, action: "make this folder", code: code.map { Int32(truncatingIfNeeded: $0) } ?? EACCES)
    }
  }
}
