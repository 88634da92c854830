import Checkpoints
import Foundation
import Runtime

extension BenchmarkGeneration {
  /// What decides the videos besides the rows; kept with them, so that videos of different settings are not mixed.
  package struct Settings: Codable, Equatable, Sendable {
    package let benchmark: String
    package let model: String
    package let weights: String
    package let seed: UInt64
    package let steps: Int
    package let guidance: String
    package let scheduler: String
    package let size: String
    package let negativeCaption: String
    package let frameRate: String
    /// Digest of what lies over the model's weights; nil if nothing does.
    package let additions: String?
    /// nil if references are shown.
    package let references: String?
  }
}

extension BenchmarkGeneration.Settings {
  /// What keys hold a digest of, which tells a reader nothing but whether two are equal.
  private static let digested = [
    CodingKeys.benchmark.stringValue: "benchmark table", CodingKeys.weights.stringValue: "weights of the model",
    CodingKeys.additions.stringValue: "expert or LoRA",
  ]
  /// What it means that a key is not there.
  private static let absent = [
    CodingKeys.additions.stringValue: "none", CodingKeys.references.stringValue: "shown",
  ]

  /// How two texts of settings differ, key by key; nil if they do not.
  ///
  /// - Parameters:
  ///   - there: what was found in a folder.
  ///   - here: the settings of this run.
  static func difference(there: Data, here: Data) -> String? {
    guard there != here else { return nil }
    guard let there = JSONValue(parsing: there)?.object, let here = JSONValue(parsing: here)?.object else {
      return "settings.json cannot be read"
    }
    let keys = Set(there.keys).union(here.keys).sorted().filter { there[$0] != here[$0] }
    return keys.isEmpty ? nil : keys.map { difference(of: $0, there[$0], here[$0]) }.joined(separator: "; ")
  }

  private static func difference(of key: String, _ there: JSONValue?, _ here: JSONValue?) -> String {
    func text(_ value: JSONValue?) -> String {
      guard let value else { return absent[key] ?? "not set" }
      if digested[key] != nil { return "given" }
      return printable(value.string ?? value.text.trimmingCharacters(in: .whitespacesAndNewlines), limit: 60)
    }
    let title = digested[key] ?? printable(key)
    if digested[key] != nil, there != nil, here != nil { return "\(title): not the same" }
    return "\(title): \(text(there)) there, \(text(here)) here"
  }
}
