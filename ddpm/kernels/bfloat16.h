/* Words of two bfloat16: where products are of bfloat16, they take the place of floats, two of the inner dimension
   in one word, the earlier in its lower half. Sums are float32. */
#ifndef DDPM_BFLOAT16_H
#define DDPM_BFLOAT16_H

#include "vector.h"

#if defined(__AVX512BF16__) && defined(__AVX512VL__)
#include <immintrin.h>
#define BY_INSTRUCTION 1
#else
#define BY_INSTRUCTION 0 /* right, and slow */
#endif

/* Numbers of the inner dimension in a word. */
INLINE long in_word(const int halves) { return halves ? 2 : 1; }

/* x to the nearest bfloat16, to the even one of two, in the upper half of each word; NaN stays NaN. */
INLINE ivec rounded(vec x) {
#if BY_INSTRUCTION
    return (ivec)_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)_mm256_cvtneps_pbh((__m256)x)), 16);
#else
    const ivec bits = (ivec)x, quiet = bits | 0x400000;
    return (ivec)chosen(x == x, (vec)(bits + 0x7fff + ((bits >> 16) & 1)), (vec)quiet) & (int32_t)0xffff0000;
#endif
}

/* A word of each lane: `early` and `late` follow each other in the inner dimension. */
INLINE vec paired(vec early, vec late) { return (vec)(((rounded(early) >> 16) & 0xffff) | rounded(late)); }

/* Eight numbers that follow each other in the inner dimension, as four words. */
INLINE void store_halves(float *to, vec x) {
#if BY_INSTRUCTION
    _mm_storeu_si128((__m128i *)to, (__m128i)_mm256_cvtneps_pbh((__m256)x));
#else
    const ivec upper = rounded(x);
    uint16_t narrow[WIDTH];
    for (int lane = 0; lane < WIDTH; lane++) narrow[lane] = (uint32_t)upper[lane] >> 16;
    memcpy(to, narrow, sizeof narrow);
#endif
}

/* sum + left · right, of floats or of both halves of each word. */
INLINE vec multiplied(const int halves, vec sum, vec left, vec right) {
    if (!halves) return sum + left * right;
#if BY_INSTRUCTION
    return (vec)_mm256_dpbf16_ps((__m256)sum, (__m256bh)left, (__m256bh)right);
#else
    const ivec l = (ivec)left, r = (ivec)right, upper = (ivec)all(0) | (int32_t)0xffff0000;
    return sum + (vec)(l << 16) * (vec)(r << 16) + (vec)(l & upper) * (vec)(r & upper);
#endif
}

#endif
