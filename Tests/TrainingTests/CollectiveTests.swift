import Compute
import Runtime
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite("Ranks among each other")
struct CollectiveTests {
  @Test("sums and texts, by rank", arguments: [1, 2, 3])
  func gathering(size: Int) throws {
    let results = try Exchange(size: size).run { ranks in
      let sum = try ranks.sum([Double(ranks.rank + 1), 0.1])
      return (sum, try ranks.gathered(String(repeating: "é", count: ranks.rank)))
    }
    for (sum, texts) in results {
      #expect(sum == [Double(size * (size + 1) / 2), (0..<size).reduce(0.0) { value, _ in value + 0.1 }])
      #expect(texts == (0..<size).map { String(repeating: "é", count: $0) })
    }
  }

  @Test("what fails on some ranks stops all; the first of them tells why")
  func together() throws {
    let outcomes = Exchange(size: 3).outcomes { ranks in
      try ranks.together {
        if ranks.rank > 0 { throw TrainingFailure.pastTheEnd(step: ranks.rank, of: 0) }
      }
    }
    let stops = outcomes.map { outcome -> StoppedTogether? in
      guard case .failure(let error) = outcome else { return nil }
      return error as? StoppedTogether
    }
    #expect(stops.map { $0?.status } == [2, 2, 2])
    #expect(stops.map { $0?.failure as? TrainingFailure } == [nil, .pastTheEnd(step: 1, of: 0), nil])
    #expect(try Exchange(size: 3).run { ranks in try ranks.together { ranks.rank } } == [0, 1, 2])
    #expect(throws: TrainingFailure.nothingToTrain) {
      try SingleProcess().together { throw TrainingFailure.nothingToTrain }
    }
  }

  @Test("ranks that start from other weights or settings are refused")
  func unlike() throws {
    func outcomes(
      _ weight: @escaping @Sendable (Int) -> Float, _ setting: @escaping @Sendable (Int) -> String
    ) -> [Bool] {
      Exchange(size: 3).outcomes { ranks in
        try ranks.checkAlike([("w", Tensor([weight(ranks.rank)]))], [setting(ranks.rank)])
      }.map { outcome in
        guard case .failure(let error) = outcome, let stop = error as? StoppedTogether else { return false }
        return stop.status == 3
      }
    }
    #expect(outcomes({ _ in 1 }, { _ in "a" }) == [false, false, false])
    #expect(outcomes({ $0 == 2 ? 1.0000001 : 1 }, { _ in "a" }) == [true, true, true])
    #expect(outcomes({ _ in 1 }, { $0 == 1 ? "b" : "a" }) == [true, true, true])
  }

  @Test("processors are divided among the processes of a machine that may run on them")
  func threads() {
    func share(_ machine: String, _ processors: Range<Int>) -> ProcessorShare {
      ProcessorShare(machine: machine, processors: Set(processors))
    }
    let free = [share("a", 0..<8), share("a", 0..<8), share("b", 0..<8)]
    #expect(free.map { ProcessorShare.threads(for: $0, among: free) } == [4, 4, 8])
    let bound = [share("a", 0..<2), share("a", 2..<4), share("a", 2..<4), share("a", 4..<5)]
    #expect(bound.map { ProcessorShare.threads(for: $0, among: bound) } == [2, 1, 1, 1])
    #expect(ProcessorShare.processors("\t0-2,8\n") == [0, 1, 2, 8])
    for text in ["", "a", "3-1", "1-2-3"] { #expect(ProcessorShare.processors(text) == nil, "\(text)") }
    let own = ProcessorShare()
    #expect(ProcessorShare.threads(for: own, among: [own]) == own.processors.count)
  }

  @Test("launchers are recognised by their variables; tasks that do not know each other are processes of their own")
  func launchers() {
    func launched(_ variables: [String: String]) -> [Int]? {
      LaunchedRanks(environment: variables).map { [$0.rank, $0.count] }
    }
    #expect(launched([:]) == nil)
    #expect(launched(["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3"]) == [3, 4])
    #expect(launched(["OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"]) == nil)
    #expect(launched(["PMI_SIZE": "2", "PMI_RANK": "1"]) == [1, 2])
    #expect(launched(["SLURM_STEP_NUM_TASKS": "8", "PMIX_RANK": "5"]) == [5, 8])
    #expect(launched(["SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5"]) == nil)
    #expect(launched(["OMPI_COMM_WORLD_SIZE": "many", "OMPI_COMM_WORLD_RANK": "0"]) == nil)
  }
}
