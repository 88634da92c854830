#include "CKernels.h"
#include "Tables.h"

const struct vap_kernels *vap_kernels_for_this_machine(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4")) return &vap_kernels_avx512;
  if (__builtin_cpu_supports("x86-64-v3")) return &vap_kernels_avx2;
#endif
  return &vap_kernels_generic;
}
