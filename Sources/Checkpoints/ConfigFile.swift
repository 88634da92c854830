import Runtime

/// A JSON file that configures a model: `config.json`, `scheduler_config.json`, `model_index.json`.
///
/// Keys that a type does not decode are allowed, because published files carry settings of many versions; `unknownKeys`
/// lists them.
package struct ConfigFile: Sendable {
  package let path: String
  private let contents: JSONValue

  /// Reads the file; throws `FileFailure` or `ConfigError`.
  package init(path: String, maximumByteCount: Int = 1 << 20) throws {
    let file = try MappedFile(path: path)
    guard file.bytes.count <= maximumByteCount else {
      throw ConfigError(path: path, problem: .tooLarge(byteCount: file.bytes.count, limit: maximumByteCount))
    }
    if let format = ForeignFormat(file.bytes) { throw ConfigError(path: path, problem: .otherFormat(format)) }
    self.path = path
    do {
      contents = try JSONValue(file.bytes)
    } catch {
      throw ConfigError(path: path, problem: .notJSON(offset: error.offset, error.problem))
    }
  }

  /// Decodes and, for a `ValidatedConfig`, validates a configuration; errors name the file and the field.
  package func decode<Config: Decodable>(_ type: Config.Type) throws(ConfigError) -> Config {
    do {
      let config = try JSONValueDecoder(contents).decode(type)
      if let validated = config as? any ValidatedConfig { try validated.validate() }
      return config
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

  /// Top-level keys outside of `known`, sorted.
  package func unknownKeys(besides known: some Sequence<String>) -> [String] {
    guard case .object(let members) = contents else { return [] }
    return Set(members.keys).subtracting(known).sorted()
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
    case notJSON(offset: Int, JSONError.Problem)
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
    case .notJSON(let offset, let problem): "\(path): not valid JSON: the text \(problem.explanation) (byte \(offset))"
    case .missing(let field): "\(path): the field '\(printable(field))' is missing"
    case .wrongType(let field, let expected): "\(path): the field '\(printable(field))' must be \(expected)"
    case .outOfRange(let field, let why): "\(path): the field '\(printable(field))' is out of range: \(printable(why))"
    case .invalid(let field, let why): "\(path): the field '\(printable(field))' \(printable(why))"
    }
  }

  /// - Parameter error: by the decoder, or by a type's own decoding.
  fileprivate init(path: String, _ error: any Error) {
    self.path = path
    switch error {
    case DecodingError.keyNotFound(let key, let context):
      problem = .missing(field: Self.name(context.codingPath + [key]))
    case DecodingError.typeMismatch(let type, let context), DecodingError.valueNotFound(let type, let context):
      problem = .wrongType(field: Self.name(context.codingPath), expected: Self.word(for: type))
    case DecodingError.dataCorrupted(let context):
      problem = .outOfRange(field: Self.name(context.codingPath), why: context.debugDescription)
    default:
      problem = .invalid(field: Self.name([]), why: "cannot be decoded: \(error)")
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
