// Row kernels: loops over contiguous float32 rows that OpenBLAS does not offer, single-threaded.
//
// Each is compiled for several instruction sets (KernelsAVX512.c, KernelsAVX2.c, KernelsGeneric.c include one body,
// KernelBody.inc); `vap_kernels_for_this_machine` returns the table for the processor it runs on. Rows need no
// alignment, and a result never depends on the alignment of its row.
#ifndef VAP_CKERNELS_H
#define VAP_CKERNELS_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

enum vap_activation {
  VAP_IDENTITY = 0,
  VAP_GELU_TANH = 1,
  VAP_GELU_ERF = 2,
  VAP_SILU = 3,
  VAP_RELU = 4,
  VAP_QUICK_GELU = 5,
  VAP_SIGMOID = 6,
  VAP_TANH = 7,
};

// Columns of a panel: the part of a packed weight that is multiplied at a time.
enum { VAP_PANEL = 64 };

// Where a row of 2 x 2 tiles of a convolution goes: `out` and `base` are its first pixel; pixels beyond `width` and
// `height` (1 or 2) are cut off. What is written is base + bias + sign value; `base` may be `out`.
struct vap_winograd_output {
  float *out;
  const float *_Nullable base;
  const float *_Nullable bias;
  float sign;
  ptrdiff_t pixel_stride, row_stride, width, height;
};

// Some queries of one head and what attention has found for them so far, transposed: a query is a column. Rows have
// `width` floats, whole vectors; columns without a query hold zeros.
struct vap_query_strip {
  // [size, width]
  const float *queries;
  // Sums of the values, [size, width], not yet divided by `sums`.
  float *output;
  // The largest scores and the sums of weights, [width]; before the first keys -inf and 0.
  float *maxima, *sums;
  ptrdiff_t size, width;
  // Makes a score a logit to base 2; positive.
  float scale;
};

// Where a layer norm's parameter gradients are summed over rows; those that nobody needs are NULL.
struct vap_norm_sums {
  float *_Nullable weight;
  float *_Nullable bias;
  float *_Nullable scale;
  float *_Nullable shift;
};

// What one update of AdamW takes besides the parameter, its moments and its gradient.
struct vap_adamw {
  float gradient_scale, beta1, beta2;
  // 1 - learning rate x weight decay; learning rate / (1 - beta1^t); 1 / sqrt(1 - beta2^t)
  float kept, step_size, root_scale;
  float epsilon;
};

struct vap_kernels {
  const char *name;
  // Floats of a vector; panels are padded to whole vectors.
  ptrdiff_t lanes;

  // Storage types.
  void (*widen_bf16)(float *out, const uint16_t *in, ptrdiff_t n);
  void (*widen_f16)(float *out, const uint16_t *in, ptrdiff_t n);
  void (*narrow_bf16)(uint16_t *out, const float *in, ptrdiff_t n);
  void (*narrow_f16)(uint16_t *out, const float *in, ptrdiff_t n);

  // Element-wise.
  void (*add)(float *out, const float *a, const float *b, ptrdiff_t n);
  void (*multiply)(float *out, const float *a, const float *b, ptrdiff_t n);
  // out = p a + q b
  void (*combine)(float *out, const float *a, float p, const float *b, float q, ptrdiff_t n);
  // out = a scale + offset
  void (*affine)(float *out, const float *a, float scale, float offset, ptrdiff_t n);
  // out = x + gate y
  void (*add_gated)(float *out, const float *x, const float *y, const float *gate, ptrdiff_t n);
  // out = activation(in), `activation` one of vap_activation
  void (*activate)(float *out, const float *in, int activation, ptrdiff_t n);
  // row = activation(row + bias) for each of `rows` rows that lie `stride` apart
  void (*bias_activate)(float *rows_start, ptrdiff_t rows, ptrdiff_t stride, const float *_Nullable bias,
                        int activation, ptrdiff_t n);

  // As bias_activate, but x where it is positive and x slopes elsewhere, with a slope per element.
  void (*bias_slopes)(float *rows_start, ptrdiff_t rows, ptrdiff_t stride, const float *_Nullable bias,
                      const float *slopes, ptrdiff_t n);

