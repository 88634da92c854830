import Foundation

/// Settings of which each may be absent, and is written under the name of its option.
protocol NamedSettings: Encodable {}

extension NamedSettings {
  /// The names of those that are there.
  var names: Set<String> {
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    // Text, numbers and lists of text always serialise; what is nil is left out.
    guard let data = try? encoder.encode(self) else { return [] }
    let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    return Set(object.map { Array($0.keys) } ?? [])
  }
}
