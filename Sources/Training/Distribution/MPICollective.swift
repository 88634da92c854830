#if MPI
  import CMPI
  import Compute
  import Foundation
  import Synchronization

  /// The processes that mpirun or srun started.
  ///
  /// MPI itself would wait for messages by asking for them without a pause, on a processor that computes something else;
  /// here the waiting thread sleeps in between, shortly at first.
  final class MPICollective: Collective {
    let rank: Int
    let size: Int
    /// MPI is called by one thread at a time.
    private let calls = Mutex(())

    private static let shortPause: useconds_t = 50
    private static let longPause: useconds_t = 1000
    /// Short pauses before long ones: about a twentieth of a second.
    private static let shortPauses = 500

    /// Call once in a process, on its main thread.
    ///
    /// Throws `DistributionFailure.noThreads` or `.strangers`. MPI ends the process where it cannot start.
    init(_ launched: LaunchedRanks) throws(DistributionFailure) {
      var (rank, size) = (Int32(0), Int32(0))
      guard vap_mpi_start(&rank, &size) else { throw .noThreads }
      (self.rank, self.size) = (Int(rank), Int(size))
      // Processes that did not find each other would each train alone, in the same folder.
      guard self.size == launched.count else { throw .strangers(count: launched.count) }
    }

    func exchange(_ transfer: Transfer) {
      transfer.take(from: transfer, rank: rank, on: rank)
      let pending = calls.withLock { _ in
        vap_mpi_begin(
          transfer.source.bytes.baseAddress, transfer.given.map(\.lowerBound), transfer.given.map(\.count),
          transfer.target.bytes.baseAddress, transfer.taken.map(\.lowerBound), transfer.taken.map(\.count))
      }
      guard let pending else { preconditionFailure("no memory for a transfer between \(size) ranks") }
      var pauses = 0
      while !calls.withLock({ _ in vap_mpi_test(pending) }) {
        usleep(pauses < Self.shortPauses ? Self.shortPause : Self.longPause)
        pauses += 1
      }
      withExtendedLifetime(transfer) {}
    }

    func leave() { calls.withLock { _ in vap_mpi_finish() } }

    func abort(status: Int32) { calls.withLock { _ in vap_mpi_abort(status) } }
  }
#endif
