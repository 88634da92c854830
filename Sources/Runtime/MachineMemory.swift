import Foundation

/// The memory of this machine and of this process.
package enum MachineMemory {
  /// Bytes of the machine, or the limit of this process's control group if that is lower.
  package static var limit: Int {
    let physical = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    guard let text = try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8),
      let limit = Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    else { return physical }
    return min(physical, limit)
  }

  /// Bytes that this process holds now, as Linux counts them.
  package static var resident: Int { bytes("VmRSS") }
  /// The most bytes that this process has held.
  package static var peakResident: Int { bytes("VmHWM") }

  /// A field of /proc/self/status, which counts in units of 1024 bytes; 0 where there is none.
  private static func bytes(_ name: String) -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
    return (line?.split { " \t".contains($0) }.dropFirst().first).flatMap { Int($0) }.map { $0 * 1024 } ?? 0
  }
}

/// "7.50 GiB", or "12.3 MiB" below a gibibyte.
package func byteText(_ bytes: Int) -> String {
  bytes >= 1 << 30
    ? String(format: "%.2f GiB", Double(bytes) / 0x1p30) : String(format: "%.1f MiB", Double(bytes) / 0x1p20)
}
