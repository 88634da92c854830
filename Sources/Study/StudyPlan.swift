import Compute
import Evaluation
import Foundation
import Runtime

/// A blind comparison: rows of the benchmark of which all systems have a clip.
package struct StudyPlan: Sendable {
  package struct System: Sendable, Equatable {
    package let name: String
    package let clips: ClipSource

    package init(name: String, clips: ClipSource) {
      self.name = name
      self.clips = clips
    }

    package static func == (a: System, b: System) -> Bool { a.name == b.name && a.clips.directory == b.clips.directory }
  }

  package struct Question: Sendable, Equatable {
    package let row: Int
    package let reference: String
    /// A video whose first frame is the image that was given.
    package let target: String
    /// By systems, in their order.
    package let clips: [String]
  }

  /// Names, in order.
  package let systems: [String]
  package let questions: [Question]
  private let seed: UInt64

  /// What browsers play.
  static let contentTypes = ["mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "mov": "video/quicktime"]

  private static let mostSystems = 8

  /// Throws `StudyFailure` for fewer than two systems or systems of one name, and if no row can be asked about.
  package init(_ samples: [BenchmarkSample], _ systems: [System], seed: UInt64 = 42) throws {
    guard (2...Self.mostSystems).contains(systems.count) else {
      throw StudyFailure.systems("a study compares 2 to \(Self.mostSystems) systems, not \(systems.count)")
    }
    guard Set(systems.map(\.name)).count == systems.count else {
      throw StudyFailure.systems("two systems of the study have one name")
    }
    self.seed = seed
    self.systems = systems.map(\.name)
    questions = try samples.compactMap { sample in
      let files = try systems.map { try $0.clips.file(row: sample.row) }
      let clips = files.compactMap { $0 }.filter { Self.contentType(of: $0) != nil }
      guard clips.count == systems.count else { return nil }
      return Question(row: sample.row, reference: sample.referencePath, target: sample.targetPath, clips: clips)
    }
    guard !questions.isEmpty else { throw StudyFailure.noQuestions }
  }

  static func contentType(of path: String) -> String? {
    contentTypes[URL(fileURLWithPath: path).pathExtension.lowercased()]
  }

  /// What a database of votes must belong to.
  package var digest: String {
    ContentDigest(ofParts: systems + questions.map { "\($0.row)" } + ["\(seed)"]).description
  }

  func question(row: Int) -> Question? { questions.first { $0.row == row } }

  /// The order in which a participant gets the questions.
  package func rows(for participant: String) -> [Int] { shuffled(questions.map(\.row), key: "\(participant):rows") }

  /// The systems behind a participant's first, second, ... clip of a row.
  ///
  /// Follows from the participant and the row, so that a page that is loaded again shows the same.
  package func order(for participant: String, row: Int) -> [Int] {
    shuffled(Array(systems.indices), key: "\(participant):\(row)")
  }

  private func shuffled<Element>(_ elements: [Element], key: String) -> [Element] {
    let digest = ContentDigest(ofParts: ["\(seed)", key]).bytes
    var generator = RandomGenerator(seed: digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
    var elements = elements
    for last in stride(from: elements.count - 1, to: 0, by: -1) {
      elements.swapAt(last, generator.drawIndex(below: last + 1))
    }
    return elements
  }
}
