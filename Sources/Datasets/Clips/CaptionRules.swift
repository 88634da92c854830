import Foundation

/// How captions are cleaned before training, as published: what language models like to begin with is cut off the
/// target's caption; a reference's keeps it.
package enum CaptionRules {
  /// Longer forms of a phrase come after shorter ones in the published list; the first that fits counts.
  static let openings: [String] = {
    let phrases = ["In the video,", "In this video,", "In this video clip,", "In the clip,", "Caption:"]
    let subjects = [
      "This video", "The video", "This clip", "The clip", "The animation", "This image", "The image", "This picture",
      "The picture",
    ]
    let verbs = ["shows", "depicts", "features", "captures", "highlights", "introduces", "presents"]
    return phrases + subjects.flatMap { subject in verbs.map { "\(subject) \($0)" } }
  }()

  package static func target(_ caption: String) -> String {
    for opening in openings where caption.hasPrefix(opening) {
      return trimmed(caption.dropFirst(opening.count))
    }
    return caption
  }

  package static func reference(_ caption: String) -> String { trimmed(caption[...]) }

  /// Without white space at either end.
  private static func trimmed(_ text: Substring) -> String {
    // Every step asks for this, and Foundation takes long to find nothing; most captions begin and end with a letter.
    let visible: ClosedRange<UInt8> = 0x21...0x7E
    if let first = text.utf8.first, let last = text.utf8.last, visible.contains(first), visible.contains(last) {
      return String(text)
    }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
