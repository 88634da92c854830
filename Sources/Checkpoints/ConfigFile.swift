import Foundation
import Runtime

/// A JSON file that configures a model: `config.json`, `scheduler_config.json`, `model_index.json`.
///
/// Keys that a type does not decode are allowed, because published files carry settings of many versions; `unknownKeys`
/// lists them.
package struct ConfigFile: Sendable {
  package let path: String
  private let contents: Data

  /// Reads the file; throws `FileFailure` or `ConfigError`.
  package init(path: String, maximumByteCount: Int = 1 << 20) throws {
    let file = try MappedFile(path: path)
    guard file.bytes.count <= maximumByteCount else {
      throw ConfigError(path: path, problem: .tooLarge(byteCount: file.bytes.count, limit: maximumByteCount))
    }
    if let format = ForeignFormat(file.bytes) { throw ConfigError(path: path, problem: .otherFormat(format)) }
    self.path = path
    contents = Data(file.bytes)
  }

  /// Decodes and, for a `ValidatedConfig`, validates a configuration; errors name the file and the field.
  package func decode<Config: Decodable>(_ type: Config.Type) throws(ConfigError) -> Config {
    do {
      let config = try JSONDecoder().decode(type, from: contents)
      if let validated = config as? any ValidatedConfig { try validated.validate() }
      return config
    } catch let error as DecodingError {
      throw ConfigError(path: path, error)
    } catch let error as InvalidField {
      throw ConfigError(path: path, problem: .invalid(field: error.field, why: error.why))
    } catch {
      throw ConfigError(path: path, problem: .notJSON(error.localizedDescription))
    }
  }

  /// Reads and decodes the file at `path`.
  package static func decode<Config: Decodable>(_ type: Config.Type, at path: String) throws -> Config {
    try ConfigFile(path: path).decode(type)
  }

  /// The class that the file configures, `_class_name`, if it says so.
  package var className: String? { (try? decode(ClassName.self))?._class_name }

  /// Top-level keys outside of `known`, sorted.
  package func unknownKeys(besides known: some Sequence<String>) throws(ConfigError) -> [String] {
    Set(try decode(Keys.self).names).subtracting(known).sorted()
  }

  private struct ClassName: Decodable {
    var _class_name: String?
  }

  private struct Keys: Decodable {
    struct Key: CodingKey {
      let stringValue: String
      init?(stringValue: String) { self.stringValue = stringValue }
      var intValue: Int? { nil }
      init?(intValue: Int) { nil }
    }

    let names: [String]

    init(from decoder: any Decoder) throws {
      names = try decoder.container(keyedBy: Key.self).allKeys.map(\.stringValue)
    }
  }
}

/// A configuration whose fields must agree with each other; `ConfigFile` validates what it decodes.
package protocol ValidatedConfig: Decodable {
  func validate() throws(InvalidField)
}

/// A field whose value cannot be used.
package struct InvalidField: Error, Equatable {
  package let field: String
  package let why: String

  /// - Parameter why: completes the sentence "field …", such as "must be positive, not -3".
  package init(_ field: String, _ why: String) {
    self.field = field
    self.why = why
  }
}

/// Why a configuration file cannot be used.
package struct ConfigError: Failure, Equatable {
  package enum Problem: Sendable, Equatable {
    case tooLarge(byteCount: Int, limit: Int)
    case otherFormat(ForeignFormat)
    case notJSON(String)
    case missing(field: String)
    case wrongType(field: String, expected: String)
    case outOfRange(field: String, why: String)
    case invalid(field: String, why: String)
  }

  package let path: String
  package let problem: Problem

  package init(path: String, problem: Problem) {
    self.path = path
    self.problem = problem
  }

  package var category: FailureCategory { .badInput }

  package var message: String {
    switch problem {
    case .tooLarge(let count, let limit): "\(path): \(count) bytes are too many for a configuration; at most \(limit)"
    case .otherFormat(let format): "\(path): \(format.explanation)"
    case .notJSON(let why): "\(path): not valid JSON: \(printable(why))"
    case .missing(let field): "\(path): the field '\(printable(field))' is missing"
    case .wrongType(let field, let expected): "\(path): the field '\(printable(field))' must be \(expected)"
    case .outOfRange(let field, let why): "\(path): the field '\(printable(field))' is out of range: \(printable(why))"
    case .invalid(let field, let why): "\(path): the field '\(printable(field))' \(printable(why))"
    }
  }

  fileprivate init(path: String, _ error: DecodingError) {
    self.path = path
    switch error {
    case .keyNotFound(let key, let context):
      problem = .missing(field: Self.name(context.codingPath + [key]))
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      problem = .wrongType(field: Self.name(context.codingPath), expected: Self.word(for: type))
    case .dataCorrupted(let context) where context.codingPath.isEmpty:
      let detail = (context.underlyingError as NSError?)?.userInfo[NSDebugDescriptionErrorKey] as? String
      problem = .notJSON(detail ?? context.debugDescription)
    case .dataCorrupted(let context):
      problem = .outOfRange(field: Self.name(context.codingPath), why: context.debugDescription)
    @unknown default:
      problem = .notJSON(error.localizedDescription)
    }
  }

  /// `a.b[2]`; the file itself if the path is empty.
  private static func name(_ path: [any CodingKey]) -> String {
    guard !path.isEmpty else { return "(whole file)" }
    return path.reduce("") { name, key in
      if let index = key.intValue { return "\(name)[\(index)]" }
      return name.isEmpty ? key.stringValue : "\(name).\(key.stringValue)"
    }
  }

  private static func word(for type: Any.Type) -> String {
    switch type {
    case is any BinaryInteger.Type: "a whole number"
    case is any BinaryFloatingPoint.Type: "a number"
    case is String.Type: "text"
    case is Bool.Type: "true or false"
    case is [Any].Type: "a list"
    default: "an object"
    }
  }
}
