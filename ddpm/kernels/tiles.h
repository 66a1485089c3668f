/* Images in tiles, and Winograd's transforms of them: F(2×2, 3×3) (Lavin & Gray 2016).

   A tile is 2 × 2 pixels of the output, made of 4 × 4 of the input; transformed it has 16 spots. `halves`: what is
   multiplied is laid down as bfloat16, two numbers of the product's inner dimension in a word. */
#ifndef DDPM_TILES_H
#define DDPM_TILES_H

#include "product.h"

#define TILES 48 /* at once: what they are made of stays in a core's second cache */
#define MOST 4096 /* channels */
#define SPOTS 16 /* of a transformed tile */

/* From one spot to the next: a line more than needed, or all spots would share a set of the first cache. */
INLINE long apart(long channels) { return TILES * channels + 16; }

typedef struct { /* of an image batch in tiles */
    long images, height, width, down, across, count;
} Tiling;

static Tiling tiling(long images, long height, long width) {
    long down = (height + 1) / 2, across = (width + 1) / 2;
    return (Tiling){images, height, width, down, across, images * down * across};
}

/* Where a tile lies. */
INLINE void locate(const Tiling *t, long tile, long *image, long *y, long *x) {
    long inside = tile % (t->down * t->across);
    *image = tile / (t->down * t->across);
    *y = inside / t->across * 2, *x = inside % t->across * 2;
}

/* A row of G times three numbers. */
#define ROWS_OF_G(to, top, mid, end)                                        \
    to[0] = top, to[1] = 0.5f * (top + mid + end), to[2] = 0.5f * (top - mid + end), to[3] = end

/* G w Gᵀ of one input and eight outputs. */
INLINE void weight_tile(const float *w, long sk, long sh, long sw, vec found[SPOTS]) {
    vec taps[3][3], g[3][4];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            const float *from = w + i * sh + j * sw;
            if (sk == 1) taps[i][j] = load(from);
            else
                for (int lane = 0; lane < WIDTH; lane++) taps[i][j][lane] = from[lane * sk];
        }
    for (int i = 0; i < 3; i++) ROWS_OF_G(g[i], taps[i][0], taps[i][1], taps[i][2]);
    for (int j = 0; j < 4; j++) {
        vec column[4];
        ROWS_OF_G(column, g[0][j], g[1][j], g[2][j]);
        for (int i = 0; i < 4; i++) found[4 * i + j] = column[i];
    }
}

/* U of eight inputs from c on and eight outputs from k on: u[spot][panel][word of inputs][column]. */
INLINE void transform_weights(const int halves, const float *w, long inputs, long outputs, long c, long k, long sk,
                              long sc, long sh, long sw, float *u) {
    const long inner = inputs / in_word(halves);
    long first = 0, columns = panel(0, outputs);
    while (k >= first + columns) first += columns, columns = panel(first, outputs);
    for (long input = c; input < c + WIDTH; input += in_word(halves)) {
        vec found[SPOTS], next[SPOTS];
        weight_tile(w + k * sk + input * sc, sk, sh, sw, found);
        if (halves) weight_tile(w + k * sk + (input + 1) * sc, sk, sh, sw, next);
        float *to = u + first * inner + input / in_word(halves) * columns + (k - first);
        for (int s = 0; s < SPOTS; s++) store(to + s * inner * outputs, halves ? paired(found[s], next[s]) : found[s]);
    }
}

/* The 4 × 4 pixels of a tile, zeros where there are none and where there is no such tile. */
INLINE void corners(const float *x, const Tiling *t, long channels, long tile, const float *corner[4][4]) {
    static const float zeros[MOST] = {0};
    long image, top, left;
    locate(t, tile, &image, &top, &left);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            long row = top + i - 1, column = left + j - 1;
            int inside = row >= 0 && row < t->height && column >= 0 && column < t->width && image < t->images;
            corner[i][j] = inside ? x + ((image * t->height + row) * t->width + column) * channels : zeros;
        }
}

