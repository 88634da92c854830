import Foundation
import Runtime
import Yams

/// Settings of a command that stand in a YAML file under the names of its options.
protocol CommandSettings: Decodable {
  associatedtype CodingKeys: CodingKey & CaseIterable & RawRepresentable<String>
  init()
}

/// Reads YAML files of settings.
enum SettingsFile {
  /// More than any settings need; a bomb of aliases is refused before it is parsed.
  private static let sizeLimit = 1 << 20

  static func decode<Settings: CommandSettings>(_ type: Settings.Type, at path: String) throws -> Settings {
    let text = try read(path)
    do {
      guard let node = try Yams.compose(yaml: text) else { return Settings() }
      guard let mapping = node.mapping else { throw SettingsFailure(path: path, problem: "is not a list of 'key: value'") }
      let known = Set(Settings.CodingKeys.allCases.map(\.rawValue))
      if let unknown = mapping.keys.lazy.map({ $0.string ?? "?" }).first(where: { !known.contains($0) }) {
        throw SettingsFailure(
          path: path,
          problem: "has an unknown key '\(printable(unknown))'; known are \(known.sorted().joined(separator: ", "))")
      }
      return mapping.isEmpty ? Settings() : try YAMLDecoder().decode(Settings.self, from: text)
    } catch let failure as SettingsFailure {
      throw failure
    } catch let error as DecodingError {
      throw SettingsFailure(path: path, problem: explain(error))
    } catch {
      throw SettingsFailure(path: path, problem: "is not valid YAML: \(printable("\(error)", limit: 200))")
    }
  }

  private static func read(_ path: String) throws -> String {
    let file = try RegularFile(path: path)
    guard file.size <= sizeLimit else { throw SettingsFailure(path: path, problem: "is too large for settings") }
    let data = try FileHandle(fileDescriptor: file.descriptor, closeOnDealloc: false).readToEnd() ?? Data()
    guard let text = String(data: data, encoding: .utf8) else {
      throw SettingsFailure(path: path, problem: "is not UTF-8 text")
    }
    return text
  }

  private static func explain(_ error: DecodingError) -> String {
    func field(_ context: DecodingError.Context) -> String {
      printable(context.codingPath.map(\.stringValue).joined(separator: "."))
    }
    switch error {
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      return "has an unusable value for '\(field(context))': it must be \(describe(type))"
    case .dataCorrupted(let context):
      return context.codingPath.isEmpty
        ? "is not valid YAML: \(printable(context.debugDescription, limit: 200))"
        : "has an unusable value for '\(field(context))': \(printable(context.debugDescription, limit: 200))"
    case .keyNotFound(let key, _): return "lacks '\(key.stringValue)'"
    @unknown default: return "is not usable"
    }
  }

  private static func describe(_ type: Any.Type) -> String {
    switch type {
    case is Bool.Type: "true or false"
    case is any UnsignedInteger.Type: "a whole number, 0 or more"
    case is any FixedWidthInteger.Type: "a whole number"
    case is any FloatingPoint.Type: "a number"
    case is String.Type: "text"
    case is [Any].Type, is [String].Type: "a list"
    default: "of another kind"
    }
  }
}

/// A settings file that cannot be used.
struct SettingsFailure: Failure, Equatable {
  let path: String
  let problem: String
  var category: FailureCategory { .badInput }
  var message: String { "\(printable(path, limit: 1024)) \(problem)" }
}
