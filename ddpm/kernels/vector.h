/* Vectors of eight floats by GCC's and Clang's vector extension: no processor's own intrinsics. */
#ifndef DDPM_VECTOR_H
#define DDPM_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 8

typedef float vec __attribute__((vector_size(4 * WIDTH), aligned(4)));
typedef int32_t ivec __attribute__((vector_size(4 * WIDTH), aligned(4)));

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const float *p) { return *(const vec *)p; }
INLINE void store(float *p, vec v) { *(vec *)p = v; }
INLINE vec all(float x) { return (vec){x, x, x, x, x, x, x, x}; }
INLINE vec chosen(ivec where, vec yes, vec no) { return (vec)((where & (ivec)yes) | (~where & (ivec)no)); }

/* e to the x, to 2 units in the last place, for x in [-87, 87] (Cephes' polynomial on the reduced range). */
INLINE vec exponential(vec x) {
    const vec rounder = all(12582912.0f); /* 1.5 · 2^23: adding it rounds to a whole number */
    vec shifted = x * all(1.44269504088896341f) + rounder;
    vec whole = shifted - rounder;
    vec r = x - whole * all(0.693359375f) + whole * all(2.12194440e-4f);
    vec p = all(1.9875691500e-4f);
    p = p * r + all(1.3981999507e-3f);
    p = p * r + all(8.3334519073e-3f);
    p = p * r + all(4.1665795894e-2f);
    p = p * r + all(1.6666665459e-1f);
    p = p * r + all(5.0000001201e-1f);
    p = p * r * r + r + all(1.0f);
    ivec power = ((ivec)shifted - (ivec)rounder + 127) << 23;
    return p * (vec)power;
}

INLINE vec clamped(vec x, float low, float high) {
    x = chosen(x < all(low), all(low), x);
    return chosen(x > all(high), all(high), x);
}

/* Each thread's own memory, kept from call to call: at least `count` floats at a cache line's start. */
static float *scratch(size_t count) {
    static __thread float *kept;
    static __thread size_t size;
    if (count > size) {
        free(kept);
        size = (count + 1023) / 1024 * 1024;
        kept = aligned_alloc(64, size * sizeof(float));
        if (!kept) abort();
    }
    return kept;
}

#endif
