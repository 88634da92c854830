import Backbones
import Datasets
import Runtime

/// The rows of a manifest, encoded when they are asked for.
///
/// Videos that cannot be read are counted by name, and the run ends when they are too many.
package struct EncodedRows: Sendable {
  package let manifest: Manifest
  private let source: EncodedClipSource
  package let tally: BadVideoTally

  /// What a row is shown as, which decides how its caption is cleaned.
  package enum Role: Sendable { case target, reference }

  package init(_ manifest: Manifest, _ source: EncodedClipSource, limit: BadLimit = .usual) {
    self.manifest = manifest
    self.source = source
    tally = BadVideoTally(path: manifest.path, total: manifest.totalCount, limit: limit, known: manifest.bad)
  }

  /// Tells this data from other data: the manifest's digest.
  package var digest: String { manifest.digest.description }

  /// A row with its caption or a blank one; nil if its video cannot be read.
  ///
  /// - Parameter observer: warned of each bad video once.
  package func clip(
    _ index: Int, as role: Role, dropsCaption: Bool, observer: @escaping RunObserver
  ) throws -> EncodedClip? {
    let row = manifest[index]
    let caption = role == .target ? CaptionRules.target(row.caption) : CaptionRules.reference(row.caption)
    do {
      return try source.clip(row.video, caption: dropsCaption ? "" : caption, observer: observer)
    } catch let bad as UnreadableVideo {
      if try tally.note(bad) { observer(.warning("left out: \(bad.message)")) }
      return nil
    }
  }

  /// The first of a sample's attempts that gives something; throws `DatasetFailure.nothingLeft` if none does.
  package func firstReadable<Sample>(_ sample: (_ attempt: Int) throws -> Sample?) throws -> Sample {
    // Far more tries than a manifest within its limit of bad videos can need.
    for attempt in 0..<1000 {
      if let found = try sample(attempt) { return found }
    }
    throw DatasetFailure.nothingLeft(
      path: manifest.path, reasons: "a thousand samples in a row could not be read")
  }
}
