/* Registers of floats, for the few loops that the compiler would not vectorise by itself. */

#ifndef HEDGECORE_VECTOR_H
#define HEDGECORE_VECTOR_H

#include "kernel.h"

#if defined(__AVX512F__)

#include <immintrin.h>
typedef __m512 vec;
enum { LANES = 16, BLOCK = 4 };  /* BLOCK: registers of a row of a block, in dense.c */
static inline vec broadcast(float x) { return _mm512_set1_ps(x); }
static inline vec fma_vec(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
/* max(0, x), NaN for NaN */
static inline vec relu(vec x) { return _mm512_max_ps(_mm512_setzero_ps(), x); }
/* x where gate > 0, else 0 */
static inline vec gated(vec x, vec gate) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(gate, _mm512_setzero_ps(), _CMP_GT_OQ), x);
}
/* a0 b0 a1 b1 .. of the first halves of a and b, and of the second */
static inline vec interleave_low(vec a, vec b) {
    const __m512i order =
        _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return _mm512_permutex2var_ps(a, order, b);
}
static inline vec interleave_high(vec a, vec b) {
    const __m512i order =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    return _mm512_permutex2var_ps(a, order, b);
}

#elif defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>
typedef __m256 vec;
enum { LANES = 8, BLOCK = 2 };
static inline vec broadcast(float x) { return _mm256_set1_ps(x); }
static inline vec fma_vec(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
static inline vec relu(vec x) { return _mm256_max_ps(_mm256_setzero_ps(), x); }
static inline vec gated(vec x, vec gate) {
    return _mm256_and_ps(x, _mm256_cmp_ps(gate, _mm256_setzero_ps(), _CMP_GT_OQ));
}
static inline vec interleave_low(vec a, vec b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20);
}
static inline vec interleave_high(vec a, vec b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31);
}

#elif defined(__ARM_NEON) && defined(__aarch64__)

#include <arm_neon.h>
typedef float32x4_t vec;
enum { LANES = 4, BLOCK = 4 };
static inline vec broadcast(float x) { return vdupq_n_f32(x); }
static inline vec fma_vec(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }
static inline vec relu(vec x) { return vmaxq_f32(vdupq_n_f32(0), x); }
static inline vec gated(vec x, vec gate) {
    uint32x4_t positive = vcgtq_f32(gate, vdupq_n_f32(0));
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x), positive));
}
static inline vec interleave_low(vec a, vec b) { return vzip1q_f32(a, b); }
static inline vec interleave_high(vec a, vec b) { return vzip2q_f32(a, b); }

#else
#error "the kernel needs AVX2 with FMA, AVX-512 or NEON; without it hedgecore uses autograd"
#endif

enum { VECTORS = PATHS / LANES, PARTIAL_VECTORS = PARTIAL / LANES };

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const float *x) { return *(const vec *)x; }
INLINE void store(float *x, vec value) { *(vec *)x = value; }

#endif
