import ArgumentParser
import Foundation
import Runtime
import Training

/// A command's work on all ranks that a launcher started, which end together: of each failure one line is told, and no rank
/// waits for one that is gone.
enum RankedRun {
  /// - Parameter body: the same on all ranks; makes the same calls to the others on each.
  static func run(_ body: (any Collective) throws -> Void) throws {
    let ranks: any Collective
    do {
      ranks = try LaunchedRanks.join()
    } catch let failure as DistributionFailure {
      // All fail alike; one of them is enough to say so.
      guard let launched = LaunchedRanks(environment: ProcessInfo.processInfo.environment), launched.rank > 0 else {
        throw failure
      }
      // The launcher ends the job with the first process that fails, which should be the one that says why.
      sleep(2)
      throw ExitCode(failure.exitStatus)
    }
    try run(on: ranks, body)
  }

  static func run(on ranks: any Collective, _ body: (any Collective) throws -> Void) throws {
    guard ranks.size > 1 else { return try body(ranks) }
    do {
      try body(ranks)
      ranks.leave()
    } catch let stop as StoppedTogether {
      ranks.leave()
      throw stop.failure ?? ExitCode(stop.status)
    } catch let error where isOfAll(error) {
      ranks.leave()
      throw ranks.isFirst ? error : ExitCode(exitStatus(of: error))
    } catch {
      // The others wait for this rank somewhere, and would for ever.
      let text = (error as? any Failure)?.message ?? "\(error)"
      try? FileHandle.standardError.write(
        contentsOf: Data("error: rank \(ranks.rank), which ends all \(ranks.size): \(text)\n".utf8))
      let status = exitStatus(of: error)
      ranks.abort(status: status)
      throw ExitCode(status)
    }
  }

  /// Whether all ranks throw this at the same place.
  private static func isOfAll(_ error: any Error) -> Bool {
    if case TrainingFailure.notFinite = error { return true }
    return error is Interrupted
  }
}
