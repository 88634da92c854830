import Compute

/// The values of a pickle, in a list and referring to each other by index: so neither depth nor cycles in a file can
/// exhaust the stack.
struct PickleGraph {
  typealias Reference = Int

  enum Value {
    case none
    case bool(Bool)
    case integer(Int)
    /// An integer of more than 64 bits: little end first, two's complement.
    case bigInteger([UInt8])
    case real
    case text(String)
    case tuple([Reference])
    case list([Reference])
    /// A dictionary, or the attributes of an object of a TorchScript class.
    case members([(key: Reference, value: Reference)], isObject: Bool)
    case global(PickleGlobal)
    case storage(StorageReference)
    case tensor(TensorReference)
  }

  private(set) var values: [Value] = []

  static let mostValues = 4_000_000

  subscript(reference: Reference) -> Value { values[reference] }

  /// The index of a new value; nil if there are too many already.
  mutating func add(_ value: Value) -> Reference? {
    guard values.count < Self.mostValues else { return nil }
    values.append(value)
    return values.count - 1
  }

  /// Adds elements to a list in place; false if it is none.
  mutating func append(_ elements: ArraySlice<Reference>, to list: Reference) -> Bool {
    guard case .list(var items) = values[list] else { return false }
    // The array must have one owner while it grows, or every call would copy it.
    values[list] = .none
    items += elements
    values[list] = .list(items)
    return true
  }

  /// Adds alternating keys and values to a dictionary in place; false if it is none.
  mutating func insert(_ pairs: ArraySlice<Reference>, into dictionary: Reference) -> Bool {
    guard case .members(var items, let isObject) = values[dictionary], pairs.count % 2 == 0 else { return false }
    values[dictionary] = .none
    for index in stride(from: pairs.startIndex, to: pairs.endIndex, by: 2) {
      items.append((pairs[index], pairs[index + 1]))
    }
    values[dictionary] = .members(items, isObject: isObject)
    return true
  }

  func integer(_ reference: Reference) -> Int? {
    if case .integer(let value) = values[reference] { value } else { nil }
  }
  func text(_ reference: Reference) -> String? { if case .text(let value) = values[reference] { value } else { nil } }
  func tuple(_ reference: Reference) -> [Reference]? {
    if case .tuple(let items) = values[reference] { items } else { nil }
  }

  /// The value under a text key of a dictionary.
  func member(_ key: String, of dictionary: Reference) -> Reference? {
    guard case .members(let items, _) = values[dictionary] else { return nil }
    return items.last { text($0.key) == key }?.value
  }
}

/// A run of elements of one type, saved beside the pickle.
struct StorageReference: Equatable {
  let key: String
  let dtype: DType
  let elementCount: Int
}

/// A view of a storage; offset and strides count elements. Not checked against the storage.
struct TensorReference {
  let storage: StorageReference
  let offset: Int
  let extents: [Int]
  let strides: [Int]
}

/// What a pickle of tensors may refer to by name; nothing else has a meaning here.
enum PickleGlobal: Equatable {
  case orderedDictionary
  case rebuildTensor
  case rebuildParameter
  case storage(DType)
  /// A generated class of a TorchScript archive: a bag of attributes.
  case scriptClass

  init?(module: String, name: String) {
    if module == "__torch__" || module.hasPrefix("__torch__.") {
      self = .scriptClass
      return
    }
    switch "\(module).\(name)" {
    case "collections.OrderedDict": self = .orderedDictionary
    case "torch._utils._rebuild_tensor_v2": self = .rebuildTensor
    case "torch._utils._rebuild_parameter": self = .rebuildParameter
    case "torch.FloatStorage": self = .storage(.float32)
    case "torch.HalfStorage": self = .storage(.float16)
    case "torch.BFloat16Storage": self = .storage(.bfloat16)
    case "torch.DoubleStorage": self = .storage(.float64)
    case "torch.LongStorage": self = .storage(.int64)
    case "torch.IntStorage": self = .storage(.int32)
    case "torch.ShortStorage": self = .storage(.int16)
    case "torch.CharStorage": self = .storage(.int8)
    case "torch.ByteStorage", "torch.storage.UntypedStorage": self = .storage(.uint8)
    case "torch.BoolStorage": self = .storage(.bool)
    default: return nil
    }
  }
}
