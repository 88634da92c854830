#include "CMPI.h"

#ifdef VAP_MPI

#include <limits.h>
#include <mpi.h>
#include <stdlib.h>

/// MPI counts in int; longer messages go in pieces.
static const size_t piece = (size_t)1 << 30;

struct vap_mpi_transfer {
  int count;
  MPI_Request requests[];
};

bool vap_mpi_start(int *rank, int *size) {
  int level = MPI_THREAD_SINGLE;
  MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level);
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
  return level >= MPI_THREAD_SERIALIZED;
}

static size_t pieces(size_t length) { return (length + piece - 1) / piece; }

static int min_length(size_t length) { return (int)(length < piece ? length : piece); }

vap_mpi_transfer *vap_mpi_begin(
    const void *source, const size_t *given_offsets, const size_t *given_lengths, void *target,
    const size_t *taken_offsets, const size_t *taken_lengths) {
  int rank, size;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  size_t count = 0;
  for (int other = 0; other < size; other++) {
    if (other != rank) count += pieces(given_lengths[other]) + pieces(taken_lengths[other]);
  }
  if (count > INT_MAX) return NULL;
  vap_mpi_transfer *transfer = malloc(sizeof(vap_mpi_transfer) + count * sizeof(MPI_Request));
  if (!transfer) return NULL;
  transfer->count = 0;
  // Receipts first, so that messages find their place. Pieces between two processes keep their order.
  for (int other = 0; other < size; other++) {
    if (other == rank) continue;
    for (size_t done = 0; done < taken_lengths[other]; done += piece) {
      MPI_Irecv(
          (char *)target + taken_offsets[other] + done, min_length(taken_lengths[other] - done), MPI_BYTE, other, 0,
          MPI_COMM_WORLD, &transfer->requests[transfer->count++]);
    }
  }
  // Each process begins with its next one: not all send to the same.
  for (int step = 1; step < size; step++) {
    int other = (rank + step) % size;
    for (size_t done = 0; done < given_lengths[other]; done += piece) {
      MPI_Isend(
          (const char *)source + given_offsets[other] + done, min_length(given_lengths[other] - done), MPI_BYTE, other,
          0, MPI_COMM_WORLD, &transfer->requests[transfer->count++]);
    }
  }
  return transfer;
}

bool vap_mpi_test(vap_mpi_transfer *transfer) {
  int done = 0;
  MPI_Testall(transfer->count, transfer->requests, &done, MPI_STATUSES_IGNORE);
  if (done) free(transfer);
  return done;
}

void vap_mpi_finish(void) { MPI_Finalize(); }

void vap_mpi_abort(int status) { MPI_Abort(MPI_COMM_WORLD, status); }

#endif
