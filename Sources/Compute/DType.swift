/// Element type of stored tensors. Arithmetic is in `float32`; the other types are storage only.
package enum DType: String, Sendable, CaseIterable, Codable {
  case float64, float32, float16, bfloat16
  case int64, int32, int16, int8, uint8, bool

  /// Size of one element in bytes.
  package var byteCount: Int {
    switch self {
    case .float64, .int64: 8
    case .float32, .int32: 4
    case .float16, .bfloat16, .int16: 2
    case .int8, .uint8, .bool: 1
    }
  }

  /// Whether weights of this type can be used in a model.
  package var isWeight: Bool { self == .float32 || self == .float16 || self == .bfloat16 }
}
