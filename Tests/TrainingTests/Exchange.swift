import Foundation
import Synchronization
import Tensors

@testable import Training

/// Ranks as threads of this process that meet at every sum: a test double of a data-parallel run.
final class Exchange: Sendable {
  private let size: Int
  private let meeting = NSCondition()
  private let state: Mutex<State>

  private struct State {
    var tensors: [Int: [Tensor]] = [:]
    var values: [Int: [Double]] = [:]
    /// What all had left when the latest turn ended.
    var gathered: (tensors: [Int: [Tensor]], values: [Int: [Double]]) = ([:], [:])
    var turn = 0
    var left = 0
  }

  init(size: Int) {
    self.size = size
    state = Mutex(State())
  }

  /// Runs `body` once for each rank, each on a thread of its own, and returns their results by rank.
  func run<Result: Sendable>(_ body: @escaping @Sendable (any Collective) throws -> Result) throws -> [Result] {
    let results = Mutex<[Int: Swift.Result<Result, any Error>]>([:])
    let group = DispatchGroup()
    for rank in 0..<size {
      group.enter()
      Thread.detachNewThread { [self] in
        let result = Swift.Result { try body(Rank(rank: rank, exchange: self)) }
        results.withLock { $0[rank] = result }
        group.leave()
      }
    }
    group.wait()
    return try (0..<size).map { rank in
      guard let result = results.withLock({ $0[rank] }) else { throw CancellationError() }
      return try result.get()
    }
  }

  private struct Rank: Collective {
    let rank: Int
    let exchange: Exchange
    var size: Int { exchange.size }

    func sum(_ tensors: [Tensor]) -> [Tensor] {
      let all = exchange.gather({ $0.tensors[rank] = tensors }, read: { $0.gathered.tensors })
      return tensors.indices.map { index in
        (1..<size).reduce(all[0]![index]) { $0 + all[$1]![index] }
      }
    }

    func sum(_ values: [Double]) -> [Double] {
      let all = exchange.gather({ $0.values[rank] = values }, read: { $0.gathered.values })
      return values.indices.map { index in (0..<size).reduce(0.0) { $0 + all[$1]![index] } }
    }
  }

  /// Leaves something, waits for all, and reads what they left.
  private func gather<Value: Sendable>(_ leave: (inout State) -> Void, read: (State) -> Value) -> Value {
    meeting.lock()
    defer { meeting.unlock() }
    let turn = state.withLock { state in
      leave(&state)
      state.left += 1
      if state.left == size {
        state.left = 0
        state.gathered = (state.tensors, state.values)
        state.turn += 1
        meeting.broadcast()
        return state.turn - 1
      }
      return state.turn
    }
    while state.withLock({ $0.turn }) == turn { meeting.wait() }
    return state.withLock { read($0) }
  }
}
