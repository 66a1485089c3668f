/* 3 × 3 convolutions, stride 1, padding 1, by Winograd's F(2×2, 3×3) (Lavin & Gray 2016).

   Images are (N, H, W, C) in memory, channels multiples of eight. A tile is 2 × 2 pixels of the output, made of
   4 × 4 of the input: 16 products where the definition has 36. Each tile's result is independent of the others,
   so an image does not depend on its batch or on the number of threads. */
#include "vector.h"

#define TILES 48 /* at once: what they are made of stays in a core's second cache */
#define ROWS 12  /* a multiple of the rows of any product below */
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

/* Columns are taken in panels of one to three vectors, so that twelve sums fill the registers. */
INLINE long panel(long k, long outputs) {
    long left = (outputs - k) / WIDTH;
    return WIDTH * (left == 1 ? 1 : left % 2 ? 3 : 2);
}

/* rows × (vectors · 8) of C = A B: A[r · ar + i · ai], B[i · vectors · 8 + …], C[r · cr + …]. */
INLINE void product(const int rows, const int vectors, long inner, const float *a, long ar, long ai,
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
            for (int v = 0; v < vectors; v++) sums[r * vectors + v] += left * right[v];
        }
        a += ai, b += vectors * WIDTH;
    }
#pragma GCC unroll 12
    for (int s = 0; s < rows * vectors; s++) store(c + s / vectors * cr + s % vectors * WIDTH, sums[s]);
}

/* C = A B for an even number of rows, a multiple of four where columns are not two vectors. */
static void panel_product(long rows, long columns, long inner, const float *a, long ar, long ai, const float *b,
                          float *c, long cr, int accumulate) {
    for (long done; rows > 0; rows -= done, a += done * ar, c += done * cr) {
        if (columns == 3 * WIDTH) product(done = 4, 3, inner, a, ar, ai, b, c, cr, accumulate);
        else if (columns == 2 * WIDTH) {
            if (rows >= 6) product(done = 6, 2, inner, a, ar, ai, b, c, cr, accumulate);
            else if (rows >= 4) product(done = 4, 2, inner, a, ar, ai, b, c, cr, accumulate);
            else product(done = 2, 2, inner, a, ar, ai, b, c, cr, accumulate);
        } else {
            if (rows >= 12) product(done = 12, 1, inner, a, ar, ai, b, c, cr, accumulate);
            else if (rows >= 8) product(done = 8, 1, inner, a, ar, ai, b, c, cr, accumulate);
            else product(done = 4, 1, inner, a, ar, ai, b, c, cr, accumulate);
        }
    }
}

/* A row of G times three numbers. */
#define ROWS_OF_G(to, top, mid, end)                                        \
    to[0] = top, to[1] = 0.5f * (top + mid + end), to[2] = 0.5f * (top - mid + end), to[3] = end

/* U = G w Gᵀ of eight inputs from c on and eight outputs from k on: u[spot][panel][c][column]. */
static void transform_weights(const float *w, long inputs, long outputs, long c, long k, long sk, long sc, long sh,
                              long sw, float *u) {
    long first = 0, columns = panel(0, outputs);
    while (k >= first + columns) first += columns, columns = panel(first, outputs);
    for (long input = c; input < c + WIDTH; input++) {
        vec taps[3][3], g[3][4];
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) {
                const float *from = w + k * sk + input * sc + i * sh + j * sw;
                if (sk == 1) taps[i][j] = load(from);
                else
                    for (int lane = 0; lane < WIDTH; lane++) taps[i][j][lane] = from[lane * sk];
            }
        for (int i = 0; i < 3; i++) ROWS_OF_G(g[i], taps[i][0], taps[i][1], taps[i][2]);
        for (int j = 0; j < 4; j++) {
            vec found[4];
            ROWS_OF_G(found, g[0][j], g[1][j], g[2][j]);
            float *to = u + j * inputs * outputs + first * inputs + input * columns + (k - first);
            for (int i = 0; i < 4; i++) store(to + 4 * i * inputs * outputs, found[i]);
        }
    }
}

/* Where a tile lies. */
INLINE void locate(const Tiling *t, long tile, long *image, long *y, long *x) {
    long inside = tile % (t->down * t->across);
    *image = tile / (t->down * t->across);
    *y = inside / t->across * 2, *x = inside % t->across * 2;
}

/* V = Bᵀ d B of `count` tiles from `first` on: v[spot][tile][channel]; rows that pad the block are zero. */
static void transform_inputs(const float *x, const Tiling *t, long channels, long first, long count, float *v) {
    static const float zeros[MOST] = {0};
    const long spot = apart(channels);
    for (long b = 0; b < count; b++) {
        long image, top, left;
        locate(t, first + b, &image, &top, &left);
        const float *corner[4][4];
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++) {
                long row = top + i - 1, column = left + j - 1;
                int inside = row >= 0 && row < t->height && column >= 0 && column < t->width;
                corner[i][j] = inside ? x + ((image * t->height + row) * t->width + column) * channels : zeros;
            }
        for (long c = 0; c < channels; c += WIDTH) {
            vec d[4][4];
            for (int j = 0; j < 4; j++) {
                vec p[4];
                for (int i = 0; i < 4; i++) p[i] = load(corner[i][j] + c);
                d[0][j] = p[0] - p[2], d[1][j] = p[1] + p[2], d[2][j] = p[2] - p[1], d[3][j] = p[1] - p[3];
            }
            float *to = v + b * channels + c;
            for (int i = 0; i < 4; i++, to += 4 * spot) {
                store(to, d[i][0] - d[i][2]);
                store(to + spot, d[i][1] + d[i][2]);
                store(to + 2 * spot, d[i][2] - d[i][1]);
                store(to + 3 * spot, d[i][1] - d[i][3]);
            }
        }
    }
    long padded = (count + ROWS - 1) / ROWS * ROWS;
    for (long s = 0; s < SPOTS; s++)
        memset(v + s * spot + count * channels, 0, (padded - count) * channels * sizeof(float));
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

