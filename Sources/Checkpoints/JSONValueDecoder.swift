/// Decodes types from a JSON tree; every error names the field.
///
/// Foundation's decoder reports a number that does not fit as "not valid JSON", without a place.
struct JSONValueDecoder: Decoder {
  let value: JSONValue
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  init(_ value: JSONValue, at codingPath: [any CodingKey] = []) {
    self.value = value
    self.codingPath = codingPath
  }

  /// A value of any type: numbers, texts and truth values from the tree, other types by their own initialiser.
  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let scalar: Any?
    switch (value, type) {
    case (.null, _): scalar = nil
    case (.bool(let flag), is Bool.Type): scalar = flag
    case (.string(let text), is String.Type): scalar = text
    case (.number(let text), let type as any FixedWidthInteger.Type): scalar = try integer(type, text)
    case (.number(let text), is Double.Type): scalar = try finite(Double(text), text)
    case (.number(let text), is Float.Type): scalar = try finite(Float(text), text)
    default:
      let isScalar = type is Bool.Type || type is String.Type || type is any Numeric.Type
      if !isScalar { return try Value(from: self) }
      scalar = nil
    }
    guard let result = scalar as? Value else {
      if case .null = value, type is any ExpressibleByNilLiteral.Type { return try Value(from: self) }
      throw DecodingError.typeMismatch(type, context("another type"))
    }
    return result
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard case .object(let members) = value else {
      throw DecodingError.typeMismatch([String: Any].self, context("not an object"))
    }
    return KeyedDecodingContainer(Members(members: members, codingPath: codingPath))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard case .list(let elements) = value else { throw DecodingError.typeMismatch([Any].self, context("not a list")) }
    return Elements(elements: elements, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { self }

  private func context(_ description: String) -> DecodingError.Context {
    DecodingError.Context(codingPath: codingPath, debugDescription: description)
  }

  /// Also a number with a fraction or an exponent if its value is whole: some writers put 2.0 for 2.
  private func integer<Integer: FixedWidthInteger>(_ type: Integer.Type, _ text: String) throws -> Integer {
    guard let number = Integer(text) ?? Double(text).flatMap({ Integer(exactly: $0) }) else {
      throw DecodingError.dataCorrupted(context("\(text) is not a whole number from \(Integer.min) to \(Integer.max)"))
    }
    return number
  }

  private func finite<Number: BinaryFloatingPoint>(_ number: Number?, _ text: String) throws -> Number {
    guard let number, number.isFinite else { throw DecodingError.dataCorrupted(context("\(text) is too large")) }
    return number
  }
}

extension JSONValueDecoder: SingleValueDecodingContainer {
  func decodeNil() -> Bool { value == .null }
}

// In the containers the generic `decode` stands for the protocols' versions for each basic type.
extension JSONValueDecoder {
  private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let members: [String: JSONValue]
    let codingPath: [any CodingKey]

    var allKeys: [Key] { members.keys.sorted().compactMap(Key.init) }

    func contains(_ key: Key) -> Bool { members[key.stringValue] != nil }

    func decodeNil(forKey key: Key) throws -> Bool { try decoder(key).value == .null }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
      try decoder(key).decode(type)
    }

    func nestedContainer<NestedKey: CodingKey>(
      keyedBy type: NestedKey.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> { try decoder(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
      try decoder(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { JSONValueDecoder(.object(members), at: codingPath) }

    func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }

    private func decoder(_ key: Key) throws -> JSONValueDecoder {
      guard let value = members[key.stringValue] else {
        throw DecodingError.keyNotFound(
          key, DecodingError.Context(codingPath: codingPath, debugDescription: "no such field"))
      }
      return JSONValueDecoder(value, at: codingPath + [key])
    }
  }

  private struct Elements: UnkeyedDecodingContainer {
    let elements: [JSONValue]
    let codingPath: [any CodingKey]
    private(set) var currentIndex = 0

    init(elements: [JSONValue], codingPath: [any CodingKey]) {
      self.elements = elements
      self.codingPath = codingPath
    }

    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex == elements.count }

    mutating func decodeNil() throws -> Bool {
      guard try next().value == .null else { return false }
      currentIndex += 1
      return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
      let value = try next().decode(type)
      currentIndex += 1
      return value
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
      keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
      let container = try next().container(keyedBy: type)
      currentIndex += 1
      return container
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
      let container = try next().unkeyedContainer()
      currentIndex += 1
      return container
    }

    mutating func superDecoder() throws -> any Decoder {
      let decoder = try next()
      currentIndex += 1
      return decoder
    }

    private func next() throws -> JSONValueDecoder {
      guard currentIndex < elements.count else {
        throw DecodingError.valueNotFound(
          Any.self, DecodingError.Context(codingPath: codingPath, debugDescription: "the list is too short"))
      }
      return JSONValueDecoder(elements[currentIndex], at: codingPath + [Index(intValue: currentIndex)])
    }
  }

  private struct Index: CodingKey {
    let index: Int
    init(intValue: Int) { index = intValue }
    init?(stringValue: String) { nil }
    var intValue: Int? { index }
    var stringValue: String { String(index) }
  }
}

extension JSONValue {
  /// Decodes a part of a file; throws `DecodingError` or `InvalidField`.
  package func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
    let value = try JSONValueDecoder(self).decode(type)
    if let validated = value as? any ValidatedConfig { try validated.validate() }
    return value
  }
}
