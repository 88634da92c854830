import Foundation
import Media
import Pages
import Runtime

/// The validations of a run as its report shows them, with their clips made small.
struct ValidationClips {
  struct Entry {
    let step: Int
    /// Nil where it cannot be read.
    let record: ValidationRecord?
    /// Nil for older ones, and where the clip cannot be read.
    let strip: ClipStrip?
    /// Why record or clip cannot be read.
    let fault: String?
  }

  private let folder: RunFolder
  private var strips: [Int: ClipStrip] = [:]

  /// Clips inside of the page: the first and the newest. With all of a long run it could not be opened.
  static let shownClips = 40

  init(_ folder: RunFolder) { self.folder = folder }

  /// Lets go of a clip that was made anew.
  mutating func forget(_ step: Int) { strips[step] = nil }

  /// All validations of a run's first steps, the newest first.
  mutating func entries(upTo last: Int) throws -> [Entry] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.validation)) ?? []
    let steps = names.compactMap(RunFolder.validationStep).filter { $0 <= last }.sorted(by: >)
    let shown = Set(steps.prefix(Self.shownClips - 1) + steps.suffix(1))
    strips = strips.filter { shown.contains($0.key) }
    return try steps.map { step in
      var record: ValidationRecord?
      do {
        let found = try ValidationRecord(path: folder.validationRecord(step: step))
        record = found
        if shown.contains(step), !found.panels.isEmpty, strips[step] == nil {
          strips[step] = try strip(step, found.panels)
        }
        return Entry(step: step, record: record, strip: strips[step], fault: nil)
      } catch let failure as any Failure where failure.category == .badInput {
        return Entry(step: step, record: record, strip: nil, fault: failure.message)
      }
    }
  }

  private func strip(_ step: Int, _ panels: [String]) throws -> ClipStrip {
    let reader = try VideoReader(path: folder.validationClip(step: step))
    let indices = Array(0..<(try reader.frameCount()))
    return try ClipStrip(
      reader.readFrames(at: indices, resizedTo: ClipStrip.size(of: reader.size)), panels: panels,
      scratch: folder.validation)
  }
}
