// Products of values rounded to bfloat16, two at a time, with float32 sums: the instruction that newer processors have
// beside AVX-512.

#include "CKernels.h"
#include "Tables.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("arch=cooperlake"))), apply_to = function)
#define VECTOR_BYTES 64
#include "Vectors.inc"
#include "TileBody.inc"

INLINE void pairs_tile(float *c, ptrdiff_t stride_c, const uint32_t *a, ptrdiff_t stride_a, const uint32_t *b,
                       ptrdiff_t pairs, ptrdiff_t columns, int adds, const int rows, const int vectors) {
  vf sums[TILE_ROWS][PANEL_VECTORS];
  EACH_OF_TILE sums[r][v] = (vf){0};
  for (ptrdiff_t i = 0; i < pairs; i++) {
    __m512bh line[PANEL_VECTORS];
    UNROLLED for (int v = 0; v < vectors; v++)
      line[v] = (__m512bh)_mm512_loadu_si512(b + (i * vectors + v) * LANES);
    UNROLLED for (int r = 0; r < rows; r++) {
      const __m512bh pair = (__m512bh)_mm512_set1_epi32((int)a[r * stride_a + i]);
      UNROLLED for (int v = 0; v < vectors; v++) sums[r][v] = (vf)_mm512_dpbf16_ps((__m512)sums[r][v], pair, line[v]);
    }
  }
  EACH_OF_TILE {
    float *target = c + r * stride_c + v * LANES;
    const ptrdiff_t left = columns - v * LANES;
    if (left >= LANES) store(target, adds ? load(target) + sums[r][v] : sums[r][v]);
    else store_part(target, adds ? load_part(target, left) + sums[r][v] : sums[r][v], left);
  }
}

INLINE void pairs_strip(float *c, ptrdiff_t stride_c, const uint32_t *a, ptrdiff_t stride_a, const uint32_t *b,
                        ptrdiff_t count, ptrdiff_t pairs, ptrdiff_t columns, int adds, const int vectors) {
  IN_TILES(count, {
    pairs_tile(c + first * stride_c, stride_c, a + first * stride_a, stride_a, b, pairs, columns, adds, rows, vectors);
  });
}

static void multiply_pairs(float *c, ptrdiff_t stride_c, const uint32_t *a, ptrdiff_t stride_a, const uint32_t *b,
                           ptrdiff_t rows, ptrdiff_t pairs, ptrdiff_t columns, int adds) {
  switch ((columns + LANES - 1) / LANES) {
  case 4: pairs_strip(c, stride_c, a, stride_a, b, rows, pairs, columns, adds, 4); break;
  case 3: pairs_strip(c, stride_c, a, stride_a, b, rows, pairs, columns, adds, 3); break;
  case 2: pairs_strip(c, stride_c, a, stride_a, b, rows, pairs, columns, adds, 2); break;
  case 1: pairs_strip(c, stride_c, a, stride_a, b, rows, pairs, columns, adds, 1); break;
  }
}

// Rounds to nearest, ties to even, as the instruction's operands are.
INLINE __m512i rounded(const float *values) {
  return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(values)));
}

// Packs rows of `width` floats, whole vectors, two by two; an odd last row goes with zeros.
static void pack_pairs(uint32_t *out, const float *in, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t width) {
  for (ptrdiff_t row = 0; row < rows; row += 2) {
    for (ptrdiff_t i = 0; i < width; i += LANES) {
      const __m512i low = rounded(in + row * stride + i);
      const __m512i high = row + 1 < rows ? rounded(in + (row + 1) * stride + i) : _mm512_setzero_si512();
      _mm512_storeu_si512(out + row / 2 * width + i, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
  }
}

const struct vap_pair_kernels vap_pair_kernels_avx512 = {.multiply = multiply_pairs, .pack = pack_pairs};
#pragma clang attribute pop
#endif
