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
      extraIDCount = config.extra_ids
      isLegacy = config.legacy
      addsPrefixSpace = config.add_prefix_space
      adopt(config.roles)
      additionalSpecialTokens = config.roles.additional_special_tokens
      if let added = config.added_tokens_decoder {
        for (id, token) in added { addedTokens[try Self.tokenID(id, token.content, path)] = token }
        return
      }
    }
    if let roles = try Self.read(Roles.self, at: "\(directory)/special_tokens_map.json") {
      adopt(roles)
      if let more = roles.additional_special_tokens {
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
    endToken = roles.eos_token ?? endToken
    unknownToken = roles.unk_token ?? unknownToken
    padToken = roles.pad_token ?? padToken
    otherSpecialTokens += [roles.bos_token, roles.sep_token, roles.cls_token, roles.mask_token].compactMap { $0 }
  }

  private static func tokenID(_ id: Int, _ content: String, _ path: String) throws(ConfigError) -> Int32 {
    guard id >= 0, let id = Int32(exactly: id) else {
      throw ConfigError(path: path, problem: .invalid(field: content, why: "has the id \(id), which is out of range"))
    }
    return id
  }

  /// The content of a file; nil if there is no such file.
  private static func read<Content: Decodable>(_ type: Content.Type, at path: String) throws -> Content? {
    do {
      return try ConfigFile.decode(type, at: path)
    } catch let failure as FileFailure where failure.code == ENOENT {
      return nil
    }
  }
}

/// A token in a settings file: a text, or an object with flags.
struct TokenDescription: Decodable, Equatable {
  var content: String
  var lstrip = false
  var rstrip = false
  var single_word = false

  init(content: String) { self.content = content }

  init(from decoder: any Decoder) throws {
    if let text = try? decoder.singleValueContainer().decode(String.self) {
      content = text
    } else {
      let object = try decoder.container(keyedBy: CodingKeys.self)
      content = try object.decode(String.self, forKey: .content)
      lstrip = try object.decodeIfPresent(Bool.self, forKey: .lstrip) ?? false
      rstrip = try object.decodeIfPresent(Bool.self, forKey: .rstrip) ?? false
      single_word = try object.decodeIfPresent(Bool.self, forKey: .single_word) ?? false
    }
  }

  private enum CodingKeys: String, CodingKey {
    case content, lstrip, rstrip, single_word
  }

  func added(withID id: Int32) -> AddedToken {
    AddedToken(content: content, id: id, stripsLeft: lstrip, stripsRight: rstrip, isSingleWord: single_word)
  }
}

// The names of the files' fields.
extension TokenizerSettings {
  private struct Roles: Decodable {
    var bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, mask_token: TokenDescription?
    var additional_special_tokens: [TokenDescription]?
  }

  private struct Config: Decodable {
    let roles: Roles
    let added_tokens_decoder: [Int: TokenDescription]?
    let extra_ids: Int?
    let legacy: Bool?
    let add_prefix_space: Bool?

    private enum CodingKeys: String, CodingKey {
      case added_tokens_decoder, extra_ids, legacy, add_prefix_space
    }

    init(from decoder: any Decoder) throws {
      roles = try Roles(from: decoder)
      let object = try decoder.container(keyedBy: CodingKeys.self)
      added_tokens_decoder = try object.decodeIfPresent([Int: TokenDescription].self, forKey: .added_tokens_decoder)
      extra_ids = try object.decodeIfPresent(Int.self, forKey: .extra_ids)
      legacy = try object.decodeIfPresent(Bool.self, forKey: .legacy)
      add_prefix_space = try object.decodeIfPresent(Bool.self, forKey: .add_prefix_space)
    }
  }
}
