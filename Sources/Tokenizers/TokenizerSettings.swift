import Checkpoints
import Foundation
import Runtime

/// What the JSON files beside a tokenizer's model say: `tokenizer_config.json`, or for older tokenizers
/// `special_tokens_map.json` and `added_tokens.json`.
struct TokenizerSettings {
  /// Tokens with a role, as `eos_token`; nil where the files are silent.
  var endToken: TokenDescription?
  var unknownToken: TokenDescription?
  var padToken: TokenDescription?
  /// Special tokens of other roles (`bos_token`, …) and without a role.
  var otherSpecialTokens: [TokenDescription] = []
  var additionalSpecialTokens: [TokenDescription]?
  /// Added tokens by id.
  var addedTokens: [Int32: TokenDescription] = [:]
  var extraIDCount: Int?
  var isLegacy: Bool?
  var addsPrefixSpace: Bool?

  /// Reads the files in `directory`; each may be missing. Throws `ConfigError` or `FileFailure`.
  init(directory: String) throws {
    let path = "\(directory)/tokenizer_config.json"
    if let config = try Self.read(Config.self, at: path) {
      extraIDCount = config.extraIDCount
      isLegacy = config.isLegacy
      addsPrefixSpace = config.addsPrefixSpace
      adopt(config.roles)
      additionalSpecialTokens = config.roles.additional
      if let added = config.addedTokens {
        for (id, token) in added { addedTokens[try Self.tokenID(id, token.content, path)] = token }
        return
      }
    }
    if let roles = try Self.read(Roles.self, at: "\(directory)/special_tokens_map.json") {
      adopt(roles)
      if let more = roles.additional {
        let known = additionalSpecialTokens ?? []
        additionalSpecialTokens = known + more.filter { token in !known.contains { $0.content == token.content } }
      }
    }
    let addedPath = "\(directory)/added_tokens.json"
    for (content, id) in try Self.read([String: Int].self, at: addedPath) ?? [:] {
      addedTokens[try Self.tokenID(id, content, addedPath)] = TokenDescription(content: content)
    }
  }

  private mutating func adopt(_ roles: Roles) {
    endToken = roles.end ?? endToken
    unknownToken = roles.unknown ?? unknownToken
    padToken = roles.pad ?? padToken
    otherSpecialTokens += [roles.begin, roles.separator, roles.classification, roles.mask].compactMap { $0 }
  }

  private static func tokenID(_ id: Int, _ content: String, _ path: String) throws(ConfigError) -> Int32 {
    guard id >= 0, let id = Int32(exactly: id) else {
      throw ConfigError(path: path, problem: .invalid(field: content, why: "has the id \(id), which is out of range"))
    }
    return id
  }

  /// The content of a file; nil if there is no such file.
  private static func read<Content: Decodable>(_ type: Content.Type, at path: String) throws -> Content? {
    try ConfigFile(ifPresentAt: path)?.decode(type)
  }
}

/// A token in a settings file: a text, or an object with flags.
struct TokenDescription: Decodable, Equatable {
  let content: String
  private var stripsLeft = false
  private var stripsRight = false
  private var isSingleWord = false

  init(content: String) { self.content = content }

  init(from decoder: any Decoder) throws {
    if let text = try? decoder.singleValueContainer().decode(String.self) {
      content = text
    } else {
      let object = try decoder.container(keyedBy: CodingKeys.self)
      content = try object.decode(String.self, forKey: .content)
      stripsLeft = try object.decodeIfPresent(Bool.self, forKey: .stripsLeft) ?? false
      stripsRight = try object.decodeIfPresent(Bool.self, forKey: .stripsRight) ?? false
      isSingleWord = try object.decodeIfPresent(Bool.self, forKey: .isSingleWord) ?? false
    }
  }

  private enum CodingKeys: String, CodingKey {
    case content
    case stripsLeft = "lstrip"
    case stripsRight = "rstrip"
    case isSingleWord = "single_word"
  }

  func added(withID id: Int32) -> AddedToken {
    AddedToken(content: content, id: id, stripsLeft: stripsLeft, stripsRight: stripsRight, isSingleWord: isSingleWord)
  }
}

// The contents of the files.
extension TokenizerSettings {
  private struct Roles: Decodable {
    let begin, end, unknown, separator, pad, classification, mask: TokenDescription?
    let additional: [TokenDescription]?

    private enum CodingKeys: String, CodingKey {
      case begin = "bos_token"
      case end = "eos_token"
      case unknown = "unk_token"
      case separator = "sep_token"
      case pad = "pad_token"
      case classification = "cls_token"
      case mask = "mask_token"
      case additional = "additional_special_tokens"
    }
  }

  private struct Config: Decodable {
    let roles: Roles
    let addedTokens: [Int: TokenDescription]?
    let extraIDCount: Int?
    let isLegacy: Bool?
    let addsPrefixSpace: Bool?

    private enum CodingKeys: String, CodingKey {
      case addedTokens = "added_tokens_decoder"
      case extraIDCount = "extra_ids"
      case isLegacy = "legacy"
      case addsPrefixSpace = "add_prefix_space"
    }

    init(from decoder: any Decoder) throws {
      roles = try Roles(from: decoder)
      let object = try decoder.container(keyedBy: CodingKeys.self)
      addedTokens = try object.decodeIfPresent([Int: TokenDescription].self, forKey: .addedTokens)
      extraIDCount = try object.decodeIfPresent(Int.self, forKey: .extraIDCount)
      isLegacy = try object.decodeIfPresent(Bool.self, forKey: .isLegacy)
      addsPrefixSpace = try object.decodeIfPresent(Bool.self, forKey: .addsPrefixSpace)
    }
  }
}
