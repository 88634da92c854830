#include <stdlib.h>

#include "CKernels.h"
#include "Tables.h"

const struct vap_kernels *vap_kernels_for_this_machine(void) {
  // For comparisons; a name that this machine cannot run is no choice.
  const char *chosen = getenv("VAP_KERNELS");
  const struct vap_kernels *best = chosen ? vap_kernels_named(chosen) : NULL;
  if (best) return best;
  best = vap_kernels_named("AVX512");
  if (!best) best = vap_kernels_named("AVX2");
  return best ? best : &vap_kernels_generic;
}

const struct vap_kernels *vap_kernels_named(const char *name) {
#if defined(__x86_64__)
  if (!__builtin_strcmp(name, "AVX512")) return __builtin_cpu_supports("x86-64-v4") ? &vap_kernels_avx512 : NULL;
  if (!__builtin_strcmp(name, "AVX2")) return __builtin_cpu_supports("x86-64-v3") ? &vap_kernels_avx2 : NULL;
#endif
  return __builtin_strcmp(name, "generic") ? NULL : &vap_kernels_generic;
}

const struct vap_pair_kernels *vap_pair_kernels_for_this_machine(void) {
#if defined(__x86_64__)
  if (vap_kernels_for_this_machine() != &vap_kernels_avx512) return NULL;
  if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("x86-64-v4")) return &vap_pair_kernels_avx512;
#endif
  return NULL;
}
