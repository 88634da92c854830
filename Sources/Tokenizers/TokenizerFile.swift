import Checkpoints
import Foundation

/// What a `tokenizer.json` says besides the vocabulary: added tokens, and how text is prepared.
struct TokenizerFile: Decodable {
  let addedTokens: [Int32: TokenDescription]
  let normalizer: Normalizer
  let splitter: Splitter

  /// The files of large vocabularies have some 20 MB.
  static let maximumByteCount = 64 << 20

  /// One step of the normalisation of text.
  indirect enum Normalizer: Sendable {
    case sequence([Normalizer])
    case characterMap(CharacterMap)
    case strip(left: Bool, right: Bool)
    /// Replaces every run of at least `minimum` spaces.
    case replaceSpaces(minimum: Int, with: String)
  }

  /// How text is cut into words, each of which starts with a meta space (`▁`).
  struct Splitter: Sendable {
    var splitsAtWhitespace = false
    var prefix = Prefix.always
    var splitsAtMetaSpace = true

    /// Which parts of the text get a meta space in front if they have none.
    enum Prefix: String, Decodable {
      case always, first, never
    }
  }

  private enum CodingKeys: String, CodingKey {
    case addedTokens = "added_tokens"
    case normalizer
    case splitter = "pre_tokenizer"
  }

  private struct AddedEntry: Decodable {
    let id: Int32
    let token: TokenDescription

    private enum CodingKeys: String, CodingKey { case id }

    init(from decoder: any Decoder) throws {
      let object = try decoder.container(keyedBy: CodingKeys.self)
      id = try object.decode(Int32.self, forKey: .id)
      guard id >= 0 else {
        throw DecodingError.dataCorruptedError(forKey: .id, in: object, debugDescription: "\(id) is negative")
      }
      token = try TokenDescription(from: decoder)
    }
  }

  init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: CodingKeys.self)
    let entries = try object.decodeIfPresent([AddedEntry].self, forKey: .addedTokens) ?? []
    addedTokens = Dictionary(entries.map { ($0.id, $0.token) }) { $1 }
    normalizer = try object.decodeIfPresent(Normalizer.self, forKey: .normalizer) ?? .sequence([])
    splitter = try object.decode(Splitter.self, forKey: .splitter)
  }
}

// MARK: - Normalisation

extension TokenizerFile.Normalizer: Decodable {
  /// The steps that conversion of a SentencePiece model gives.
  static func converted(from map: CharacterMap?) -> Self {
    .sequence(
      (map.map { [.characterMap($0)] } ?? []) + [
        .strip(left: false, right: true), .replaceSpaces(minimum: 2, with: "\u{2581}"),
      ])
  }

  func normalized(_ text: String) -> String {
    switch self {
    case .sequence(let steps): return steps.reduce(text) { $1.normalized($0) }
    case .characterMap(let map): return map.replacingCharacters(of: text)
    case .strip(let left, let right):
      var scalars = text.unicodeScalars[...]
      if left { scalars = scalars.drop { $0.properties.isWhitespace } }
      while right, let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
      return String(scalars)
    case .replaceSpaces(let minimum, let replacement):
      var result = String.UnicodeScalarView()
      var rest = text.unicodeScalars[...]
      while let scalar = rest.first {
        let spaces = rest.prefix { $0 == " " }
        if spaces.count >= minimum {
          result.append(contentsOf: replacement.unicodeScalars)
        } else if spaces.isEmpty {
          result.append(scalar)
        } else {
          result.append(contentsOf: spaces)
        }
        rest = rest.dropFirst(max(spaces.count, 1))
      }
      return String(result)
    }
  }

  private enum CodingKeys: String, CodingKey {
    case type, normalizers, pattern, content
    case characterMap = "precompiled_charsmap"
    case stripsLeft = "strip_left"
    case stripsRight = "strip_right"
  }

  private enum PatternKeys: String, CodingKey { case regex = "Regex" }

