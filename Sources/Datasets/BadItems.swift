import Media
import Runtime
import Synchronization

/// Rows and videos that cannot be used: all are counted, the first ones kept by name.
package struct BadItems: Sendable, Equatable {
  package struct Item: Sendable, Equatable {
    /// Row of the manifest, counted from 1 with the header; nil if it is not known.
    package let row: Int?
    package let video: String
    package let reason: String

    package var line: String {
      [row.map { "row \($0)" }, video.isEmpty ? nil : printable(video, limit: 300), reason].compactMap { $0 }
        .joined(separator: ": ")
    }
  }

  package private(set) var count = 0
  package private(set) var items: [Item] = []
  /// A manifest of millions of broken rows is not kept in memory.
  package static let keptCount = 10_000

  package init() {}

  package mutating func note(row: Int?, video: String, reason: String) {
    count += 1
    if items.count < Self.keptCount { items.append(Item(row: row, video: video, reason: reason)) }
  }

  /// "the first: row 3: a.mp4: …"
  package var summary: String { items.first.map { "the first: \($0.line)" } ?? "none" }
}

/// How many bad items are borne.
package enum BadLimit: Sendable, Equatable, CustomStringConvertible {
  case count(Int)
  /// 0...1 of all.
  case share(Double)

  package static let usual = BadLimit.share(0.01)

  /// Parses "20" or "1%".
  package init?(_ text: String) {
    if text.hasSuffix("%") {
      guard let percent = Double(text.dropLast()), (0...100).contains(percent) else { return nil }
      self = .share(percent / 100)
    } else {
      guard let count = Int(text), count >= 0 else { return nil }
      self = .count(count)
    }
  }

  package func allows(_ bad: Int, of total: Int) -> Bool {
    switch self {
    case .count(let count): bad <= count
    case .share(let share): Double(bad) <= share * Double(total)
    }
  }

  package var description: String {
    switch self {
    case .count(let count): "\(count)"
    case .share(let share): share * 100 == (share * 100).rounded() ? "\(Int(share * 100))%" : "\(share * 100)%"
    }
  }
}

/// Counts the distinct videos that turn out to be unusable during a run, and ends it when they are too many.
package final class BadVideoTally: Sendable {
  private let path: String
  private let total: Int
  private let limit: BadLimit
  private let state: Mutex<(videos: Set<String>, items: BadItems)>

  /// - Parameters:
  ///   - path: the manifest, for messages.
  ///   - total: videos of the manifest.
  ///   - known: what was wrong with it already.
  package init(path: String, total: Int, limit: BadLimit, known: BadItems = BadItems()) {
    self.path = path
    self.total = total
    self.limit = limit
    state = Mutex((Set(known.items.map(\.video)), known))
  }

  package var items: BadItems { state.withLock { $0.items } }

  /// Notes a video that cannot be read.
  ///
  /// - Returns: whether it was not known before. Throws `DatasetFailure.tooManyBad`.
  @discardableResult
  package func note(_ bad: UnreadableVideo) throws -> Bool {
    try state.withLock { state in
      guard state.videos.insert(bad.video).inserted else { return false }
      state.items.note(row: nil, video: bad.video, reason: bad.reason)
      guard limit.allows(state.items.count, of: total) else {
        throw DatasetFailure.tooManyBad(path: path, bad: state.items, total: total, limit: limit)
      }
      return true
    }
  }
}

/// A video that cannot be found, decoded or used.
package struct UnreadableVideo: Failure, Equatable {
  /// As the manifest names it.
  package let video: String
  package let reason: String

  package var category: FailureCategory { .badInput }
  package var message: String { reason }

  /// Runs `body`, which reads `video`; failures that are the file's fault become this one, others stay what they are.
  package static func catching<Result>(_ video: String, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let failure as any Failure where isOfTheFile(failure) {
      throw UnreadableVideo(video: video, reason: failure.message)
    }
  }

  /// Also a file that takes too long, too much memory or a decoder that is not there.
  private static func isOfTheFile(_ failure: any Failure) -> Bool {
    if case .outOfMemory = failure as? MediaFailure { return false }
    return failure is MediaFailure || failure.category == .badInput
  }
}
