import Foundation

/// The memory of this machine and of this process.
package enum MachineMemory {
  /// Bytes of the machine, or the limit of this process's control groups if that is lower.
  package static var limit: Int {
    min(Int(clamping: ProcessInfo.processInfo.physicalMemory), ControlGroup().memoryLimit ?? .max)
  }

  /// Bytes between what this process holds and the limit.
  package static var left: Int { max(0, limit - resident) }

  /// Bytes that this process may take now: they are within the limit, and the machine has them to spare.
  package static var available: Int { min(left, bytes("MemAvailable", in: "/proc/meminfo") ?? .max) }

  /// Bytes by which this process's address space may still grow; nil if it has no limit (`ulimit -v`).
  package static var addressSpaceLeft: Int? {
    addressSpaceLimit.map { max(0, $0 - (bytes("VmSize") ?? 0)) }
  }

  /// Bytes that the address space may have in all: memory, libraries, and mapped files with all their pages; nil for no
  /// limit.
  package static var addressSpaceLimit: Int? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0 else { return nil }
    let bytes = Int(clamping: limit.rlim_cur)
    return bytes == .max ? nil : bytes
  }

  /// Bytes that this process holds now, as Linux counts them.
  package static var resident: Int { bytes("VmRSS") ?? 0 }
  /// The most bytes that this process has held.
  package static var peakResident: Int { bytes("VmHWM") ?? 0 }

  /// A field of a file in /proc, which counts in units of 1024 bytes; nil where there is none.
  private static func bytes(_ name: String, in path: String = "/proc/self/status") -> Int? {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
    return (line?.split { " \t".contains($0) }.dropFirst().first).flatMap { Int($0) }.map { $0 * 1024 }
  }
}

/// "7.50 GiB", or "12.3 MiB" below a gibibyte.
package func byteText(_ bytes: Int) -> String {
  bytes >= 1 << 30
    ? String(format: "%.2f GiB", Double(bytes) / 0x1p30) : String(format: "%.1f MiB", Double(bytes) / 0x1p20)
}