/* Bᵀ d B of eight channels from c on. */
INLINE void input_tile(const float *const corner[4][4], long c, vec found[SPOTS]) {
    vec d[4][4];
    for (int j = 0; j < 4; j++) {
        vec p[4];
        for (int i = 0; i < 4; i++) p[i] = load(corner[i][j] + c);
        d[0][j] = p[0] - p[2], d[1][j] = p[1] + p[2], d[2][j] = p[2] - p[1], d[3][j] = p[1] - p[3];
    }
    for (int i = 0; i < 4; i++) {
        found[4 * i] = d[i][0] - d[i][2], found[4 * i + 1] = d[i][1] + d[i][2];
        found[4 * i + 2] = d[i][2] - d[i][1], found[4 * i + 3] = d[i][1] - d[i][3];
    }
}

/* V of `count` tiles from `first` on: v[spot][tile][word of channels], for products over the channels. */
INLINE void transform_inputs(const int halves, const float *x, const Tiling *t, long channels, long first, long count,
                             float *v) {
    for (long b = 0; b < count; b++) {
        const float *corner[4][4];
        corners(x, t, channels, first + b, corner);
        for (long c = 0; c < channels; c += WIDTH) {
            vec found[SPOTS];
            input_tile(corner, c, found);
            float *to = v + (b * channels + c) / in_word(halves);
            for (int s = 0; s < SPOTS; s++, to += apart(channels)) {
                if (halves) store_halves(to, found[s]);
                else store(to, found[s]);
            }
        }
    }
}

/* The same for products over the tiles: v[spot][word of tiles][channel]. */
INLINE void transform_inputs_across(const int halves, const float *x, const Tiling *t, long channels, long first,
                                    long count, float *v) {
    for (long b = 0; b < count; b += in_word(halves)) {
        const float *corner[4][4], *beside[4][4];
        corners(x, t, channels, first + b, corner);
        if (halves) corners(x, t, channels, b + 1 < count ? first + b + 1 : t->count, beside);
        for (long c = 0; c < channels; c += WIDTH) {
            vec found[SPOTS], next[SPOTS];
            input_tile(corner, c, found);
            if (halves) input_tile(beside, c, next);
            float *to = v + b / in_word(halves) * channels + c;
            for (int s = 0; s < SPOTS; s++, to += apart(channels)) store(to, halves ? paired(found[s], next[s]) : found[s]);
        }
    }
}

/* y = Aᵀ m A + bias, of m[spot][tile][channel]. */
static void transform_outputs(const float *m, const float *bias, const Tiling *t, long channels, long first,
                              long count, float *y) {
    const long spot = apart(channels);
    for (long b = 0; b < count; b++) {
        long image, top, left;
        locate(t, first + b, &image, &top, &left);
        int tall = top + 1 < t->height, wide = left + 1 < t->width;
        float *to = y + ((image * t->height + top) * t->width + left) * channels;
        for (long c = 0; c < channels; c += WIDTH) {
            const float *from = m + b * channels + c;
            vec sums[2][4], shift = bias ? load(bias + c) : all(0);
            for (int j = 0; j < 4; j++) {
                vec p1 = load(from + (4 + j) * spot), p2 = load(from + (8 + j) * spot);
                sums[0][j] = load(from + j * spot) + p1 + p2;
                sums[1][j] = p1 - p2 - load(from + (12 + j) * spot);
            }
            for (int i = 0; i < 1 + tall; i++) {
                float *row = to + i * t->width * channels + c;
                store(row, sums[i][0] + sums[i][1] + sums[i][2] + shift);
                if (wide) store(row + channels, sums[i][1] - sums[i][2] - sums[i][3] + shift);
            }
        }
    }
}

/* A dy Aᵀ of eight outputs from `from` on, in a tile that is `tall` and `wide` or of one pixel there; the sum of
   dy is added to `bias`. */
