import Foundation
import Runtime

/// The folder that a manifest's paths are relative to, and the rule that files must lie in it.
package struct DataFolder: Sendable, Equatable {
  package let path: String
  private let realPath: String
  private let followsLinks: Bool

  /// Throws `FileFailure` if there is no such folder.
  ///
  /// - Parameter followsLinks: whether links may lead out of the folder, as in the caches of some download tools.
  package init(_ path: String, followsLinks: Bool = false) throws {
    guard let realPath = Self.realPath(path) else { throw FileFailure(path: path, action: "find this data folder") }
    self.path = path
    self.realPath = realPath
    self.followsLinks = followsLinks
  }

  /// The place of a file given relative to the folder.
  ///
  /// Throws `DatasetFailure.outside` if it leads out, `FileFailure` if there is no such file.
  package func file(_ name: String) throws -> String {
    guard let name = Self.normalized(name) else { throw DatasetFailure.outside(path: name, root: path) }
    let place = "\(path)/\(name)"
    guard let real = Self.realPath(place) else { throw FileFailure(path: place, action: "open") }
    guard followsLinks || real.hasPrefix(realPath == "/" ? "/" : realPath + "/") else {
      throw DatasetFailure.outside(path: name, root: path)
    }
    return place
  }

  /// A relative path without empty and `.` components, so that each file has one name; nil if it is empty, absolute or
  /// has `..` in it.
  package static func normalized(_ name: String) -> String? {
    guard !name.hasPrefix("/"), !name.utf8.contains(0) else { return nil }
    let parts = name.split(separator: "/").filter { $0 != "." }
    guard !parts.isEmpty, !parts.contains("..") else { return nil }
    return parts.joined(separator: "/")
  }

  private static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
