#include "CKernels.h"
#include "Tables.h"

#define VECTOR_BYTES 16
#include "KernelBody.inc"
const struct vap_kernels vap_kernels_generic = VAP_TABLE("generic");