INLINE void gradient_tile(const float *from, long down, long right, int tall, int wide, float *bias, vec found[SPOTS]) {
    vec p00 = load(from), p01 = wide ? load(from + right) : all(0);
    vec p10 = tall ? load(from + down) : all(0), p11 = tall && wide ? load(from + down + right) : all(0);
    store(bias, load(bias) + (p00 + p01) + (p10 + p11));
    vec rows[4][2] = {{p00, p01}, {p00 + p10, p01 + p11}, {p00 - p10, p01 - p11}, {-p10, -p11}};
    for (int i = 0; i < 4; i++) {
        found[4 * i] = rows[i][0], found[4 * i + 1] = rows[i][0] + rows[i][1];
        found[4 * i + 2] = rows[i][0] - rows[i][1], found[4 * i + 3] = -rows[i][1];
    }
}

/* Where the gradients of a tile lie, and whether it is whole. */
typedef struct {
    const float *from;
    int tall, wide;
} Place;

INLINE Place place(const float *dy, const Tiling *t, long channels, long tile) {
    long image, top, left;
    locate(t, tile, &image, &top, &left);
    return (Place){dy + ((image * t->height + top) * t->width + left) * channels, top + 1 < t->height,
                   left + 1 < t->width};
}

/* D of the outputs' gradients: d[spot][panel][word of tiles][column]; their sum is added to `bias`. */
INLINE void transform_gradients(const int halves, const float *dy, const Tiling *t, long channels, long first,
                                long count, float *d, float *bias) {
    const long down = t->width * channels, right = channels;
    for (long b = 0; b < count; b += in_word(halves)) {
        const int two = halves && b + 1 < count;
        const Place here = place(dy, t, channels, first + b), beside = place(dy, t, channels, first + b + two);
        for (long k0 = 0, columns; k0 < channels; k0 += columns) {
            columns = panel(k0, channels);
            for (long k = k0; k < k0 + columns; k += WIDTH) {
                vec found[SPOTS], next[SPOTS] = {0};
                gradient_tile(here.from + k, down, right, here.tall, here.wide, bias + k, found);
                if (two) gradient_tile(beside.from + k, down, right, beside.tall, beside.wide, bias + k, next);
                float *to = d + k0 * TILES + b / in_word(halves) * columns + (k - k0);
                for (int s = 0; s < SPOTS; s++, to += apart(channels))
                    store(to, halves ? paired(found[s], next[s]) : found[s]);
            }
        }
    }
}

/* dw = Gᵀ du G, of du[thread][spot][c][k], summed over the threads in their order. */
static void transform_back(const float *du, long inputs, long outputs, long share, int threads, long c, long sk,
                           long sc, long sh, long sw, float *dw) {
    for (long k = 0; k < outputs; k += WIDTH) {
        vec sums[4][4], g[3][4];
        for (int s = 0; s < SPOTS; s++) {
            const float *from = du + (s * inputs + c) * outputs + k;
            vec sum = load(from);
            for (int thread = 1; thread < threads; thread++) sum += load(from + thread * share);
            sums[s / 4][s % 4] = sum;
        }
        for (int j = 0; j < 4; j++) {
            vec plus = 0.5f * (sums[1][j] + sums[2][j]), minus = 0.5f * (sums[1][j] - sums[2][j]);
            g[0][j] = sums[0][j] + plus, g[1][j] = minus, g[2][j] = plus + sums[3][j];
        }
        for (int i = 0; i < 3; i++) {
            vec plus = 0.5f * (g[i][1] + g[i][2]), minus = 0.5f * (g[i][1] - g[i][2]);
            vec found[3] = {g[i][0] + plus, minus, plus + g[i][3]};
            for (int j = 0; j < 3; j++)
                for (int lane = 0; lane < WIDTH; lane++)
                    dw[(k + lane) * sk + c * sc + i * sh + j * sw] = found[j][lane];
        }
    }
}

#endif
