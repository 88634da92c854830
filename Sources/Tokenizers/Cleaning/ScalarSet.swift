/// Unicode scalars in order. Cleaning works on them rather than on strings, for which different scalars can be equal.
typealias Scalars = [Unicode.Scalar]

extension [Unicode.Scalar] {
  /// The text with each part replaced that `match` finds where it is asked, from the front; the search goes on behind it.
  ///
  /// - Parameter match: what replaces the part that starts at a place, and the place behind it; nil if none starts there.
  func replacing(_ match: (_ start: Int) -> (text: Scalars, end: Int)?) -> Scalars {
    var result: Scalars = []
    var index = 0
    while index < count {
      if let (replacement, end) = match(index) {
        result += replacement
        index = end
      } else {
        result.append(self[index])
        index += 1
      }
    }
    return result
  }
}

/// A set of scalars, written like a bracket of a regular expression: "a-z°".
struct ScalarSet: Sendable, ExpressibleByStringLiteral {
  /// Sorted, apart from each other.
  private let ranges: [ClosedRange<UInt32>]

  init(stringLiteral text: String) {
    let scalars = text.unicodeScalars.map(\.value)
    var ranges: [ClosedRange<UInt32>] = []
    var index = 0
    while index < scalars.count {
      let isRange = index + 2 < scalars.count && scalars[index + 1] == Unicode.Scalar("-").value
      ranges.append(scalars[index]...scalars[isRange ? index + 2 : index])
      index += isRange ? 3 : 1
    }
    self.init(ranges)
  }

  init(_ sets: ScalarSet...) { self.init(sets.flatMap(\.ranges)) }

  private init(_ ranges: [ClosedRange<UInt32>]) {
    var merged: [ClosedRange<UInt32>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = merged.last, range.lowerBound <= last.upperBound {
        merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    self.ranges = merged
  }

  func contains(_ scalar: Unicode.Scalar) -> Bool {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < scalar.value { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].lowerBound <= scalar.value
  }
}

/// A run of scalars, each from a set of its own.
struct ScalarPattern: Sendable {
  /// What may stand at a place.
  enum Place: Sendable {
    case among(ScalarSet)
    /// A letter, number or underscore of any script.
    case wordCharacter
    /// Anything but a line feed.
    case any
  }

  let places: [Place]
  var isAtStart = false

  init(_ sets: ScalarSet...) { places = sets.map(Place.among) }
  init(_ places: [Place], isAtStart: Bool = false) {
    self.places = places
    self.isAtStart = isAtStart
  }
  /// Exactly these scalars.
  init(exactly text: String) {
    places = text.unicodeScalars.map { .among(ScalarSet(stringLiteral: String($0))) }
  }

  var length: Int { places.count }

  func matches(_ text: Scalars, at start: Int) -> Bool {
    guard start + places.count <= text.count, !isAtStart || start == 0 else { return false }
    for (offset, place) in places.enumerated() {
      let scalar = text[start + offset]
      switch place {
      case .among(let set): if !set.contains(scalar) { return false }
      case .wordCharacter: if !scalar.isWordCharacter { return false }
      case .any: if scalar == "\n" { return false }
      }
    }
    return true
  }
}

extension Unicode.Scalar {
  fileprivate var isWordCharacter: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: properties.numericType != nil || self == "_"
    }
  }
}

extension [ScalarPattern] {
  /// The first of the patterns that matches at a place.
  func first(matching text: Scalars, at start: Int) -> ScalarPattern? {
    first { $0.matches(text, at: start) }
  }
}
