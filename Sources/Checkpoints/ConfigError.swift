import Runtime

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
  init(path: String, _ error: any Error) {
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
