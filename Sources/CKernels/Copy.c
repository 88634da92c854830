#include "CKernels.h"

#define STRIDED(TYPE)                                                                        \
  do {                                                                                       \
    TYPE *target = out;                                                                      \
    const TYPE *source = in;                                                                 \
    for (ptrdiff_t i = 0; i < n; i++) target[i] = source[i * stride];                        \
  } while (0)

void vap_copy_strided(void *out, const void *in, ptrdiff_t stride, ptrdiff_t n, ptrdiff_t size) {
  if (stride == 1) {
    __builtin_memcpy(out, in, (size_t)(n * size));
    return;
  }
  switch (size) {
  case 1: STRIDED(uint8_t); break;
  case 2: STRIDED(uint16_t); break;
  case 4: STRIDED(uint32_t); break;
  default: STRIDED(uint64_t); break;
  }
}
