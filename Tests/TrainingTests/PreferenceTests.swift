import Checkpoints
import Compute
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite("Preference training")
struct PreferenceTests {
  private struct Case: Decodable {
    let win: Float
    let lose: Float
    let refWin: Float
    let refLose: Float
    let weight: Double
    let loss: Double
    let gradWin: Double
    let gradLose: Double

    private enum CodingKeys: String, CodingKey {
      case win, lose, weight, loss
      case refWin = "ref_win"
      case refLose = "ref_lose"
      case gradWin = "grad_win"
      case gradLose = "grad_lose"
    }
  }

  private struct Cases: Decodable { let preference: [Case] }

  @Test("the loss and its gradients are those that the published expression gave")
  func published() throws {
    let cases = try ConfigFile.decode(Cases.self, at: Fixtures.path("couplings/cases.json")).preference
    #expect(cases.count == 3)
    for recorded in cases {
      let (better, worse) = (Tensor([recorded.win]).asVariable(), Tensor([recorded.lose]).asVariable())
      let loss = PreferenceObjective().loss(
        better: better, worse: worse, frozenBetter: recorded.refWin, frozenWorse: recorded.refLose,
        weight: recorded.weight)
      let gradients = try loss.backward()
      // Float32 losses near 1 differ by 1e-7, which the strength makes 5e-5.
      func expect(_ found: Tensor?, _ expected: Double) throws {
        let value = try #require(found?.doubles().first)
        #expect(abs(value - expected) <= 1e-4 + 1e-4 * abs(expected), "\(value), recorded \(expected)")
      }
      try expect(loss, recorded.loss)
      try expect(gradients[better], recorded.gradWin)
      try expect(gradients[worse], recorded.gradLose)
    }
  }

  @Test("gradients agree with central differences")
  func gradients() throws {
    var objective = PreferenceObjective()
    objective.strength = 3
    try expectGradient(of: [Tensor([0.4]), Tensor([0.9])]) {
      objective.loss(better: $0[0], worse: $0[1], frozenBetter: 0.5, frozenWorse: 0.3, weight: 1.7)
    }
  }

  private static let clips =
    [(100.0, "a"), (95, "a"), (85, "a"), (5, "a"), (25, "a"), (50, "a"), (92, "b"), (88, "b"), (30, "b"), (99, "c")]
    .enumerated().map { ScoredClip(name: "\($0)", kind: $1.1, score: $1.0) }

  @Test("pairs are of one kind, clear at first, and have a reference besides")
  func pairs() throws {
    let pairs = PreferencePairs(Self.clips, seed: 1)
    for index in 0..<200 {
      let pair = try #require(pairs.pair(at: index))
      #expect(pair.better.kind == pair.worse.kind && pair.better.kind == pair.reference.kind)
      #expect(Set([pair.better.name, pair.worse.name, pair.reference.name]).count == 3)
      #expect(pair.reference.score > 80)
      if pair.better.name != "0", pair.better.kind == "a" { #expect(pair.reference.name == "0") }
      if index < 20 {
        #expect(pair.better.score >= 90 && pair.worse.score <= 10)
      } else {
        #expect(pair.better.score >= 80 && pair.worse.score <= 30)
      }
      #expect(pair.better.kind != "c")
    }
    #expect((20..<200).contains { pairs.pair(at: $0)?.better.kind == "b" })
    #expect(pairs.pair(at: 77) == PreferencePairs(Self.clips, seed: 1).pair(at: 77))
    #expect((0..<20).contains { pairs.pair(at: $0) != PreferencePairs(Self.clips, seed: 2).pair(at: $0) })
  }

  @Test("rare scores and large differences count more")
  func weights() throws {
    // Of ten clips one has the full 100, three lie in 90..<100, one in 0..<10.
    let pairs = PreferencePairs(Self.clips, seed: 1)
    let pair = try #require((0..<20).compactMap { pairs.pair(at: $0) }.first { $0.better.name == "1" })
    #expect(pair.worse.name == "3")
    #expect(abs(pair.weight - 0.02 * 90 / (0.3 * 0.1).squareRoot()) < 1e-12)
  }

  @Test("D12: clips without a better and a worse one make no pair")
  func noPairs() {
    #expect(PreferencePairs([], seed: 1).pair(at: 0) == nil)
    let same = [ScoredClip(name: "x", kind: "a", score: 95), ScoredClip(name: "y", kind: "a", score: 95)]
    #expect(PreferencePairs(same, seed: 1).pair(at: 5) == nil)
  }
}
