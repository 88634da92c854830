import Foundation

/// The processors of a machine that a process may run on.
struct ProcessorShare: Sendable, Equatable, Codable {
  let machine: String
  let processors: Set<Int>

  init(machine: String, processors: Set<Int>) {
    self.machine = machine
    self.processors = processors
  }

  /// Those of this process; a launcher may have bound it to some.
  init() {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    machine = name.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
    processors =
      line.flatMap { Self.processors($0.drop { $0 != ":" }.dropFirst()) }
      ?? Set(0..<ProcessInfo.processInfo.activeProcessorCount)
  }

  /// Parses Linux's lists, "0-3,8"; nil for other text.
  static func processors(_ list: some StringProtocol) -> Set<Int>? {
    var found: Set<Int> = []
    for part in list.split(separator: ",") {
      let ends = part.split(separator: "-").map { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
      guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first <= last else {
        return nil
      }
      found.formUnion(first...last)
    }
    return found.isEmpty ? nil : found
  }

  /// Threads for one of several processes: its processors, divided among all that may run on some of them.
  static func threads(for own: ProcessorShare, among all: [ProcessorShare]) -> Int {
    let sharing = all.count { $0.machine == own.machine && !$0.processors.isDisjoint(with: own.processors) }
    return max(1, own.processors.count / max(1, sharing))
  }
}

extension Collective {
  /// Threads for this rank to compute on, so that the ranks of a machine share its processors.
  package func threadShare() throws -> Int {
    let own = ProcessorShare()
    let all = try gathered(String(decoding: try JSONEncoder().encode(own), as: UTF8.self))
    return ProcessorShare.threads(
      for: own, among: try all.map { try JSONDecoder().decode(ProcessorShare.self, from: Data($0.utf8)) })
  }
}