  init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: CodingKeys.self)
    switch try object.decode(String.self, forKey: .type) {
    case "Sequence": self = .sequence(try object.decode([Self].self, forKey: .normalizers))
    case "Strip":
      self = .strip(
        left: try object.decode(Bool.self, forKey: .stripsLeft),
        right: try object.decode(Bool.self, forKey: .stripsRight))
    case "Precompiled":
      self = .characterMap(try object.decode(CharacterMap.self, forKey: .characterMap))
    case "Replace":
      let pattern = try object.nestedContainer(keyedBy: PatternKeys.self, forKey: .pattern)
      let content = try object.decode(String.self, forKey: .content)
      if try pattern.decodeIfPresent(String.self, forKey: .regex) == " {2,}" {
        self = .replaceSpaces(minimum: 2, with: content)
      } else {
        throw DecodingError.dataCorruptedError(
          forKey: .pattern, in: object, debugDescription: "only the pattern ' {2,}' is supported")
      }
    case let type:
      throw DecodingError.dataCorruptedError(
        forKey: .type, in: object, debugDescription: "the step '\(type)' is not supported")
    }
  }
}

extension CharacterMap: Decodable {
  /// From the base 64 of its table.
  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let table = Data(base64Encoded: try container.decode(String.self)) ?? Data()
    do {
      try self.init(table)
    } catch {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: error.why)
    }
  }
}

// MARK: - Words

extension TokenizerFile.Splitter: Decodable {
  /// The words of a part of the text.
  ///
  /// - Parameter isFirst: whether the part starts the text.
  func words(of part: String, isFirst: Bool) -> [String] {
    let metaSpace: Unicode.Scalar = "\u{2581}"
    let scalars = part.unicodeScalars
    let parts = splitsAtWhitespace ? scalars.split { $0.properties.isWhitespace } : [scalars[...]]
    var words: [String] = []
    for (index, part) in parts.enumerated() where !part.isEmpty {
      var text = String.UnicodeScalarView(part.map { $0 == " " ? metaSpace : $0 })
      let wantsPrefix = prefix == .always || (prefix == .first && isFirst && index == 0)
      if wantsPrefix, text.first != metaSpace { text.insert(metaSpace, at: text.startIndex) }
      var word = String.UnicodeScalarView()
      for scalar in text {
        if splitsAtMetaSpace, scalar == metaSpace, !word.isEmpty {
          words.append(String(word))
          word = String.UnicodeScalarView()
        }
        word.append(scalar)
      }
      words.append(String(word))
    }
    return words
  }

  private enum CodingKeys: String, CodingKey {
    case type, replacement
    case steps = "pretokenizers"
    case prefix = "prepend_scheme"
    case addsPrefix = "add_prefix_space"
    case splitsAtMetaSpace = "split"
  }

  init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: CodingKeys.self)
    func unsupported(_ key: CodingKeys, _ why: String) -> DecodingError {
      .dataCorruptedError(forKey: key, in: object, debugDescription: why)
    }
    switch try object.decode(String.self, forKey: .type) {
    case "Metaspace":
      guard try object.decode(String.self, forKey: .replacement) == "\u{2581}" else {
        throw unsupported(.replacement, "only '\u{2581}' is supported")
      }
      // Older files have a flag in place of the scheme.
      let addsPrefix = try object.decodeIfPresent(Bool.self, forKey: .addsPrefix) ?? true
      prefix = try object.decodeIfPresent(Prefix.self, forKey: .prefix) ?? (addsPrefix ? .always : .never)
      splitsAtMetaSpace = try object.decodeIfPresent(Bool.self, forKey: .splitsAtMetaSpace) ?? true
    case "Sequence":
      var steps = try object.nestedUnkeyedContainer(forKey: .steps)
      let first = try steps.nestedContainer(keyedBy: CodingKeys.self)
      guard try first.decode(String.self, forKey: .type) == "WhitespaceSplit", steps.count == 2 else {
        throw unsupported(.steps, "only WhitespaceSplit followed by Metaspace is supported")
      }
      self = try steps.decode(Self.self)
      splitsAtWhitespace = true
    case let type: throw unsupported(.type, "the step '\(type)' is not supported")
    }
  }
}
