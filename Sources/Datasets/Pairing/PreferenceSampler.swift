import Compute
import Foundation

/// What one sample of preference optimisation is made of; rows are those of the manifest.
package struct PreferenceSample: Sendable, Equatable {
  package let win: Int
  package let lose: Int
  package let reference: Int
  package let dropsCaptions: Bool
  /// Weight of the sample's loss.
  package let weight: Double
}

/// How winners and losers are chosen, and their losses weighted (published rules).
package struct PreferenceRules: Sendable, Equatable {
  /// A part of the training.
  package struct Stage: Sendable, Equatable {
    package var epochs: Int
    /// Winners score at least this.
    package var winMinimum: Double
    /// Losers score at most this.
    package var loseMaximum: Double

    package init(epochs: Int, winMinimum: Double, loseMaximum: Double) {
      self.epochs = epochs
      self.winMinimum = winMinimum
      self.loseMaximum = loseMaximum
    }
  }

  /// The last one goes on for ever.
  package var stages = [
    Stage(epochs: 2, winMinimum: 90, loseMaximum: 10), Stage(epochs: 10_000, winMinimum: 80, loseMaximum: 30),
  ]
  /// A pair weighs (beta |difference of scores| / sqrt(p p'))^alpha, p being the share of videos whose scores lie in the
  /// same tenth as the winner's or the loser's.
  package var beta = 0.02
  package var alpha = 1.0
  package var reweights = true
  /// References must score more than this, and score 100 where the condition has such videos.
  package var referenceMinimum = 80.0

  package init() {}

  func validate() throws(DatasetFailure) {
    guard !stages.isEmpty, stages.allSatisfy({ $0.epochs > 0 }) else {
      throw .rules("preference training needs stages of at least one epoch each")
    }
    guard stages.allSatisfy({ $0.loseMaximum <= referenceMinimum }) else {
      throw .rules("the highest score of a loser must not be more than \(referenceMinimum), above which references lie")
    }
    // A tie would have no winner.
    guard stages.allSatisfy({ $0.winMinimum > $0.loseMaximum }) else {
      throw .rules("the lowest score of a winner must be more than the highest score of a loser")
    }
  }
}

/// Draws samples for preference optimisation (section 7 of the published recipe), as `PairSampler` does: from the
/// sample's number alone.
///
/// An epoch has a sample for each row whose condition has winners, losers and references; the published code counts the
/// others too and passes them over. Winners, losers and references come from the rows that may be trained on; the
/// published code also draws from other splits.
package struct PreferenceSampler: Sendable {
  package let pool: PairPool
  private let pairing: PairingRules
  private let rules: PreferenceRules
  private let stages: [Stage]
  /// Share of videos whose scores lie in 0..<10, 10..<20, …, 90..<100, and are 100.
  private let shares: [Double]

  private struct Stage: Sendable {
    let epochs: Int
    /// One for each row of an epoch.
    let conditions: [UInt32]
    let choices: [UInt32: Choices]

    var sampleCount: Int { epochs * conditions.count }
  }

  private struct Choices: Sendable {
    var wins: [Int] = []
    var losses: [Int] = []
    /// Those that score 100, or if there are none those above the minimum.
    var best: [Int] = []
    var good: [Int] = []
  }

  /// Throws `DatasetFailure` if no condition has a winner, a loser and a reference.
  package init(
    _ pool: PairPool, _ pairing: PairingRules, _ rules: PreferenceRules = PreferenceRules()
  ) throws(DatasetFailure) {
    try rules.validate()
    let contents = pool.manifest.contents
    let rows = pool.rows
    var counts = [Double](repeating: 0, count: 11)
    for row in rows { counts[Self.tenth(of: Double(contents.rows[row].score))] += 1 }
    shares = counts.map { $0 / Double(max(1, rows.count)) }
    stages = rules.stages.compactMap { stage in
      var choices: [UInt32: Choices] = [:]
      for row in rows {
        let (condition, score) = (contents.rows[row].condition, Double(contents.rows[row].score))
        if score >= stage.winMinimum { choices[condition, default: Choices()].wins.append(row) }
        if score <= stage.loseMaximum { choices[condition, default: Choices()].losses.append(row) }
        if score == 100 {
          choices[condition, default: Choices()].best.append(row)
        } else if score > rules.referenceMinimum {
          choices[condition, default: Choices()].good.append(row)
        }
      }
      choices = choices.compactMapValues { found in
        var choice = found
        choice.wins = found.wins.filter { !Self.references(found, besides: $0).isEmpty }
        return choice.wins.isEmpty || choice.losses.isEmpty ? nil : choice
      }
      let conditions = pool.targets.map { contents.rows[$0].condition }.filter { choices[$0] != nil }
      return conditions.isEmpty ? nil : Stage(epochs: stage.epochs, conditions: conditions, choices: choices)
    }
    guard !stages.isEmpty else {
      throw .nothingLeft(
        path: pool.manifest.path,
        reasons: "no condition has a video that scores at least \(rules.stages.map(\.winMinimum).min() ?? 0), one that "
          + "scores at most \(rules.stages.map(\.loseMaximum).max() ?? 0), and a third for reference above "
          + "\(rules.referenceMinimum)")
    }
    self.pool = pool
    self.pairing = pairing
    self.rules = rules
  }

  /// The sample with a number from 0.
  package func sample(_ index: Int, attempt: Int = 0) -> PreferenceSample {
    precondition(index >= 0 && attempt >= 0, "sample \(index), attempt \(attempt)")
    var (place, rest, firstEpoch) = (0, index, 0)
    while place + 1 < stages.count, rest >= stages[place].sampleCount {
      rest -= stages[place].sampleCount
      firstEpoch += stages[place].epochs
      place += 1
    }
    let stage = stages[place]
    var generator = SampleStream.sample(index: index, attempt: attempt).generator(seed: pairing.seed)
    let (epoch, turn) = rest.quotientAndRemainder(dividingBy: stage.conditions.count)
    let stream = SampleStream.epoch(pairing.reordersEpochs ? firstEpoch + epoch : 0)
    let order = KeyedPermutation(
      count: stage.conditions.count, seed: SampleStream.key(pairing.seed), stream: stream.number)
    let condition = stage.conditions[
      attempt == 0 ? order[turn] : generator.drawIndex(below: stage.conditions.count)]
    let choices = stage.choices[condition] ?? Choices()
    let dropsCaptions = generator.drawUniform() < pairing.captionDropout
    let win = choices.wins[generator.drawIndex(below: choices.wins.count)]
    let lose = choices.losses[generator.drawIndex(below: choices.losses.count)]
    let references = Self.references(choices, besides: win)
    return PreferenceSample(
      win: win, lose: lose, reference: references[generator.drawIndex(below: references.count)],
      dropsCaptions: dropsCaptions, weight: weight(win, lose))
  }

  private static func references(_ choices: Choices, besides win: Int) -> [Int] {
    let best = choices.best.filter { $0 != win }
    return best.isEmpty ? choices.good.filter { $0 != win } : best
  }

  private func weight(_ win: Int, _ lose: Int) -> Double {
    guard rules.reweights else { return 1 }
    let scores = [win, lose].map { Double(pool.manifest.contents.rows[$0].score) }
    let shares = scores.map { max(self.shares[Self.tenth(of: $0)], 1e-8) }
    return pow(abs(scores[0] - scores[1]) * rules.beta / (shares[0] * shares[1]).squareRoot(), rules.alpha)
  }

  private static func tenth(of score: Double) -> Int { score >= 100 ? 10 : Int(max(0, score)) / 10 }
}
