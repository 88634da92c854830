import Foundation
import TestSupport
import Testing

@testable import Datasets

@Suite("Pairing")
struct PairingTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func pool(_ rows: [TableRow], _ rules: PairingRules = PairingRules()) throws -> PairPool {
    try PairPool(Manifest(path: directory.manifest(rows), limit: .share(1)), rules)
  }

  private func list(_ names: [String]) -> String { "[\(names.map { "\"\($0)\"" }.joined(separator: ", "))]" }

  /// Videos of one condition that list each other.
  private func circle(_ count: Int, kind: String = "melt") -> [TableRow] {
    let names = (0..<count).map { "\(kind)/\($0).mp4" }
    return names.map { TableRow(video: $0, references: list(names), kind: kind) }
  }

  private func sampler(_ pool: PairPool, _ change: (inout PairingRules) -> Void = { _ in }) -> PairSampler {
    var rules = PairingRules()
    change(&rules)
    return PairSampler(pool, rules)
  }

  @Test("only rows of the split train, valid ones, and scores strictly above the threshold are kept")
  func filters() throws {
    var rows = circle(6)
    rows[0].split = "test"
    rows[1].score = "10"
    rows[2].score = "10.5"
    var rules = PairingRules()
    rules.scoreThreshold = 10
    let pool = try pool(rows, rules)
    #expect(pool.targets == [2, 3, 4, 5])
    #expect(pool.exclusions == .init(otherSplit: 1, lowScore: 1))
    // A score of 0 does not exceed the usual threshold.
    rows[5].score = "0"
    #expect(try self.pool(rows).targets == [1, 2, 3, 4])
  }

  @Test("rows marked as not valid are left out")
  func validity() throws {
    let path = try directory.write(
      header + ",_valid\na.mp4,[],x,k,train,1,1\nb.mp4,[],x,k,train,1,0\nc.mp4,[],x,k,train,1,2\n", to: "vap_data.csv")
    let pool = try PairPool(Manifest(path: path), PairingRules())
    #expect(pool.targets == [0, 2])
    #expect(pool.exclusions.invalid == 1)
  }

  @Test("one condition alone, for the paper's baseline")
  func oneCondition() throws {
    var rules = PairingRules()
    rules.condition = "freeze"
    let pool = try pool(circle(3) + circle(2, kind: "freeze"), rules)
    #expect(pool.targets == [3, 4])
    rules.condition = "none"
    #expect(
      message { _ = try self.pool(circle(3), rules) }.contains("no row is left to train on: 3 of another condition"))
  }

  @Test("D04: the only video of a condition is left out and counted")
  func lonelyCondition() throws {
    let pool = try pool(circle(3) + circle(1, kind: "freeze"))
    #expect(pool.targets == [0, 1, 2])
    #expect(pool.exclusions.withoutReference == 1)
  }

  @Test("D05: a target is never its own reference, whether listed or drawn from its condition", arguments: [1, 2, 3])
  func neverItself(count: Int) throws {
    var rows = circle(4)
    // A list of itself alone, in another spelling too, and one that names nothing alive.
    rows[0].references = #"["melt/0.mp4", "./melt//0.mp4"]"#
    rows[1].references = #"["gone.mp4"]"#
    rows.append(TableRow(video: "melt/4.mp4", references: "[]", split: "test"))
    let sampler = sampler(try pool(rows)) { $0.referenceCount = count }
    for index in 0..<400 {
      let sample = sampler.sample(index)
      #expect(!sample.references.contains(sample.target))
      #expect(Set(sample.references).count == sample.references.count)
      #expect(sample.references.count == count)
      #expect(sample.references.allSatisfy { $0 < 4 }, "a row of another split")
    }
  }

  @Test("references come from the list where it has any that is alive, each equally often")
  func listedReferences() throws {
    var rows = circle(5)
    rows[0].references = list(["melt/1.mp4", "melt/3.mp4", "gone.mp4"])
    let sampler = sampler(try pool(rows))
    var counts: [Int: Int] = [:]
    for index in 0..<5000 where sampler.sample(index).target == 0 {
      counts[sampler.sample(index).references[0], default: 0] += 1
    }
    #expect(Set(counts.keys) == [1, 3])
    #expect(abs(counts[1, default: 0] - counts[3, default: 0]) < 150)
  }

  @Test("with fewer references than wanted all are taken; further ones are dropped with their probability")
  func referenceCounts() throws {
    let pool = try pool(circle(3))
    #expect(sampler(pool) { $0.referenceCount = 3 }.sample(0).references.count == 2)
    let dropping = sampler(try self.pool(circle(8))) {
      $0.referenceCount = 3
      $0.referenceDropout = 0.5
    }
    var counts: [Int: Int] = [:]
    for index in 0..<4000 { counts[dropping.sample(index).references.count, default: 0] += 1 }
    // The first is always kept: 1/4 one, 1/2 two, 1/4 three.
    #expect(counts.keys.sorted() == [1, 2, 3])
    #expect(abs(counts[2, default: 0] - 2000) < 150)
  }

  @Test("captions are dropped with their probability, of target and references together")
  func captionDropout() throws {
    let sampler = sampler(try pool(circle(4))) { $0.captionDropout = 0.25 }
    let dropped = (0..<4000).count { sampler.sample($0).dropsCaptions }
    #expect(abs(dropped - 1000) < 120)
  }

  @Test("a sample depends on seed and number alone, and every epoch has every target once in another order")
  func pureFunction() throws {
    let sampler = sampler(try pool(circle(10)))
    let forwards = (0..<100).map { sampler.sample($0) }
    let backwards = (0..<100).reversed().map { sampler.sample($0) }
    #expect(forwards == backwards.reversed())
    for epoch in 0..<10 {
      #expect(forwards[epoch * 10..<epoch * 10 + 10].map(\.target).sorted() == Array(0..<10))
    }
    #expect(forwards[0..<10].map(\.target) != forwards[10..<20].map(\.target))
    let other = self.sampler(try pool(circle(10))) { $0.seed = 43 }
    #expect((0..<100).map { other.sample($0) } != forwards)
    #expect((1..<50).map { sampler.sample(0, attempt: $0) } == (1..<50).map { sampler.sample(0, attempt: $0) })
    #expect(Set((1..<50).map { sampler.sample(0, attempt: $0).target }).count > 5)
  }

  @Test("by the published rules rows are a multiple of 48, in the same order each epoch, with fixed substitutes")
  func published() throws {
    var rows = circle(100)
    for index in rows.indices { rows[index].references = "[]" }
    let rules = PairingRules.published
    let pool = try pool(rows, rules)
    #expect(pool.count == 96)
    #expect(pool.exclusions.overLimit == 4)
    let sampler = PairSampler(pool, rules)
    for index in 0..<96 {
      #expect(sampler.sample(index).target == sampler.sample(index + 96).target)
      #expect(sampler.sample(index).references == sampler.sample(index + 96).references)
    }
    var limited = rules
    limited.rowLimit = 10_000
    #expect(message { try limited.validate() }.contains("multiple of 48"))
  }

  @Test("a limit of rows takes the same random ones each time")
  func rowLimit() throws {
    var rules = PairingRules()
    rules.rowLimit = 20
    let pool = try pool(circle(50), rules)
    #expect(pool.targets.count == 20)
    #expect(pool.targets == (try self.pool(circle(50), rules).targets))
    #expect(pool.targets != Array(0..<20))
  }

  @Test("contradictory rules are refused")
  func validation() {
    for change: (inout PairingRules) -> Void in [
      { $0.referenceCount = 0 }, { $0.referenceCount = 4 }, { $0.captionDropout = 1.5 }, { $0.referenceDropout = -1 },
      { $0.scoreThreshold = .nan }, { $0.rowLimit = 0 }, { $0.rowMultiple = 0 },
    ] {
      var rules = PairingRules()
      change(&rules)
      #expect(throws: DatasetFailure.self) { try rules.validate() }
    }
  }
}

@Suite("Keyed permutation")
struct KeyedPermutationTests {
  @Test("every number stands at one place", arguments: [1, 2, 3, 5, 16, 17, 100, 1000, 4097])
  func bijection(count: Int) {
    let order = KeyedPermutation(count: count, seed: 1, stream: 2)
    #expect((0..<count).map { order[$0] }.sorted() == Array(0..<count))
  }

  @Test("orders of other seeds and streams differ, and places are spread evenly")
  func spread() {
    let order = KeyedPermutation(count: 1000, seed: 1, stream: 2)
    let numbers = (0..<1000).map { order[$0] }
    for other in [KeyedPermutation(count: 1000, seed: 2, stream: 2), .init(count: 1000, seed: 1, stream: 3)] {
      #expect((0..<1000).count { other[$0] == numbers[$0] } < 10)
    }
    // The first half of the places holds about half of the small numbers.
    #expect(abs(numbers[..<500].count { $0 < 500 } - 250) < 50)
  }
}
