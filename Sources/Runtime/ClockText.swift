import Foundation

/// A duration as people read it on a clock: "1:02:03", or "0:27" below an hour.
package func clockText(_ seconds: Double) -> String {
  let total = Int(min(max(0, seconds), 1e9).rounded())
  let (hours, minutes) = (total / 3600, total / 60 % 60)
  return hours > 0
    ? String(format: "%d:%02d:%02d", hours, minutes, total % 60) : String(format: "%d:%02d", minutes, total % 60)
}
