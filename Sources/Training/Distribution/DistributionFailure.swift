import Runtime

/// Ranks that cannot train together.
package enum DistributionFailure: Failure, Equatable {
  case noMPI(count: Int)
  case noThreads
  case strangers(count: Int)
  case unlike(rank: Int)

  package var category: FailureCategory {
    switch self {
    case .noMPI, .noThreads: .resources
    case .strangers: .usage
    case .unlike: .badInput
    }
  }

  package var message: String {
    switch self {
    case .noMPI(let count):
      "started as one of \(count) processes, but this build has no MPI: install libopenmpi-dev and build with "
        + "'swift build -c release --traits MPI', or start one process"
    case .noThreads:
      "this MPI library was built without support for threads (MPI_THREAD_SERIALIZED); use one that has it, such as "
        + "Debian's Open MPI"
    case .strangers(let count):
      "started as one of \(count) processes, but MPI does not connect them; start with Open MPI's mpirun, or with "
        + "'srun --mpi=pmix'"
    case .unlike(let rank):
      "rank \(rank) starts from other weights, settings or data than rank 0; all must read the same files and have the "
        + "same options"
    }
  }
}
