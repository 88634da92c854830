import Foundation

/// What a launcher of parallel processes, mpirun or srun, told this process of its place among them.
package struct LaunchedRanks: Sendable, Equatable {
  package let rank: Int
  package let count: Int

  /// Nil for a process that was started on its own.
  ///
  /// - Parameter environment: variables of the process. Slurm's count of tasks alone tells nothing: they may be runs of
  ///   their own; with PMIx they were started to find each other.
  package init?(environment: [String: String]) {
    let names = [
      ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"), ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),
    ]
    for (rank, count) in names {
      guard let rank = environment[rank].flatMap({ Int($0) }), let count = environment[count].flatMap({ Int($0) }),
        count > 1
      else { continue }
      (self.rank, self.count) = (rank, count)
      return
    }
    return nil
  }

  /// The ranks that the launcher of this process started; this process alone if there was none.
  ///
  /// Throws `DistributionFailure` if they cannot reach each other.
  package static func join(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> any Collective {
    guard let launched = LaunchedRanks(environment: environment) else { return SingleProcess() }
    #if MPI
      return try MPICollective(launched)
    #else
      throw DistributionFailure.noMPI(count: launched.count)
    #endif
  }
}
