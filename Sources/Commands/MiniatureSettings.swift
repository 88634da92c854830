import Backbones
import Checkpoints
import Datasets
import Runtime
import Training

/// The key `miniature` of a training's YAML file: clips are drawn from the miniature world instead of a manifest.
struct MiniatureSettings: Decodable, Equatable {
  /// Pixels along a side, and frames.
  var size = 48
  var frames = 17
  /// Share of the captions that name condition and speed.
  var captions = 0.5
  /// How often clips come again: rounds of conditions that samples are drawn from, and samples of a pair.
  var rounds = 64
  var uses = 8
  /// How many pairs there are, all of which come again and again; nil for pairs without end.
  var pairs: Int?
  /// Scenes of unseen subjects that validation looks at, each under 24 conditions.
  var scenes = 4

  private enum Key: String, CodingKey, CaseIterable {
    case size, frames, captions, rounds, uses, pairs, scenes
  }

  private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let known = Key.allCases.map(\.rawValue)
    let keys = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
    if let unknown = keys.first(where: { !known.contains($0) }) {
      throw InvalidField("miniature.\(unknown)", "is unknown; known are \(known.joined(separator: ", "))")
    }
    let values = try decoder.container(keyedBy: Key.self)
    func read<Value: Decodable>(_ key: Key, into value: inout Value) throws {
      if let found = try values.decodeIfPresent(Value.self, forKey: key) { value = found }
    }
    try read(.size, into: &size)
    try read(.frames, into: &frames)
    try read(.captions, into: &captions)
    try read(.rounds, into: &rounds)
    try read(.uses, into: &uses)
    pairs = try values.decodeIfPresent(Int.self, forKey: .pairs)
    try read(.scenes, into: &scenes)
    func check(_ key: Key, _ isValid: Bool, _ why: String) throws(InvalidField) {
      guard isValid else { throw InvalidField("miniature.\(key.rawValue)", why) }
    }
    try check(.size, size.isMultiple(of: 8) && (16...512).contains(size), "must be a multiple of 8 from 16 to 512")
    try check(.frames, frames % 8 == 1 && (9...257).contains(frames), "must be 8k + 1 from 9 to 257")
    try check(.captions, (0...1).contains(captions), "must be from 0 to 1")
    try check(.rounds, (1...100_000).contains(rounds), "must be from 1 to 100000")
    try check(.uses, (1...100_000).contains(uses), "must be from 1 to 100000")
    let conditions = MiniatureStream.conditionCount
    try check(
      .pairs, pairs.map { $0.isMultiple(of: conditions) && (conditions...1_000_000).contains($0) } ?? true,
      "must be a multiple of \(conditions), the number of conditions, from \(conditions) to 1000000")
    try check(.scenes, (1...1000).contains(scenes), "must be from 1 to 1000")
  }

  var format: MiniatureClip.Format {
    var format = MiniatureClip.Format()
    (format.size, format.frames) = (size, frames)
    return format
  }

  var geometry: ClipGeometry { ClipGeometry(height: size, width: size, frames: frames) }

  var samples: MiniatureSamples.Settings {
    var settings = MiniatureSamples.Settings()
    settings.format = format
    settings.captionShare = captions
    (settings.reuse.rounds, settings.reuse.uses, settings.reuse.pairs) = (rounds, uses, pairs)
    return settings
  }

  /// The settings that change what the steps compute.
  var identity: [String: String] {
    [
      "size": "\(size)x\(size), \(frames) frames", "captions": "\(captions)",
      "reuse": pairs.map { "\($0) pairs" } ?? "\(rounds) rounds, \(uses) uses",
    ]
  }
}