  // Normalisation of one row; `weight`, `bias` per element; `scale`, `shift` modulate: y (1 + scale) + shift.
  void (*layer_norm)(float *out, const float *in, const float *_Nullable weight, const float *_Nullable bias,
                     const float *_Nullable scale, const float *_Nullable shift, float epsilon, ptrdiff_t n);
  void (*rms_norm)(float *out, const float *in, const float *_Nullable weight, float epsilon, ptrdiff_t n);
  // Adds each channel's sum over `rows` rows, and its sum of squares, to the two float64 rows.
  void (*channel_moments)(double *sum, double *squares, const float *in, ptrdiff_t rows, ptrdiff_t channels);
  // Adds each channel's sum over `rows` rows of a, and its sum of products a b, to the two float64 rows.
  void (*channel_products)(double *sum, double *products, const float *a, const float *b, ptrdiff_t rows,
                           ptrdiff_t channels);
  // out = activation(in * a + b), then with c, d: activation((in * a + b) * c + d); all per element
  void (*channel_affine)(float *out, const float *in, const float *a, const float *b, const float *_Nullable c,
                         const float *_Nullable d, int activation, ptrdiff_t n);

  // Rotates interleaved pairs: (x0, x1) -> (x0 c - x1 s, x1 c + x0 s); tables hold n values each, pairs repeated.
  void (*rotate_pairs)(float *out, const float *in, const float *cosines, const float *sines, ptrdiff_t n);

  // Softmax of one row in place, after adding `bias` where given.
  void (*softmax)(float *row, const float *_Nullable bias, ptrdiff_t n);

  // Most queries of a strip.
  ptrdiff_t strip_queries;
  // Attention of a strip to `count` more keys `[count, size]` and values `[count, size]`, with online softmax:
  // scores = queries keys' + bias, maxima' = max(maxima, scores), weights = 2^(scale (scores - maxima')), and with
  // f = 2^(scale (maxima - maxima')): sums = f sums + total of weights, output = f output + weighted values.
  // `bias` and the room for `scores` are `[count, width]`.
  void (*attend)(const struct vap_query_strip *strip, const float *keys, const float *values, ptrdiff_t count,
                 const float *_Nullable bias, float *scores);
  // out[c, r] = in[r, c] scale
  void (*transpose)(float *out, ptrdiff_t out_stride, const float *in, ptrdiff_t in_stride, float scale,
                    ptrdiff_t rows, ptrdiff_t columns);

  // Gradients of the above for one row; sums are added to.
  // out = gradient activation'(in)
  void (*activate_gradient)(float *out, const float *gradient, const float *in, int activation, ptrdiff_t n);
  // sum += a b
  void (*accumulate_product)(float *sum, const float *a, const float *b, ptrdiff_t n);
  // `bias` and `scale` as in `layer_norm`; the gradient of `in` goes to `out`, those of the others to the sums.
  void (*layer_norm_gradient)(float *_Nullable out, const float *gradient, const float *in,
                              const float *_Nullable weight, const float *_Nullable bias, const float *_Nullable scale,
                              float epsilon, const struct vap_norm_sums *sums, ptrdiff_t n);
  void (*rms_norm_gradient)(float *_Nullable out, const float *gradient, const float *in,
                            const float *_Nullable weight, float epsilon, float *_Nullable weight_sum, ptrdiff_t n);
  // On tiles `[keys, width]` of scores and of gradients of probabilities, a query in each column, in place; with each
  // query's log-sum-exp of logits to base 2 and its product of output and output gradient:
  // scores = 2^(logit_scale scores - log_sum); slopes = scale scores (slopes - product). A log-sum-exp of infinity, for
  // a column without a query, gives zeros.
  void (*softmax_gradient)(float *scores, float *slopes, ptrdiff_t keys, ptrdiff_t width, const float *log_sums,
                           const float *products, float logit_scale, float scale);

  // m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2 for g = gradient scale,
  // parameter = kept parameter - step_size m / (sqrt(v) root_scale + epsilon)
  void (*adamw)(float *parameter, float *first, float *second, const float *gradient,
                const struct vap_adamw *settings, ptrdiff_t n);

