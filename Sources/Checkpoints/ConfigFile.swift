import Foundation
import Runtime

/// A JSON file that configures a model: `config.json`, `scheduler_config.json`, `model_index.json`.
///
/// Keys that a type does not decode are allowed, because published files carry settings of many versions.
package struct ConfigFile: Sendable {
  package let path: String
  /// The whole file as a tree, for fields that no type describes.
  package let contents: JSONValue

  /// Reads the file; throws `FileFailure` or `ConfigError`.
  package init(path: String, maximumByteCount: Int = Self.usualMaximum) throws {
    let file = try MappedFile(path: path)
    guard file.byteCount <= maximumByteCount else {
      throw ConfigError(path: path, problem: .tooLarge(byteCount: file.byteCount, limit: maximumByteCount))
    }
    if let format = file.withBytes({ ForeignFormat($0) }) {
      throw ConfigError(path: path, problem: .otherFormat(format))
    }
    self.path = path
    do {
      contents = try file.withBytes { bytes throws(JSONError) in try JSONValue(bytes) }
    } catch {
      throw ConfigError(path: path, problem: .notJSON(offset: error.offset, error.problem))
    }
  }

  /// Reads the file, or is nil if there is none at `path`.
  package init?(ifPresentAt path: String, maximumByteCount: Int = Self.usualMaximum) throws {
    do {
      try self.init(path: path, maximumByteCount: maximumByteCount)
    } catch let failure as FileFailure where failure.code == ENOENT {
      return nil
    }
  }

  /// In bytes; published configurations have a few thousand.
  package static let usualMaximum = 1 << 20

  /// Decodes and, for a `ValidatedConfig`, validates a configuration; errors name the file and the field.
  package func decode<Config: Decodable>(_ type: Config.Type) throws(ConfigError) -> Config {
    do {
      return try contents.decoded(as: type)
    } catch let error as InvalidField {
      throw ConfigError(path: path, problem: .invalid(field: error.field, why: error.why))
    } catch {
      throw ConfigError(path: path, error)
    }
  }

  /// Reads and decodes the file at `path`.
  package static func decode<Config: Decodable>(_ type: Config.Type, at path: String) throws -> Config {
    try ConfigFile(path: path).decode(type)
  }

  /// The class that the file configures, `_class_name`, if it says so.
  package var className: String? {
    guard case .object(let members) = contents, case .string(let name) = members["_class_name"] else { return nil }
    return name
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