/* u (16 · inputs · outputs floats) of w[k · sk + c · sc + i · sh + j · sw], k an output and c an input. */
void winograd_prepare(const float *w, float *u, long inputs, long outputs, long sk, long sc, long sh, long sw,
                      int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long c = 0; c < inputs; c += WIDTH)
        for (long k = 0; k < outputs; k += WIDTH) transform_weights(w, inputs, outputs, c, k, sk, sc, sh, sw, u);
}

/* y (N,H,W,outputs) of x (N,H,W,inputs), prepared weights u, and bias (outputs) or NULL. With u of weights that
   are turned, their inputs and outputs exchanged, it is the gradient to x. */
void winograd_convolve(const float *x, const float *u, const float *bias, float *y, long images, long height,
                       long width, long inputs, long outputs, int threads) {
    const Tiling t = tiling(images, height, width);
    const long blocks = (t.count + TILES - 1) / TILES;
#pragma omp parallel num_threads(threads)
    {
        float *v = scratch(SPOTS * (apart(inputs) + apart(outputs))), *m = v + SPOTS * apart(inputs);
#pragma omp for schedule(static)
        for (long block = 0; block < blocks; block++) {
            long first = block * TILES, left = t.count - first, count = left < TILES ? left : TILES;
            long rows = (count + ROWS - 1) / ROWS * ROWS;
            transform_inputs(x, &t, inputs, first, count, v);
            for (long s = 0; s < SPOTS; s++)
                for (long k = 0, columns; k < outputs; k += columns) {
                    columns = panel(k, outputs);
                    panel_product(rows, columns, inputs, v + s * apart(inputs), inputs, 1,
                                  u + s * inputs * outputs + k * inputs, m + s * apart(outputs) + k, outputs, 0);
                }
            transform_outputs(m, bias, &t, outputs, first, count, y);
        }
    }
}

/* D = A dy Aᵀ of the outputs' gradients, in panels: d[spot][panel][tile][column]; their sum is added to `bias`. */
static void transform_gradients(const float *dy, const Tiling *t, long channels, long first, long count, float *d,
                                float *bias) {
    const long spot = apart(channels);
    for (long b = 0; b < count; b++) {
        long image, top, left;
        locate(t, first + b, &image, &top, &left);
        int tall = top + 1 < t->height, wide = left + 1 < t->width;
        const float *from = dy + ((image * t->height + top) * t->width + left) * channels;
        for (long k0 = 0, columns; k0 < channels; k0 += columns) {
            columns = panel(k0, channels);
            for (long k = k0; k < k0 + columns; k += WIDTH) {
                const float *below = from + t->width * channels + k;
                vec p00 = load(from + k), p01 = wide ? load(from + channels + k) : all(0);
                vec p10 = tall ? load(below) : all(0), p11 = tall && wide ? load(below + channels) : all(0);
                store(bias + k, load(bias + k) + (p00 + p01) + (p10 + p11));
                vec rows[4][2] = {{p00, p01}, {p00 + p10, p01 + p11}, {p00 - p10, p01 - p11}, {-p10, -p11}};
                float *to = d + k0 * TILES + b * columns + (k - k0);
                for (int i = 0; i < 4; i++, to += 4 * spot) {
                    store(to, rows[i][0]);
                    store(to + spot, rows[i][0] + rows[i][1]);
                    store(to + 2 * spot, rows[i][0] - rows[i][1]);
                    store(to + 3 * spot, -rows[i][1]);
                }
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

/* Gradients to w and bias, from x and dy; du: threads · (16 · inputs + 1) · outputs floats to work with. */
void winograd_gradients(const float *x, const float *dy, float *dw, float *dbias, float *du, long images, long height,
                        long width, long inputs, long outputs, long sk, long sc, long sh, long sw, int threads) {
    const Tiling t = tiling(images, height, width);
    const long blocks = (t.count + TILES - 1) / TILES, share = (SPOTS * inputs + 1) * outputs;
#pragma omp parallel num_threads(threads)
    {
        float *v = scratch(SPOTS * (apart(inputs) + apart(outputs))), *d = v + SPOTS * apart(inputs);
#pragma omp for schedule(static, 1)
        for (int part = 0; part < threads; part++) { /* a part is a thread's, also where fewer threads came */
            float *own = du + part * share, *bias = own + SPOTS * inputs * outputs;
            memset(own, 0, share * sizeof(float));
            for (long block = part * blocks / threads; block < (part + 1) * blocks / threads; block++) {
                long first = block * TILES, left = t.count - first, count = left < TILES ? left : TILES;
                transform_inputs(x, &t, inputs, first, count, v);
                transform_gradients(dy, &t, outputs, first, count, d, bias);
                for (long s = 0; s < SPOTS; s++)
                    for (long k = 0, columns; k < outputs; k += columns) {
                        columns = panel(k, outputs);
                        panel_product(inputs, columns, count, v + s * apart(inputs), 1, inputs,
                                      d + s * apart(outputs) + k * TILES,
                                      own + s * inputs * outputs + k, outputs, 1);
                    }
            }
        }
#pragma omp for schedule(static)
        for (long c = 0; c < inputs; c++)
            transform_back(du, inputs, outputs, share, threads, c, sk, sc, sh, sw, dw);
    }
    memcpy(dbias, du + SPOTS * inputs * outputs, outputs * sizeof(float));
    for (int part = 1; part < threads; part++)
        for (long k = 0; k < outputs; k++) dbias[k] += du[part * share + SPOTS * inputs * outputs + k];
}
