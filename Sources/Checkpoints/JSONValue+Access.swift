import Foundation

// Reading fields of texts that no type describes; nil where a value is absent or of another kind.
extension JSONValue {
  package subscript(key: String) -> JSONValue? { object?[key] }

  package var object: [String: JSONValue]? { if case .object(let fields) = self { fields } else { nil } }
  package var array: [JSONValue]? { if case .list(let values) = self { values } else { nil } }
  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var double: Double? { if case .number(let digits) = self { Double(digits) } else { nil } }
  package var int: Int? { double.flatMap { Int(exactly: $0) } }
  package var ints: [Int]? { array?.compactMap(\.int) }
  package var doubles: [Double]? { array?.compactMap(\.double) }
  package var strings: [String]? { array?.compactMap(\.string) }

  /// Parses a whole text; nil if it is not JSON.
  package init?(parsing data: Data) {
    guard let value = data.withUnsafeBytes({ bytes in try? JSONValue(bytes) }) else { return nil }
    self = value
  }
}