  // Products with packed weights: c = a b, or c += a b, for `rows` rows of `k` values and a panel of k rows and
  // `columns` <= VAP_PANEL columns. Rows of a and c lie `stride_a` and `stride_c` apart.
  void (*multiply_panel)(float *c, ptrdiff_t stride_c, const float *a, ptrdiff_t stride_a, const float *b,
                         ptrdiff_t rows, ptrdiff_t k, ptrdiff_t columns, int adds);
  // Packs some taps of a weight `[columns, inputs, taps]` as a panel with rows in the order (tap, input).
  void (*pack_panel)(float *out, const float *weight, ptrdiff_t inputs, ptrdiff_t columns, ptrdiff_t taps,
                     ptrdiff_t first_tap, ptrdiff_t tap_count);

  // Winograd's minimal filtering F(2, 3) along each axis. Weights `[columns, inputs, 3, 3, 3]` become 64 panels of
  // `inputs` rows (place in time x 16 + place in the plane), `plane` floats apart; `[columns, inputs, 3, 3]` become 16,
  // or 9 if they are applied to an image upsampled by 2, nearest.
  void (*winograd_weights)(float *out, ptrdiff_t plane, const float *weight, ptrdiff_t inputs, ptrdiff_t columns);
  void (*winograd_plane_weights)(float *out, ptrdiff_t plane, const float *weight, ptrdiff_t inputs,
                                 ptrdiff_t columns);
  void (*winograd_upsampled_weights)(float *out, ptrdiff_t plane, const float *weight, ptrdiff_t inputs,
                                     ptrdiff_t columns);
  // Transforms a row of tiles of x + sign other, or of x: tile t covers pixels 2t...2t+3 of four rows (upsampled: t...t+2 of
  // three rows of x). Out: `[place][tile][channels]`, places `plane` floats apart.
  void (*winograd_input)(float *out, ptrdiff_t plane, const float *x, const float *other, float sign,
                         ptrdiff_t row_stride, ptrdiff_t tiles, ptrdiff_t channels);
  void (*winograd_plane_input)(float *out, ptrdiff_t plane, const float *x, ptrdiff_t row_stride, ptrdiff_t tiles,
                               ptrdiff_t channels);
  void (*winograd_upsampled_input)(float *out, ptrdiff_t plane, const float *x, ptrdiff_t row_stride,
                                   ptrdiff_t tiles, ptrdiff_t channels);
  // Transforms products `[place][tile][channels]` back to pixels.
  void (*winograd_output)(const struct vap_winograd_output *to, const float *products, ptrdiff_t plane,
                          ptrdiff_t tile_stride, ptrdiff_t channels);
  void (*winograd_upsampled_output)(const struct vap_winograd_output *to, const float *products, ptrdiff_t plane,
                                    ptrdiff_t tile_stride, ptrdiff_t channels);
};

const struct vap_kernels *vap_kernels_for_this_machine(void);
// The table "AVX512", "AVX2" or "generic"; NULL if there is none of that name or the processor cannot run it.
const struct vap_kernels *_Nullable vap_kernels_named(const char *name);

// Products of values rounded to bfloat16, with sums in float32. Two neighbouring terms share 32 bits, the first in the
// lower half.
struct vap_pair_kernels {
  // c = a b, or c += a b, for `rows` rows of `pairs` pairs and a panel of as many rows and `columns` <= VAP_PANEL
  // columns, padded to whole vectors of 16. Rows of a and c lie `stride_a` and `stride_c` apart.
  void (*multiply)(float *c, ptrdiff_t stride_c, const uint32_t *a, ptrdiff_t stride_a, const uint32_t *b,
                   ptrdiff_t rows, ptrdiff_t pairs, ptrdiff_t columns, int adds);
  // Rounds `rows` rows of `width` floats, a multiple of 16, `stride` apart, to a panel; an odd last one goes with zeros.
  void (*pack)(uint32_t *out, const float *in, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t width);
};
// NULL where the processor has no such instruction.
const struct vap_pair_kernels *_Nullable vap_pair_kernels_for_this_machine(void);

// Copies `n` elements of `size` bytes that lie `stride` elements apart into a dense row.
void vap_copy_strided(void *out, const void *in, ptrdiff_t stride, ptrdiff_t n, ptrdiff_t size);

#pragma clang assume_nonnull end

#endif
