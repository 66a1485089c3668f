/* How rows of float32 numbers are laid down for a product of bfloat16 (product.h), and that product.

   Rows are `apart` numbers from one to the next; channels, those that count, are a multiple of eight. */
#ifndef DDPM_LAYING_H
#define DDPM_LAYING_H

#include "product.h"

/* Words of so many numbers of the inner dimension. */
INLINE long words_of(long count) { return (count + 1) / 2; }

/* As the left of a product over the channels: to[row][word of channels], zeros in the rows up to a multiple of ROWS.
   Returns how many rows that makes. */
INLINE long lay_rows(const float *x, long apart, long count, long channels, float *to) {
    const long words = channels / 2, rows = (count + ROWS - 1) / ROWS * ROWS;
    for (long r = 0; r < count; r++)
        for (long c = 0; c < channels; c += WIDTH) store_halves(to + r * words + c / 2, load(x + r * apart + c));
    memset(to + count * words, 0, (rows - count) * words * sizeof(float));
    return rows;
}

/* Words of eight channels, of the r-th row and the next; zeros where there is none. */
INLINE vec word_of_rows(const float *x, long apart, long r, long count) {
    return paired(r < count ? load(x + r * apart) : all(0), r + 1 < count ? load(x + (r + 1) * apart) : all(0));
}

/* As the left of a product over the rows: to[word of rows][channel]. */
INLINE void lay_across(const float *x, long apart, long count, long channels, float *to) {
    for (long r = 0; r < count; r += 2, to += channels)
        for (long c = 0; c < channels; c += WIDTH) store(to + c, word_of_rows(x + c, apart, r, count));
}

/* As the right of a product over the rows, of `words` words. */
INLINE void lay_panels(const float *x, long apart, long count, long channels, long words, float *to) {
    for (long k = 0, columns; k < channels; k += columns) {
        columns = panel(k, channels);
        for (long word = 0; word < words; word++)
            for (long c = k; c < k + columns; c += WIDTH, to += WIDTH)
                store(to, word_of_rows(x + c, apart, 2 * word, count));
    }
}

/* x[row · apart + channel · right] as the right of a product over the channels: a row of it is a column, zeros in the
   columns from `count` up to `columns`, a multiple of eight. */
INLINE void lay_turned(const float *x, long apart, long right, long count, long channels, long columns, float *to) {
    for (long k = 0, across; k < columns; k += across) {
        across = panel(k, columns);
        for (long c = 0; c < channels; c += 2)
            for (long row = k; row < k + across; row += WIDTH, to += WIDTH) {
                vec early = all(0), late = all(0);
                for (int lane = 0; lane < WIDTH && row + lane < count; lane++) {
                    const float *from = x + (row + lane) * apart + c * right;
                    early[lane] = from[0], late[lane] = from[right];
                }
                store(to, paired(early, late));
            }
    }
}

/* C = A B, or C + A B: a left of `rows` rows and `words` words, a[row · ar + word · ai], and a right of `columns`. */
INLINE void multiply(long rows, long columns, long words, const float *a, long ar, long ai, const float *b, float *c,
                     long cr, int accumulate) {
    for (long k = 0, across; k < columns; k += across) {
        across = panel(k, columns);
        panel_product(1, rows, across, words, a, ar, ai, b + k * words, c + k, cr, accumulate);
    }
}

#endif
