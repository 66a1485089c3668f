/* 3 × 3 convolutions, stride 1, padding 1, by Winograd's F(2×2, 3×3) (Lavin & Gray 2016).

   Images are (N, H, W, C) in memory, float32, channels multiples of eight. A tile's 16 products take the place of the
   definition's 36. Each tile's result is independent of the others, so an image does not depend on its batch or on
   the number of threads. `halves`: products of bfloat16 and sums of float32; transforms are float32 either way. */
#include "tiles.h"

/* Whether products of bfloat16 are an instruction of this processor. */
int winograd_has_halves(void) { return BY_INSTRUCTION; }

/* `call(1)` or `call(0)`: a number that the compiler knows. */
#define BY_KIND(call) \
    if (halves) call(1); \
    else call(0)

/* u (16 · inputs · outputs floats, of halves half as many) of w[k · sk + c · sc + i · sh + j · sw], k an output and
   c an input. */
void winograd_prepare(const float *w, float *u, long inputs, long outputs, long sk, long sc, long sh, long sw,
                      int halves, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long c = 0; c < inputs; c += WIDTH)
        for (long k = 0; k < outputs; k += WIDTH) {
#define PREPARE(kind) transform_weights(kind, w, inputs, outputs, c, k, sk, sc, sh, sw, u)
            BY_KIND(PREPARE);
        }
}

INLINE void convolve_tiles(const int halves, const float *x, const float *u, const float *bias, float *y,
                           const Tiling *t, long first, long inputs, long outputs, float *v, float *m) {
    const long inner = inputs / in_word(halves), left = t->count - first, count = left < TILES ? left : TILES;
    const long rows = (count + ROWS - 1) / ROWS * ROWS;
    transform_inputs(halves, x, t, inputs, first, count, v);
    for (long s = 0; s < SPOTS; s++) /* rows that pad the block */
        memset(v + s * apart(inputs) + count * inner, 0, (rows - count) * inner * sizeof(float));
    for (long s = 0; s < SPOTS; s++)
        for (long k = 0, columns; k < outputs; k += columns) {
            columns = panel(k, outputs);
            panel_product(halves, rows, columns, inner, v + s * apart(inputs), inner, 1,
                          u + (s * outputs + k) * inner, m + s * apart(outputs) + k, outputs, 0);
        }
    transform_outputs(m, bias, t, outputs, first, count, y);
}

/* y (N,H,W,outputs) of x (N,H,W,inputs), prepared weights u of that kind, and bias (outputs) or NULL. With u of
   weights that are turned, their inputs and outputs exchanged, it is the gradient to x. */
void winograd_convolve(const float *x, const float *u, const float *bias, float *y, long images, long height,
                       long width, long inputs, long outputs, int halves, int threads) {
    const Tiling t = tiling(images, height, width);
#pragma omp parallel num_threads(threads)
    {
        float *v = scratch(SPOTS * (apart(inputs) + apart(outputs))), *m = v + SPOTS * apart(inputs);
#pragma omp for schedule(static)
        for (long first = 0; first < t.count; first += TILES) {
#define CONVOLVE(kind) convolve_tiles(kind, x, u, bias, y, &t, first, inputs, outputs, v, m)
            BY_KIND(CONVOLVE);
        }
    }
}

/* Adds to du[spot][c][k] and bias what the tiles from `first` on have in them. */
INLINE void gather_gradients(const int halves, const float *x, const float *dy, const Tiling *t, long first,
                             long inputs, long outputs, float *v, float *d, float *du, float *bias) {
    const long left = t->count - first, count = left < TILES ? left : TILES;
    transform_inputs_across(halves, x, t, inputs, first, count, v);
    transform_gradients(halves, dy, t, outputs, first, count, d, bias);
    for (long s = 0; s < SPOTS; s++)
        for (long k = 0, columns; k < outputs; k += columns) {
            columns = panel(k, outputs);
            panel_product(halves, inputs, columns, (count + in_word(halves) - 1) / in_word(halves),
                          v + s * apart(inputs), 1, inputs, d + s * apart(outputs) + k * TILES,
                          du + s * inputs * outputs + k, outputs, 1);
        }
}

/* Gradients to w and bias, from x and dy; du: threads · (16 · inputs + 1) · outputs floats to work with. */
void winograd_gradients(const float *x, const float *dy, float *dw, float *dbias, float *du, long images, long height,
                        long width, long inputs, long outputs, long sk, long sc, long sh, long sw, int halves,
                        int threads) {
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
#define GATHER(kind) gather_gradients(kind, x, dy, &t, block * TILES, inputs, outputs, v, d, own, bias)
                BY_KIND(GATHER);
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
