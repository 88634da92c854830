#include "CKernels.h"
#include "Tables.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"))), apply_to = function)
#define VECTOR_BYTES 64
#include "KernelBody.inc"
const struct vap_kernels vap_kernels_avx512 = VAP_TABLE("AVX512");
#pragma clang attribute pop
#endif
