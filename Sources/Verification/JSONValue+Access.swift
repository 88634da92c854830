import Checkpoints

// Reading fields of `cases.json` that differ from case to case; nil where a value is absent or of another kind.
extension JSONValue {
  subscript(key: String) -> JSONValue? { object?[key] }

  var object: [String: JSONValue]? { if case .object(let fields) = self { fields } else { nil } }
  var array: [JSONValue]? { if case .list(let values) = self { values } else { nil } }
  var string: String? { if case .string(let value) = self { value } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var double: Double? { if case .number(let digits) = self { Double(digits) } else { nil } }
  var int: Int? { double.flatMap { Int(exactly: $0) } }
  var ints: [Int]? { array?.compactMap(\.int) }
  var doubles: [Double]? { array?.compactMap(\.double) }
  var strings: [String]? { array?.compactMap(\.string) }
}
