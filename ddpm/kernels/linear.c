/* Linear maps of many short rows, as 1 × 1 convolutions and attention's projections are: y = x Wᵀ + bias, with
   products of bfloat16 and sums of float32.

   Rows are float32 numbers, inputs or outputs many, both multiples of eight. A row of y is independent of the others. */
#include "laying.h"

#define BLOCK 96 /* rows at once: what is made of them stays in a core's second cache */

INLINE void apply_block(const float *x, const float *u, const float *bias, float *y, long count,
                        long inputs, long outputs, float *a, float *c) {
    const long rows = lay_rows(x, inputs, count, inputs, a);
    if (bias)
        for (long r = 0; r < rows; r++) memcpy(c + r * outputs, bias, outputs * sizeof(float));
    multiply(rows, outputs, inputs / 2, a, inputs / 2, 1, u, c, outputs, !!bias);
    memcpy(y, c, count * outputs * sizeof(float));
}

/* u, inputs · outputs / 2 floats: the weights w[k · sk + c · sc] of output k and input c as `linear_apply` takes them;
   turned, inputs and outputs exchanged, those of the gradient to x. */
void linear_prepare(const float *w, float *u, long inputs, long outputs, long sk, long sc) {
    lay_turned(w, sk, sc, outputs, inputs, outputs, u);
}

/* y (rows, outputs) of x (rows, inputs), prepared weights u, and bias (outputs) or NULL. */
void linear_apply(const float *x, const float *u, const float *bias, float *y, long rows, long inputs, long outputs,
                  int threads) {
#pragma omp parallel num_threads(threads)
    {
        float *a = scratch(BLOCK * (inputs + outputs)), *c = a + BLOCK * inputs;
#pragma omp for schedule(static)
        for (long first = 0; first < rows; first += BLOCK) {
            const long count = rows - first < BLOCK ? rows - first : BLOCK;
            apply_block(x + first * inputs, u, bias, y + first * outputs, count, inputs, outputs, a, c);
        }
    }
}

/* Adds to dw[c][k] and dbias[k] what `count` rows have in them. */
INLINE void gather_block(const float *x, const float *dy, long count, long inputs, long outputs,
                         float *a, float *b, float *dw, float *dbias) {
    const long words = words_of(count);
    lay_across(x, inputs, count, inputs, a);
    lay_panels(dy, outputs, count, outputs, words, b);
    multiply(inputs, outputs, words, a, 1, inputs, b, dw, outputs, 1);
    for (long k = 0; k < outputs; k += WIDTH) {
        vec sum = all(0);
        for (long r = 0; r < count; r++) sum += load(dy + r * outputs + k);
        store(dbias + k, load(dbias + k) + sum);
    }
}

/* Gradients dw (outputs, inputs) and dbias (outputs), from x and dy; work: threads ·
   (inputs + 1) · outputs floats. */
void linear_gradients(const float *x, const float *dy, float *dw, float *dbias, float *work, long rows, long inputs,
                      long outputs, int threads) {
    const long blocks = (rows + BLOCK - 1) / BLOCK, share = (inputs + 1) * outputs;
#pragma omp parallel num_threads(threads)
    {
        float *a = scratch(BLOCK * (inputs + outputs)), *b = a + BLOCK * inputs;
#pragma omp for schedule(static, 1)
        for (int part = 0; part < threads; part++) { /* a part is a thread's, also where fewer threads came */
            float *own = work + part * share;
            memset(own, 0, share * sizeof(float));
            for (long block = part * blocks / threads; block < (part + 1) * blocks / threads; block++) {
                const long first = block * BLOCK, count = rows - first < BLOCK ? rows - first : BLOCK;
                gather_block(x + first * inputs, dy + first * outputs, count, inputs, outputs, a, b, own,
                             own + inputs * outputs);
            }
        }
#pragma omp for schedule(static)
        for (long c = 0; c <= inputs; c++)
            for (long k = 0; k < outputs; k++) {
                float sum = 0;
                for (int part = 0; part < threads; part++) sum += work[part * share + c * outputs + k];
                *(c < inputs ? dw + k * inputs + c : dbias + k) = sum;
            }
    }
}
