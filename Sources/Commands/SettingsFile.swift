import Foundation
import Runtime
import Yams

/// A YAML file of settings, `key: value`.
struct SettingsFile {
  private let path: String
  private let text: String
  /// Its keys, in order.
  let keys: [String]

  /// Throws `SettingsFailure` or `FileFailure`.
  init(path: String) throws {
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw FileFailure(path: path, action: "read settings", code: ENOENT)
    }
    guard data.count <= 1 << 20 else { throw SettingsFailure(path: path, problem: "is too large for settings") }
    guard let text = String(data: data, encoding: .utf8) else {
      throw SettingsFailure(path: path, problem: "is not UTF-8 text")
    }
    self.path = path
    self.text = text
    keys = try Self.explained(path) {
      guard let node = try Yams.compose(yaml: text) else { return [] }
      guard let mapping = node.mapping else {
        throw SettingsFailure(path: path, problem: "is not a list of 'key: value'")
      }
      return mapping.keys.map { $0.string ?? "?" }
    }
  }

  /// Throws for the first key outside of `known`.
  func checkKeys(_ known: some Sequence<String>) throws(SettingsFailure) {
    let known = Set(known)
    guard let unknown = keys.first(where: { !known.contains($0) }) else { return }
    throw SettingsFailure(
      path: path,
      problem: "has an unknown key '\(printable(unknown))'; known are \(known.sorted().joined(separator: ", "))")
  }

  /// The settings; nil for a file without any.
  func decode<Settings: Decodable>(_ type: Settings.Type) throws -> Settings? {
    guard !keys.isEmpty else { return nil }
    return try Self.explained(path) { try YAMLDecoder().decode(type, from: text) }
  }

  /// A path that stands in the file, which is relative to the file's folder.
  static func resolve(_ path: String, beside file: String) -> String {
    URL(fileURLWithPath: path, relativeTo: URL(fileURLWithPath: file).deletingLastPathComponent()).path
  }

  /// Turns what the YAML library throws into one line that names file and field.
  private static func explained<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let failure as SettingsFailure {
      throw failure
    } catch let error as DecodingError {
      throw SettingsFailure(path: path, problem: explain(error))
    } catch {
      throw SettingsFailure(path: path, problem: "is not valid YAML: \(printable("\(error)", limit: 200))")
    }
  }

  private static func explain(_ error: DecodingError) -> String {
    switch error {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      let field = context.codingPath.map(\.stringValue).joined(separator: ".")
      return field.isEmpty
        ? "is not valid YAML: \(printable(context.debugDescription, limit: 200))"
        : "has an unusable value for '\(printable(field))'"
    case .keyNotFound(let key, _): return "lacks '\(key.stringValue)'"
    @unknown default: return "is not usable"
    }
  }
}

/// A settings file that cannot be used.
struct SettingsFailure: Failure, Equatable {
  let path: String
  let problem: String
  var category: FailureCategory { .badInput }
  var message: String { "\(path) \(problem)" }
}
