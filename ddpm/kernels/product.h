/* Products of matrices that stay in a core's caches, of float32 or of words of two bfloat16. The left one is of words
   of the inner dimension, the right one lies in panels of columns: [panel][word][column]. */
#ifndef DDPM_PRODUCT_H
#define DDPM_PRODUCT_H

#include "bfloat16.h"

#define ROWS 12 /* a multiple of the rows of any product */

/* Columns are taken in panels of one to three vectors, so that twelve sums fill the registers. */
INLINE long panel(long k, long outputs) {
    long left = (outputs - k) / WIDTH;
    return WIDTH * (left == 1 ? 1 : left % 2 ? 3 : 2);
}

/* rows × (vectors · 8) of C = A B: A[r · ar + i · ai], B[i · vectors · 8 + …], C[r · cr + …]. */
INLINE void product(const int halves, const int rows, const int vectors, long inner, const float *a, long ar, long ai,
                    const float *b, float *c, long cr, int accumulate) {
    vec sums[12];
#pragma GCC unroll 12
    for (int s = 0; s < rows * vectors; s++)
        sums[s] = accumulate ? load(c + s / vectors * cr + s % vectors * WIDTH) : all(0);
    for (long i = 0; i < inner; i++) {
        vec right[3];
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++) right[v] = load(b + v * WIDTH);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            vec left = all(a[r * ar]);
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++)
                sums[r * vectors + v] = multiplied(halves, sums[r * vectors + v], left, right[v]);
        }
        a += ai, b += vectors * WIDTH;
    }
#pragma GCC unroll 12
    for (int s = 0; s < rows * vectors; s++) store(c + s / vectors * cr + s % vectors * WIDTH, sums[s]);
}

/* C = A B for an even number of rows, a multiple of four where columns are not two vectors. */
INLINE void panel_product(const int halves, long rows, long columns, long inner, const float *a, long ar, long ai,
                          const float *b, float *c, long cr, int accumulate) {
    for (long done; rows > 0; rows -= done, a += done * ar, c += done * cr) {
        if (columns == 3 * WIDTH) product(halves, done = 4, 3, inner, a, ar, ai, b, c, cr, accumulate);
        else if (columns == 2 * WIDTH) {
            if (rows >= 6) product(halves, done = 6, 2, inner, a, ar, ai, b, c, cr, accumulate);
            else if (rows >= 4) product(halves, done = 4, 2, inner, a, ar, ai, b, c, cr, accumulate);
            else product(halves, done = 2, 2, inner, a, ar, ai, b, c, cr, accumulate);
        } else {
            if (rows >= 12) product(halves, done = 12, 1, inner, a, ar, ai, b, c, cr, accumulate);
            else if (rows >= 8) product(halves, done = 8, 1, inner, a, ar, ai, b, c, cr, accumulate);
            else product(halves, done = 4, 1, inner, a, ar, ai, b, c, cr, accumulate);
        }
    }
}

#endif
