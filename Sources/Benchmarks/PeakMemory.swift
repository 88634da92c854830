import Foundation
import Runtime

/// The most memory this process has held at once, as Linux counts it, since a moment of choice.
struct PeakMemory {
  /// Resident memory at that moment, in units of 2^20 bytes.
  private let before: Double

  /// Starts counting anew; nil where the system does not allow that.
  init?() {
    // "5" resets the peak of resident memory (man 5 proc). Not `Data.write`, which would try to replace the file.
    guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return nil }
    let resident = MachineMemory.resident
    guard (try? file.write(contentsOf: Data("5".utf8))) != nil, resident > 0 else { return nil }
    before = Double(resident) / 0x1p20
  }

  /// The peak so far, and how much of it came since the start, in units of 2^20 bytes.
  var sinceStart: (peak: Double, grown: Double)? {
    let peak = Double(MachineMemory.peakResident) / 0x1p20
    return peak > 0 ? (peak, max(0, peak - before)) : nil
  }
}
