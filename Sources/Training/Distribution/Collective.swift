import Compute
import Runtime

/// The processes of a data-parallel run, its ranks; every rank makes the same calls in the same order.
///
/// One exchange of bytes is all that a conformer has to know: sums and agreements are made of it here, in a fixed order, so
/// that they have the same bits on every rank and on every network.
package protocol Collective: Sendable {
  /// Place of this process among `size`, from 0.
  var rank: Int { get }
  var size: Int { get }
  /// Gives bytes to every rank and takes bytes from every rank; returns when all have arrived.
  func exchange(_ transfer: Transfer) throws
  /// Ends this rank's part in good order, after all calls.
  func leave()
  /// Ends all ranks at once, with an exit status. Does nothing where there is only this one.
  func abort(status: Int32)
}

/// A run of one process.
package struct SingleProcess: Collective {
  package init() {}

  package var rank: Int { 0 }
  package var size: Int { 1 }
  package func exchange(_ transfer: Transfer) { transfer.take(from: transfer, rank: 0, on: 0) }
  package func leave() {}
  package func abort(status: Int32) {}
}

extension Collective {
  /// Whether this rank keeps the run's files and tells of its progress.
  package var isFirst: Bool { rank == 0 }

  /// What each rank gives, by rank; all give equally many.
  package func gathered(_ values: [Double]) throws -> [[Double]] {
    guard size > 1 else { return [values] }
    let bytes = values.withUnsafeBytes { Array($0) }
    return try gathered(bytes, lengths: Array(repeating: bytes.count, count: size)).map { bytes in
      bytes.withUnsafeBytes { bytes in
        values.indices.map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Double.self) }
      }
    }
  }

  /// The sums over all ranks, element by element, added in the ranks' order.
  package func sum(_ values: [Double]) throws -> [Double] {
    let all = try gathered(values)
    return values.indices.map { index in all.reduce(0.0) { $0 + $1[index] } }
  }

  /// What each rank says, by rank.
  package func gathered(_ text: String) throws -> [String] {
    guard size > 1 else { return [text] }
    let bytes = Array(text.utf8)
    let lengths = try gathered([Double(bytes.count)]).map { Int($0[0]) }
    return try gathered(bytes, lengths: lengths).map { String(decoding: $0, as: UTF8.self) }
  }

  private func gathered(_ own: [UInt8], lengths: [Int]) throws -> [[UInt8]] {
    let source = Storage(byteCount: max(own.count, 1))
    source.bytes.copyBytes(from: own)
    var places: [Range<Int>] = []
    for length in lengths {
      let start = places.last?.upperBound ?? 0
      places.append(start..<start + length)
    }
    let target = Storage(byteCount: max(places.last?.upperBound ?? 0, 1))
    try exchange(
      Transfer(
        source: source, given: Array(repeating: 0..<own.count, count: size), target: target, taken: places))
    return places.map { Array(target.bytes[$0]) }
  }

  /// Runs `body`, which makes no calls to other ranks, and throws on all ranks if it fails on one of them.
  ///
  /// Throws `StoppedTogether`; where there is one rank only, what `body` throws.
  package func together<Result>(_ body: () throws -> Result) throws -> Result {
    guard size > 1 else { return try body() }
    let outcome = Swift.Result { try body() }
    var failure: (any Error)?
    if case .failure(let error) = outcome { failure = error }
    let statuses = try gathered([failure.map { Double(exitStatus(of: $0)) } ?? 0]).map { Int32($0[0]) }
    guard let first = statuses.firstIndex(where: { $0 != 0 }) else { return try outcome.get() }
    // The first rank that failed speaks for all: most failures are the same everywhere.
    throw StoppedTogether(status: statuses[first], failure: first == rank ? failure : nil)
  }
}

/// Thrown on all ranks at the same place when a run cannot go on.
package struct StoppedTogether: Error {
  /// For the process to end with.
  package let status: Int32
  /// What is to be told, on the one rank that tells it.
  package let failure: (any Error)?
}

/// The status that a process ends with because of an error.
package func exitStatus(of error: any Error) -> Int32 {
  (error as? any Failure)?.exitStatus ?? FailureCategory.internal.rawValue
}
