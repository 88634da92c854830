import Compute

/// A video, what it shows, and how well, from 0 to 100.
package struct ScoredClip: Sendable, Equatable {
  package let name: String
  /// The semantic condition that it shows.
  package let kind: String
  package let score: Double

  package init(name: String, kind: String, score: Double) {
    self.name = name
    self.kind = kind
    self.score = score
  }
}

/// A better and a worse video of one kind, a reference for both, and how much the pair counts.
package struct PreferencePair: Sendable, Equatable {
  package let better: ScoredClip
  package let worse: ScoredClip
  package let reference: ScoredClip
  package let weight: Double
}

/// Pairs for preference training by the published rules: at first only clear cases, later also less clear ones.
///
/// A pair depends on the seed and its index alone. Where published code draws and gives up, kinds without a pair are left
/// out before.
package struct PreferencePairs: Sendable {
  /// Which scores make a pair.
  private struct Stage: Sendable {
    let better: Double
    let worse: Double
  }

  private static let stages = [Stage(better: 90, worse: 10), Stage(better: 80, worse: 30)]
  /// Rounds through all clips in the first stage.
  private static let firstStageRounds = 2
  /// Weight of a difference of one point between videos whose scores are common.
  private static let slope = 0.02

  private let clips: [ScoredClip]
  private let byKind: [String: [ScoredClip]]
  /// For each stage the clips whose kind has a pair.
  private let rows: [[ScoredClip]]
  private let frequencies: [Int: Double]
  private let seed: UInt64

  package init(_ clips: [ScoredClip], seed: UInt64) {
    self.clips = clips
    self.seed = seed
    let byKind = Dictionary(grouping: clips, by: \.kind)
    self.byKind = byKind
    rows = Self.stages.map { stage in
      let usable = byKind.filter { _, clips in
        clips.contains { $0.score >= stage.better } && clips.contains { $0.score <= stage.worse }
          && clips.count { $0.score > 80 } > 1
      }
      return clips.filter { usable[$0.kind] != nil }
    }
    let counts = Dictionary(grouping: clips) { Self.bin($0.score) }.mapValues { Double($0.count) }
    frequencies = counts.mapValues { $0 / Double(max(1, clips.count)) }
  }

  /// Ten bins of ten points, and one of the full hundred.
  private static func bin(_ score: Double) -> Int { Int(min(max(score, 0), 100)) / 10 }

  /// The pair with an index, or nil where the clips make none.
  package func pair(at index: Int) -> PreferencePair? {
    let isFirst = index / max(1, clips.count) < Self.firstStageRounds && !rows[0].isEmpty
    let (stage, rows) = isFirst ? (Self.stages[0], rows[0]) : (Self.stages[1], rows[1])
    guard !rows.isEmpty else { return nil }
    let kind = byKind[rows[index % rows.count].kind] ?? []
    var generator = RandomGenerator(seed: seed, name: "preference pair \(index)")
    func draw(_ pool: [ScoredClip]) -> ScoredClip? {
      pool.isEmpty ? nil : pool[generator.drawIndex(below: pool.count)]
    }
    // The best videos are references too: a winner is drawn among those that leave one.
    let references = kind.filter { $0.score > 80 }
    let winners = kind.filter { winner in
      winner.score >= stage.better && references.contains { $0.name != winner.name }
    }
    guard let better = draw(winners), let worse = draw(kind.filter { $0.score <= stage.worse }) else { return nil }
    let others = references.filter { $0.name != better.name && $0.name != worse.name }
    let perfect = others.filter { $0.score >= 100 }
    guard let reference = draw(perfect.isEmpty ? others : perfect) else { return nil }
    return PreferencePair(better: better, worse: worse, reference: reference, weight: weight(better, worse))
  }

  /// 0.02 x difference of the scores / root of the product of how common both scores are.
  private func weight(_ better: ScoredClip, _ worse: ScoredClip) -> Double {
    func frequency(_ clip: ScoredClip) -> Double { max(frequencies[Self.bin(clip.score)] ?? 1, 1e-8) }
    return Self.slope * abs(better.score - worse.score) / (frequency(better) * frequency(worse)).squareRoot()
  }
}
