import Evaluation
import Foundation
import Runtime

/// The text that tells a judge how to score, with one place for the criteria of the sample's condition.
package struct JudgeTemplate: Sendable {
  private let before: String
  private let after: String

  package static let placeholder = "{criteria}"

  /// Reads a text file. Throws `JudgeFailure` unless the placeholder occurs exactly once; other braces stay as they are.
  package init(path: String) throws {
    let text = try JudgeText.read(path)
    let parts = text.components(separatedBy: Self.placeholder)
    guard parts.count == 2 else {
      throw JudgeFailure.template(path: path, count: parts.count - 1)
    }
    (before, after) = (parts[0], parts[1])
  }

  package func text(criteria: String) -> String { before + criteria + after }
}

/// What to look for in each semantic condition: texts in a folder, one file for a condition in a folder for its category.
///
/// `<folder>/<category>/<condition>.txt` says what the condition demands, `<folder>/<category>/category.txt` what all of
/// the category have in common; both are given to the judge.
package struct JudgeCriteria: Sendable {
  private let directory: String
  private let files: [String: String]
  private let common: [String: String]

  private static let commonName = "category"

  /// Reads all files. Throws `JudgeFailure` for empty ones and for two of one condition.
  package init(directory: String) throws {
    var files: [String: String] = [:]
    var common: [String: String] = [:]
    for folder in try Self.names(in: directory) {
      let path = "\(directory)/\(folder)"
      for name in try Self.names(in: path) where name.hasSuffix(".txt") {
        let text = try JudgeText.read("\(path)/\(name)").trimmingCharacters(in: .whitespacesAndNewlines)
        guard !text.isEmpty else { throw JudgeFailure.emptyCriteria(path: "\(path)/\(name)") }
        let stem = String(name.dropLast(4))
        if stem == Self.commonName {
          common[folder] = text
        } else {
          let condition = SemanticCategory.normalized(stem)
          guard files.updateValue("\(folder)\n\(text)", forKey: condition) == nil else {
            throw JudgeFailure.repeatedCriteria(condition: condition, directory: directory)
          }
        }
      }
    }
    self.directory = directory
    self.files = files
    self.common = common
  }

  /// The names of conditions that have criteria.
  package var conditions: [String] { files.keys.sorted() }

  /// The criteria of a condition. Throws `JudgeFailure` if there are none: a judge without them would score something
  /// else.
  package func text(for condition: String?) throws(JudgeFailure) -> String {
    guard let condition else { throw .noCondition }
    let name = SemanticCategory.normalized(condition)
    guard let entry = files[name], let end = entry.firstIndex(of: "\n") else {
      throw .noCriteria(condition: condition, path: "\(directory)/<category>/\(name).txt")
    }
    let text = String(entry[entry.index(after: end)...])
    return [text, common[String(entry[..<end])]].compactMap { $0 }.joined(separator: "\n")
  }

  private static func names(in directory: String) throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: directory).filter { !$0.hasPrefix(".") }.sorted()
    } catch let error as CocoaError where error.code == .fileReadUnknown || error.code == .fileReadNoSuchFile {
      // A file beside the folders, such as a README, holds no criteria.
      guard FileManager.default.fileExists(atPath: directory) else {
        throw FileFailure(path: directory, action: "read criteria in it", code: ENOENT)
      }
      return []
    }
  }
}

/// Text files of a judge.
enum JudgeText {
  private static let mostBytes = 1 << 20

  static func read(_ path: String) throws -> String {
    let file = try MappedFile(path: path)
    guard file.byteCount <= mostBytes, let text = file.withBytes({ String(validating: $0, as: UTF8.self) }) else {
      throw JudgeFailure.notText(path: path)
    }
    return text
  }
}
