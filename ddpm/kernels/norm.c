/* Group normalisation (Wu & He 2018) and what stands around it in a residual block, in one pass over an image:
   y = act(gamma · (x + shift - mean) / deviation + beta), act being SiLU or nothing.

   Images are (N, pixels, C) in memory, C a multiple of eight; statistics are of a group of channels of one image. */
#include "vector.h"

typedef struct {
    long pixels, channels, groups;
    float epsilon;
    int silu;
} Norm;

/* 1 / (1 + e^-z) */
INLINE vec sigmoid(vec z) { return all(1) / (all(1) + exponential(clamped(-z, -87, 87))); }

/* Every vector of an image: `at` in it, `c` its first channel. */
#define EVERY_VECTOR                             \
    for (long p = 0, at = 0; p < n->pixels; p++) \
        for (long c = 0; c < n->channels; c += WIDTH, at += WIDTH)

INLINE void add(float *sum, vec v) { store(sum, load(sum) + v); }

/* Mean and 1 / deviation of each group, of the channels' sums of (x - pivot) and of its square. */
static void group_moments(const Norm *n, const float *sums, const float *pivot, float *mean, float *scale) {
    const long each = n->channels / n->groups;
    for (long g = 0; g < n->groups; g++) {
        double total = 0, squares = 0, count = (double)n->pixels * each;
        for (long c = g * each; c < (g + 1) * each; c++) total += sums[c] + n->pixels * (double)pivot[c];
        double centre = total / count;
        for (long c = g * each; c < (g + 1) * each; c++) {
            double off = pivot[c] - centre; /* Σ(x-m)² = Σ(x-p)² + 2(p-m)Σ(x-p) + P(p-m)² */
            squares += sums[n->channels + c] + 2 * off * sums[c] + n->pixels * off * off;
        }
        mean[g] = centre, scale[g] = 1 / __builtin_sqrt(squares / count + n->epsilon);
    }
}

/* z = factor · x + offset is what is activated: the whole of a normalisation, channel by channel. */
static void as_factors(const Norm *n, const float *shift, const float *gamma, const float *beta, const float *mean,
                       const float *scale, float *factor, float *offset) {
    const long each = n->channels / n->groups;
    for (long c = 0; c < n->channels; c++) {
        factor[c] = gamma[c] * scale[c / each];
        offset[c] = beta[c] + factor[c] * ((shift ? shift[c] : 0) - mean[c / each]);
    }
}

static void forward_one(const Norm *n, const float *x, const float *shift, const float *gamma, const float *beta,
                        float *y, float *mean, float *scale, float *work) {
    float *sums = work, *pivot = work + 2 * n->channels, *factor = pivot + n->channels;
    float *offset = factor + n->channels;
    memcpy(pivot, x, n->channels * sizeof(float)); /* the first pixel: near the mean, so that squares stay small */
    memset(sums, 0, 2 * n->channels * sizeof(float));
    EVERY_VECTOR {
        vec d = load(x + at) - load(pivot + c);
        add(sums + c, d), add(sums + n->channels + c, d * d);
    }
    if (shift)
        for (long c = 0; c < n->channels; c++) pivot[c] += shift[c];
    group_moments(n, sums, pivot, mean, scale);
    as_factors(n, shift, gamma, beta, mean, scale, factor, offset);
    EVERY_VECTOR {
        vec z = load(x + at) * load(factor + c) + load(offset + c);
        store(y + at, n->silu ? z * sigmoid(z) : z);
    }
}

/* dx, and this image's shares of the gradients: dshift (C), dgamma and dbeta (C each, dgamma first). */
static void backward_one(const Norm *n, const float *x, const float *shift, const float *gamma, const float *beta,
                         const float *dy, const float *mean, const float *scale, float *dx, float *dshift,
                         float *dweights, float *work) {
    const long each = n->channels / n->groups;
    float *factor = work, *offset = factor + n->channels, *along = offset + n->channels, *rest = along + n->channels;
    float *products = dweights, *sums = dweights + n->channels;
    as_factors(n, shift, gamma, beta, mean, scale, factor, offset);
    for (long c = 0; c < n->channels; c++) { /* the normalised x is along · x + rest */
        along[c] = scale[c / each];
        rest[c] = ((shift ? shift[c] : 0) - mean[c / each]) * along[c];
    }
    memset(dweights, 0, 2 * n->channels * sizeof(float));
    EVERY_VECTOR {
        vec value = load(x + at), dz = load(dy + at);
        if (n->silu) {
            vec z = value * load(factor + c) + load(offset + c), s = sigmoid(z);
            dz *= s * (all(1) + z * (all(1) - s));
        }
        store(dx + at, dz);
        add(sums + c, dz), add(products + c, dz * (value * load(along + c) + load(rest + c)));
    }
    for (long g = 0; g < n->groups; g++) { /* dx = factor · dz + along' · x + rest', by group */
        double sum = 0, product = 0, count = (double)n->pixels * each;
        for (long c = g * each; c < (g + 1) * each; c++) sum += gamma[c] * sums[c], product += gamma[c] * products[c];
        for (long c = g * each; c < (g + 1) * each; c++) {
            float normalised = -scale[g] * product / count;
            rest[c] = normalised * rest[c] - scale[g] * sum / count, along[c] *= normalised;
        }
    }
    if (dshift) memset(dshift, 0, n->channels * sizeof(float));
    EVERY_VECTOR {
        vec d = load(dx + at) * load(factor + c) + load(x + at) * load(along + c) + load(rest + c);
        store(dx + at, d);
        if (dshift) add(dshift + c, d);
    }
}

/* x, y (N,P,C); shift (N,C) or NULL; gamma, beta (C); mean, scale (N,groups), kept for the gradient. */
void norm_forward(const float *x, const float *shift, const float *gamma, const float *beta, float *y, float *mean,
                  float *scale, long images, long pixels, long channels, long groups, float epsilon, int silu,
                  int threads) {
    const Norm n = {pixels, channels, groups, epsilon, silu};
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long i = 0; i < images; i++)
        forward_one(&n, x + i * pixels * channels, shift ? shift + i * channels : NULL, gamma, beta,
                    y + i * pixels * channels, mean + i * groups, scale + i * groups, scratch(5 * channels));
}

/* dx (N,P,C); dshift (N,C) or NULL; dweights (N,2,C): each image's share of dgamma and dbeta. */
void norm_backward(const float *x, const float *shift, const float *gamma, const float *beta, const float *dy,
                   const float *mean, const float *scale, float *dx, float *dshift, float *dweights, long images,
                   long pixels, long channels, long groups, int silu, int threads) {
    const Norm n = {pixels, channels, groups, 0, silu};
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long i = 0; i < images; i++) {
        const long at = i * pixels * channels;
        backward_one(&n, x + at, shift ? shift + i * channels : NULL, gamma, beta, dy + at, mean + i * groups,
                     scale + i * groups, dx + at, dshift ? dshift + i * channels : NULL, dweights + i * 2 * channels,
                     scratch(4 * channels));
    }
}
