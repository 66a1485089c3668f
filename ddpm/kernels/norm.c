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

/* Sums over an image's pixels are kept in registers, of up to so many vectors of channels at a time. */
#define ABREAST 4

/* `call(count)` for all channels, `count` vectors from c on at a time: a number that the compiler knows. */
#define IN_REGISTERS(call)                                        \
    for (long c = 0; c < n->channels; c += ABREAST * WIDTH)       \
        switch ((n->channels - c) / WIDTH) {                      \
        case 1: call(1); break;                                   \
        case 2: call(2); break;                                   \
        case 3: call(3); break;                                   \
        default: call(ABREAST);                                   \
        }

/* Σ(x - pivot) and Σ(x - pivot)² over the pixels, into sums[2][channels]. */
INLINE void sum_moments(const int count, const Norm *n, long c, const float *x, const float *pivot, float *sums) {
    vec centre[ABREAST], total[ABREAST], squares[ABREAST];
    for (int v = 0; v < count; v++) centre[v] = load(pivot + c + v * WIDTH), total[v] = squares[v] = all(0);
    for (long p = 0; p < n->pixels; p++, x += n->channels)
        for (int v = 0; v < count; v++) {
            vec d = load(x + c + v * WIDTH) - centre[v];
            total[v] += d, squares[v] += d * d;
        }
    for (int v = 0; v < count; v++) {
        store(sums + c + v * WIDTH, total[v]);
        store(sums + n->channels + c + v * WIDTH, squares[v]);
    }
}

/* What each channel is to be multiplied by and shifted by. */
typedef struct {
    float *factor, *offset; /* so that it is what SiLU gets */
    float *along, *rest;    /* so that it is normalised */
} Channels;

/* y = act(factor · x + offset) */
INLINE void activate(const int count, const Norm *n, long c, const float *x, const Channels *k, float *y) {
    for (long p = 0; p < n->pixels; p++, x += n->channels, y += n->channels)
        for (int v = 0; v < count; v++) {
            long at = c + v * WIDTH;
            vec z = load(x + at) * load(k->factor + at) + load(k->offset + at);
            store(y + at, n->silu ? z * sigmoid(z) : z);
        }
}

/* The gradient before the activation, into dz, and its sums over the pixels, times the normalised x and alone. */
INLINE void sum_gradients(const int count, const Norm *n, long c, const float *x, const Channels *k, const float *dy,
                          float *dz, float *products, float *sums) {
    vec product[ABREAST], sum[ABREAST];
    for (int v = 0; v < count; v++) product[v] = sum[v] = all(0);
    for (long p = 0; p < n->pixels; p++, x += n->channels, dy += n->channels, dz += n->channels)
        for (int v = 0; v < count; v++) {
            long at = c + v * WIDTH;
            vec value = load(x + at), d = load(dy + at);
            if (n->silu) {
                vec z = value * load(k->factor + at) + load(k->offset + at), s = sigmoid(z);
                d *= s * (all(1) + z * (all(1) - s));
            }
            store(dz + at, d);
            sum[v] += d, product[v] += d * (value * load(k->along + at) + load(k->rest + at));
        }
    for (int v = 0; v < count; v++) {
        store(products + c + v * WIDTH, product[v]);
        store(sums + c + v * WIDTH, sum[v]);
    }
}

/* dx = factor · dz + along · x + rest, in dz's place; its sum over the pixels, unless NULL, into dshift. */
INLINE void add_up(const int count, const Norm *n, long c, const float *x, const Channels *k, float *dx,
                   float *dshift) {
    vec sum[ABREAST];
    for (int v = 0; v < count; v++) sum[v] = all(0);
    for (long p = 0; p < n->pixels; p++, x += n->channels, dx += n->channels)
        for (int v = 0; v < count; v++) {
            long at = c + v * WIDTH;
            vec d = load(dx + at) * load(k->factor + at) + load(x + at) * load(k->along + at) + load(k->rest + at);
            store(dx + at, d);
            sum[v] += d;
        }
    if (dshift)
        for (int v = 0; v < count; v++) store(dshift + c + v * WIDTH, sum[v]);
}

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
    float *sums = work, *pivot = work + 2 * n->channels;
    const Channels k = {pivot + n->channels, pivot + 2 * n->channels, NULL, NULL};
    memcpy(pivot, x, n->channels * sizeof(float)); /* the first pixel: near the mean, so that squares stay small */
#define MOMENTS(count) sum_moments(count, n, c, x, pivot, sums)
    IN_REGISTERS(MOMENTS)
    if (shift)
        for (long c = 0; c < n->channels; c++) pivot[c] += shift[c];
    group_moments(n, sums, pivot, mean, scale);
    as_factors(n, shift, gamma, beta, mean, scale, k.factor, k.offset);
#define ACTIVATE(count) activate(count, n, c, x, &k, y)
    IN_REGISTERS(ACTIVATE)
}

/* dx, and this image's shares of the gradients: dshift (C), dgamma and dbeta (C each, dgamma first). */
static void backward_one(const Norm *n, const float *x, const float *shift, const float *gamma, const float *beta,
                         const float *dy, const float *mean, const float *scale, float *dx, float *dshift,
                         float *dweights, float *work) {
    const long each = n->channels / n->groups;
    const Channels k = {work, work + n->channels, work + 2 * n->channels, work + 3 * n->channels};
    float *products = dweights, *sums = dweights + n->channels;
    as_factors(n, shift, gamma, beta, mean, scale, k.factor, k.offset);
    for (long c = 0; c < n->channels; c++) {
        k.along[c] = scale[c / each];
        k.rest[c] = ((shift ? shift[c] : 0) - mean[c / each]) * k.along[c];
    }
#define GRADIENTS(count) sum_gradients(count, n, c, x, &k, dy, dx, products, sums)
    IN_REGISTERS(GRADIENTS)
    for (long g = 0; g < n->groups; g++) { /* the group's mean and the normalised x of it are taken out of dz */
        double sum = 0, product = 0, count = (double)n->pixels * each;
        for (long c = g * each; c < (g + 1) * each; c++) sum += gamma[c] * sums[c], product += gamma[c] * products[c];
        for (long c = g * each; c < (g + 1) * each; c++) {
            float normalised = -scale[g] * product / count;
            k.rest[c] = normalised * k.rest[c] - scale[g] * sum / count, k.along[c] *= normalised;
        }
    }
#define ADD_UP(count) add_up(count, n, c, x, &k, dx, dshift)
    IN_REGISTERS(ADD_UP)
}

/* x, y (N,P,C); shift (N,C) or NULL; gamma, beta (C); mean, scale (N,groups), kept for the gradient, or NULL. */
void norm_forward(const float *x, const float *shift, const float *gamma, const float *beta, float *y, float *mean,
                  float *scale, long images, long pixels, long channels, long groups, float epsilon, int silu,
                  int threads) {
    const Norm n = {pixels, channels, groups, epsilon, silu};
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long i = 0; i < images; i++) {
        float *work = scratch(5 * channels + 2 * groups), *own = work + 5 * channels;
        forward_one(&n, x + i * pixels * channels, shift ? shift + i * channels : NULL, gamma, beta,
                    y + i * pixels * channels, mean ? mean + i * groups : own,
                    scale ? scale + i * groups : own + groups, work);
    }
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
