import Checkpoints
import Foundation
import Runtime

/// What a LoRA file says of itself: `lora_config` of the published trainer, or diffusers' `lora_adapter_metadata`.
struct AdapterMetadata: Sendable, Equatable {
  /// The rank of all adapters, if they have one rank and the file says so.
  let rank: Int?
  let alpha: Double?
  /// What this program adds, by keys without their prefix.
  let notes: [String: String]

  private static let notePrefix = "vap."

  init(_ metadata: [String: String], path: String) throws(AdapterFailure) {
    notes = Dictionary(
      uniqueKeysWithValues: metadata.filter { $0.key.hasPrefix(Self.notePrefix) }.map {
        (String($0.key.dropFirst(Self.notePrefix.count)), $0.value)
      })
    guard let text = metadata["lora_config"] ?? metadata["lora_adapter_metadata"] else {
      (rank, alpha) = (nil, nil)
      return
    }
    guard text.utf8.count <= 1 << 20, case .object(let members)? = Self.parsed(text) else {
      throw .metadata(path: path, problem: "is no JSON object")
    }
    func number(_ name: String) throws(AdapterFailure) -> Double? {
      switch members[name] ?? members["transformer.\(name)"] {
      case nil, .null: return nil
      case .number(let digits) where Double(digits)?.isFinite == true: return Double(digits)
      default: throw .metadata(path: path, problem: "has an unusable '\(name)'")
      }
    }
    for name in ["use_rslora", "use_dora"] where members[name] ?? members["transformer.\(name)"] == .bool(true) {
      throw .metadata(path: path, problem: "has '\(name)', which is not supported")
    }
    alpha = try number("lora_alpha")
    let hasRanks: Bool
    if case .object(let ranks)? = members["rank_pattern"] ?? members["transformer.rank_pattern"] {
      hasRanks = !ranks.isEmpty
    } else {
      hasRanks = false
    }
    rank = hasRanks ? nil : try number("r").flatMap { Int(exactly: $0) }
  }

  private static func parsed(_ text: String) -> JSONValue? {
    var text = text
    return try? text.withUTF8 { try JSONValue(UnsafeRawBufferPointer($0)) }
  }

  /// The metadata of a file, as the published trainer writes it.
  static func text(_ export: AdapterExport) -> [String: String] {
    let whole = Int(exactly: export.alpha).map { "\($0)" } ?? "\(export.alpha)"
    let escaped = export.targets.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    var metadata = ["format": "pt"]
    metadata["lora_config"] = """
      {
          "r": \(export.rank),
          "lora_alpha": \(whole),
          "init_lora_weights": true,
          "target_modules": "\(escaped)"
      }
      """
    for (name, value) in export.notes { metadata[notePrefix + name] = value }
    return metadata
  }
}
