#ifndef VAP_TABLES_H
#define VAP_TABLES_H

#include "CKernels.h"

extern const struct vap_kernels vap_kernels_avx512, vap_kernels_avx2, vap_kernels_generic;
extern const struct vap_pair_kernels vap_pair_kernels_avx512;

#endif
