#ifndef VAP_CMPI_H
#define VAP_CMPI_H

#include <stdbool.h>
#include <stddef.h>

// The few calls of MPI that this package makes, as functions: MPI's own names are macros. They may come from any thread,
// one at a time. A failure inside MPI ends all processes of the job, which is MPI's default.

/// Joins the processes that a launcher started. False if MPI cannot be called from several threads in turn.
bool vap_mpi_start(int *rank, int *size);

/// Bytes on their way between all processes.
typedef struct vap_mpi_transfer vap_mpi_transfer;

/// Begins to give bytes of `source` to every process and to take bytes from every process into `target`, without those of
/// this process for itself. The arrays hold an offset and a length in bytes for each process. NULL without memory.
vap_mpi_transfer *vap_mpi_begin(
    const void *source, const size_t *given_offsets, const size_t *given_lengths, void *target,
    const size_t *taken_offsets, const size_t *taken_lengths);

/// Lets bytes move on; true when all have arrived, and the transfer is then freed.
bool vap_mpi_test(vap_mpi_transfer *transfer);

/// Leaves; waits for all other processes to do so.
void vap_mpi_finish(void);

/// Ends all processes of the job.
void vap_mpi_abort(int status);

#endif
