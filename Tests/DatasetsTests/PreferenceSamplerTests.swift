import Foundation
import TestSupport
import Testing

@testable import Datasets

@Suite("Preference pairs")
struct PreferenceSamplerTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func pool(_ scores: [Double], kind: String = "melt", more: [TableRow] = []) throws -> PairPool {
    let rows = scores.enumerated().map { TableRow(video: "\(kind)/\($0).mp4", kind: kind, score: "\($1)") }
    return try PairPool(Manifest(path: directory.manifest(rows + more)), PairingRules())
  }

  private func score(_ pool: PairPool, _ row: Int) -> Double { pool.manifest[row].score }

  @Test("two epochs of clear pairs, then wider ones; references score 100 where there are any")
  func stages() throws {
    let pool = try pool([95, 85, 5, 25, 100, 100, 50])
    let sampler = try PreferenceSampler(pool, PairingRules())
    for index in 0..<14 {
      let sample = sampler.sample(index)
      #expect(score(pool, sample.win) >= 90)
      #expect(score(pool, sample.lose) <= 10)
    }
    let later = (14..<300).map { sampler.sample($0) }
    #expect(later.allSatisfy { score(pool, $0.win) >= 80 && score(pool, $0.lose) <= 30 })
    #expect(later.contains { score(pool, $0.win) == 85 })
    #expect(later.contains { score(pool, $0.lose) == 25 })
    #expect(later.allSatisfy { score(pool, $0.reference) == 100 })
  }

  @Test("D12: the videos of a pair and its reference are three, and never tie")
  func distinct() throws {
    let pool = try pool([100, 85, 90, 5, 30])
    let sampler = try PreferenceSampler(pool, PairingRules())
    for index in 0..<300 {
      let sample = sampler.sample(index)
      #expect(Set([sample.win, sample.lose, sample.reference]).count == 3)
      #expect(score(pool, sample.win) > score(pool, sample.lose))
      #expect(score(pool, sample.reference) > 80)
    }
    // With the only 100 as winner, references come from above 80.
    #expect((0..<300).contains { sampler.sample($0).win == 0 && sampler.sample($0).reference != 0 })
  }

  @Test("D12: rules that allow a tie are refused")
  func tiesRefused() throws {
    let pool = try pool([100, 95, 5])
    var rules = PreferenceRules()
    rules.stages = [.init(epochs: 1, winMinimum: 50, loseMaximum: 50)]
    #expect(throws: DatasetFailure.self) { try PreferenceSampler(pool, PairingRules(), rules) }
    rules.stages = []
    #expect(throws: DatasetFailure.self) { try PreferenceSampler(pool, PairingRules(), rules) }
    rules.stages = [.init(epochs: 1, winMinimum: 95, loseMaximum: 90)]
    #expect(throws: DatasetFailure.self) { try PreferenceSampler(pool, PairingRules(), rules) }
  }

  @Test("conditions without a winner, a loser or a third video as reference are passed over")
  func incomplete() throws {
    let freeze = [100.0, 5].enumerated().map { TableRow(video: "freeze/\($0).mp4", kind: "freeze", score: "\($1)") }
    let pool = try pool([95, 100, 5], more: freeze)
    let sampler = try PreferenceSampler(pool, PairingRules())
    #expect((0..<50).allSatisfy { pool.manifest[sampler.sample($0).win].condition == "melt" })
    let none = try PairPool(Manifest(path: directory.manifest(freeze)), PairingRules())
    #expect(message { _ = try PreferenceSampler(none, PairingRules()) }.contains("a third for reference"))
  }

  @Test("the weight is 0.02 |difference| over the geometric mean of the shares of both tenths")
  func weight() throws {
    // Shares: 90..<100 one of four, 100 two of four, 0..<10 one of four.
    let pool = try pool([95, 100, 100, 5])
    let sampler = try PreferenceSampler(pool, PairingRules())
    for index in 0..<100 {
      let sample = sampler.sample(index)
      let expected =
        score(pool, sample.win) == 95 ? 0.02 * 90 / 0.25 : 0.02 * 95 / (0.5 * 0.25).squareRoot()
      #expect(abs(sample.weight - expected) < 1e-12)
    }
    var plain = PreferenceRules()
    plain.reweights = false
    #expect(try PreferenceSampler(pool, PairingRules(), plain).sample(0).weight == 1)
  }

  @Test("a sample depends on seed and number alone")
  func pureFunction() throws {
    let sampler = try PreferenceSampler(pool([95, 92, 100, 100, 5, 8]), PairingRules())
    #expect((0..<60).map { sampler.sample($0) } == (0..<60).reversed().map { sampler.sample($0) }.reversed())
    #expect(Set((0..<60).map { "\(sampler.sample($0))" }).count > 10)
  }
}
