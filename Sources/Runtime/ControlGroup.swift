import Foundation

/// The control groups of a process, which may limit its memory (Linux, versions 1 and 2).
package struct ControlGroup {
  /// The lowest limit of the process's group and of those around it, in bytes; nil if there is none.
  package let memoryLimit: Int?

  /// - Parameters:
  ///   - list: the file with a line `number:controllers:path` for each hierarchy; version 2 is `0::path`.
  ///   - root: where the groups' folders lie.
  package init(list: String = "/proc/self/cgroup", root: String = "/sys/fs/cgroup") {
    let text = (try? String(contentsOfFile: list, encoding: .utf8)) ?? "0::/"
    let limits = text.split(separator: "\n").flatMap { line in
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { return [Int]() }
      if fields[1].split(separator: ",").contains("memory") {
        return Self.limits(["memory.limit_in_bytes"], from: root + "/memory", to: fields[2])
      }
      // Above `memory.high` a process is slowed down without end instead of killed.
      return fields[0] == "0" ? Self.limits(["memory.max", "memory.high"], from: root, to: fields[2]) : []
    }
    memoryLimit = limits.min()
  }

  /// The limits of a group's folder and of all above it; a container may show fewer folders than the path names.
  private static func limits(_ names: [String], from root: String, to path: Substring) -> [Int] {
    var folders = [root]
    for part in path.split(separator: "/") {
      // A path out of what this process can see.
      guard part != ".." else { break }
      folders.append("\(folders[folders.count - 1])/\(part)")
    }
    return folders.flatMap { folder in
      names.compactMap { name in
        // "max", or nothing, is no limit.
        (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)).flatMap {
          Int($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
      }
    }.filter { $0 >= 0 }
  }
}
