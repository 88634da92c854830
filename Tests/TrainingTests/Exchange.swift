import Foundation
import Synchronization

@testable import Training

/// Ranks as threads of this process that meet at every exchange: a test double of a data-parallel run.
final class Exchange: Sendable {
  private let size: Int
  private let meeting = NSCondition()
  private let state = Mutex(State())

  private struct State {
    var transfers: [Int: Transfer] = [:]
    var arrived = 0
    var turn = 0
    var isBroken = false
  }

  /// What ranks get that wait for one that has failed.
  struct OtherRankFailed: Error {}

  init(size: Int) { self.size = size }

  /// Runs `body` once for each rank, each on a thread of its own, and returns their results by rank.
  ///
  /// Throws the first error that is not `OtherRankFailed`.
  func run<Success: Sendable>(_ body: @escaping @Sendable (any Collective) throws -> Success) throws -> [Success] {
    let outcomes = outcomes(body)
    for case .failure(let error) in outcomes where !(error is OtherRankFailed) { throw error }
    return try outcomes.map { try $0.get() }
  }

  /// What `body` returned or threw, by rank.
  func outcomes<Success: Sendable>(
    _ body: @escaping @Sendable (any Collective) throws -> Success
  ) -> [Result<Success, any Error>] {
    let results = Mutex<[Int: Result<Success, any Error>]>([:])
    let group = DispatchGroup()
    for rank in 0..<size {
      group.enter()
      Thread.detachNewThread { [self] in
        let result = Result { try body(Rank(rank: rank, ranks: self)) }
        if case .failure = result { abandon() }
        results.withLock { $0[rank] = result }
        group.leave()
      }
    }
    group.wait()
    return (0..<size).map { rank in results.withLock { $0[rank] } ?? .failure(OtherRankFailed()) }
  }

  private struct Rank: Collective {
    let rank: Int
    let ranks: Exchange
    var size: Int { ranks.size }

    func exchange(_ transfer: Transfer) throws {
      let all = try ranks.meet { $0.transfers[rank] = transfer }
      for (giver, other) in all { transfer.take(from: other, rank: giver, on: rank) }
      _ = try ranks.meet { _ in }
    }

    func leave() {}
    func abort(status: Int32) { ranks.abandon() }
  }

  /// Nobody waits for anybody any more.
  private func abandon() {
    meeting.lock()
    state.withLock { $0.isBroken = true }
    meeting.broadcast()
    meeting.unlock()
  }

  /// Leaves something, waits until all have, and returns it all.
  private func meet(_ leave: (inout State) -> Void) throws -> [Int: Transfer] {
    meeting.lock()
    defer { meeting.unlock() }
    let turn = try state.withLock { state in
      guard !state.isBroken else { throw OtherRankFailed() }
      leave(&state)
      state.arrived += 1
      if state.arrived == size {
        state.arrived = 0
        state.turn += 1
        meeting.broadcast()
        return state.turn - 1
      }
      return state.turn
    }
    while state.withLock({ $0.turn == turn && !$0.isBroken }) { meeting.wait() }
    return try state.withLock { state in
      guard state.turn != turn else { throw OtherRankFailed() }
      return state.transfers
    }
  }
}
