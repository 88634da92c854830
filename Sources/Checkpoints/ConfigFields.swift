// Reading single fields of a configuration, with errors that list what would have been right.

extension KeyedDecodingContainer {
  /// One of the names of `Choice`; throws `InvalidField` with the list of names for any other.
  package func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ type: Choice.Type = Choice.self, forKey key: Key
  ) throws -> Choice {
    let name = try decode(String.self, forKey: key)
    guard let choice = Choice(rawValue: name) else {
      let names = Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
      throw InvalidField(key.stringValue, "must be one of \(names), not '\(name)'")
    }
    return choice
  }

  /// As `choice`, or `standard` where the key is absent or null.
  package func choice<Choice: RawRepresentable<String> & CaseIterable>(
    forKey key: Key, else standard: Choice
  ) throws -> Choice {
    guard contains(key), try !decodeNil(forKey: key) else { return standard }
    return try choice(forKey: key)
  }

  /// Replaces `field` unless the key is absent or null.
  package func read<Value: Decodable>(_ key: Key, into field: inout Value) throws {
    if let value = try decodeIfPresent(Value.self, forKey: key) { field = value }
  }

  /// Throws unless the key is absent, null or `allowed`: for settings of which this program knows one value.
  package func require<Value: Decodable & Equatable>(_ allowed: Value?, forKey key: Key) throws {
    guard let value = try decodeIfPresent(Value.self, forKey: key), value != allowed else { return }
    let wanted = allowed.map { "\($0)" } ?? "null"
    throw InvalidField(key.stringValue, "is \(value); this program supports \(wanted) only")
  }
}

extension InvalidField {
  /// Throws if a mapping has a key that is not known.
  ///
  /// - Parameter parent: the mapping's own key.
  package static func checkKeys(of decoder: any Decoder, known: [String], in parent: String) throws {
    let keys = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
    if let unknown = keys.first(where: { !known.contains($0) }) {
      throw InvalidField("\(parent).\(unknown)", "is unknown; known are \(known.joined(separator: ", "))")
    }
  }

  /// Throws unless `value` lies in `range`.
  package static func check(_ field: String, _ value: Int, in range: ClosedRange<Int>) throws(InvalidField) {
    guard range.contains(value) else {
      throw InvalidField(field, "must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
    }
  }
}

private struct AnyKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}
