import Foundation
import Runtime
import TestSupport
import Testing

@testable import Training

/// Checkpoints of several ranks, resumed by as many, more or fewer.
@Suite("Resuming on several ranks")
struct RankResumeTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func training(ranks: Int, zero: Bool = false, samples: Int) -> TinyTraining {
    var training = TinyTraining()
    training.averageDecay = 0.9
    training.steps.accumulation = samples / ranks
    training.steps.shardsOptimizer = zero
    training.steps.bucketBytes = 20_000
    return training
  }

  /// - Parameter samples: of a step, on all ranks.
  private func run(_ name: String, ranks: Int, zero: Bool = false, samples: Int = 6, to steps: Int) throws {
    let (training, folder) = (training(ranks: ranks, zero: zero, samples: samples), directory.file(name))
    _ = try Exchange(size: ranks).run { ranks in
      try training.run(folder, to: steps, saveEvery: 2, on: ranks)
      return 0
    }
  }

  private func files(_ name: String) throws -> [String: Data] { try contents(of: directory.file(name)) }

  @Test("C15: stopping and going on changes no byte, with ZeRO or without, nor does switching it", arguments: [2, 3])
  func bitExact(ranks: Int) throws {
    try run("whole", ranks: ranks, samples: ranks, to: 4)
    try run("zero", ranks: ranks, zero: true, samples: ranks, to: 4)
    try run("parts", ranks: ranks, zero: true, samples: ranks, to: 2)
    try run("parts", ranks: ranks, samples: ranks, to: 4)
    try run("other", ranks: ranks, samples: ranks, to: 2)
    try run("other", ranks: ranks, zero: true, samples: ranks, to: 4)
    let whole = try files("whole")
    #expect(whole.keys.contains("checkpoints/step-000004/average/config.json"))
    for name in ["zero", "parts", "other"] { #expect(try files(name) == whole, "\(name)") }
  }

  @Test("any number of ranks goes on from any checkpoint, to the weights of one process within rounding")
  func otherSizes() throws {
    try run("alone", ranks: 1, to: 6)
    for (index, sizes) in [[1, 2, 3], [3, 1, 2], [2, 3, 1]].enumerated() {
      let name = "run-\(index)"
      for (part, size) in sizes.enumerated() { try run(name, ranks: size, zero: part == 1, to: 2 * (part + 1)) }
      let (expected, found) = (try losses("alone"), try losses(name))
      #expect(found.count == 6)
      for (found, expected) in zip(found, expected) { #expect(abs(found - expected) <= 1e-5 * expected) }
    }
  }

  private func losses(_ name: String) throws -> [Double] {
    let text = try String(contentsOfFile: directory.file("\(name)/log.jsonl"), encoding: .utf8)
    return try text.split(separator: "\n").map { try JSONDecoder().decode(StepRecord.self, from: Data($0.utf8)).loss }
  }

  @Test("C12: an interruption of one rank stops all at the same step, which is saved", arguments: [0, 1])
  func interrupted(rank: Int) throws {
    let (training, folder) = (training(ranks: 2, zero: true, samples: 6), directory.file("run"))
    // Six samples a step; in the middle of the fourth one.
    let source = Failing(at: 3 * 6 + 2 + rank, with: Interrupted())
    let outcomes = Exchange(size: 2).outcomes { ranks in
      _ = try training.run(folder, to: 10, on: ranks, source: source)
    }
    for outcome in outcomes {
      guard case .failure(let error) = outcome else {
        Issue.record("a rank went on")
        continue
      }
      #expect(error is Interrupted)
    }
    #expect(CheckpointStore(directory: "\(folder)/checkpoints").steps == [3])
    #expect(try losses("run").count == 3)
    try run("run", ranks: 2, to: 4)
    try run("whole", ranks: 2, to: 4)
    let (whole, parts) = (try files("whole"), try files("run"))
    let last = whole.filter { $0.key.contains("step-000004") || $0.key == "log.jsonl" }
    #expect(parts.filter { last.keys.contains($0.key) } == last)
  }

  @Test("C08: what the first rank refuses stops all, and only it says why")
  func refused() throws {
    try run("run", ranks: 2, to: 2)
    let (training, folder) = (training(ranks: 2, samples: 6), directory.file("run"))
    let other = training.identity(["learning-rate": "0.5"])
    let outcomes = Exchange(size: 2).outcomes { ranks in
      _ = try training.run(folder, to: 4, identity: other, on: ranks)
    }
    let stops = outcomes.map { outcome -> StoppedTogether? in
      guard case .failure(let error) = outcome else { return nil }
      return error as? StoppedTogether
    }
    #expect(stops.map { $0?.status } == [3, 3])
    #expect(stops[0]?.failure is CheckpointFailure)
    #expect(stops[1]?.failure == nil)
  }
}
