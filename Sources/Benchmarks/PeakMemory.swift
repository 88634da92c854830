import Foundation

/// The most memory this process has held at once, as Linux counts it, since a moment of choice.
struct PeakMemory {
  /// Resident memory at that moment, in units of 2^20 bytes.
  private let before: Double

  /// Starts counting anew; nil where the system does not allow that.
  init?() {
    // "5" resets the peak of resident memory (man 5 proc). Not `Data.write`, which would try to replace the file.
    guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return nil }
    guard (try? file.write(contentsOf: Data("5".utf8))) != nil, let resident = Self.field("VmRSS") else { return nil }
    before = resident
  }

  /// The peak so far, and how much of it came since the start, in units of 2^20 bytes.
  var sinceStart: (peak: Double, grown: Double)? {
    Self.field("VmHWM").map { ($0, max(0, $0 - before)) }
  }

  private static func field(_ name: String) -> Double? {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
    return line.flatMap { Double($0.split { " \t".contains($0) }[1]) }.map { $0 / 1024 }
  }
}
