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
}

extension InvalidField {
  /// Throws unless `value` lies in `range`.
  package static func check(_ field: String, _ value: Int, in range: ClosedRange<Int>) throws(InvalidField) {
    guard range.contains(value) else {
      throw InvalidField(field, "must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
    }
  }
}
