/* Attention (Vaswani et al. 2017) in blocks of queries: o = softmax(scale · q kᵀ) v, each head of each image by itself.

   Tokens are rows: q, k, v, o are (images, tokens, heads · channels) in memory, channels a multiple of eight. What is
   multiplied is bfloat16 (queries, keys, values, weights and their gradients); sums and the softmax are float32.
   Weights are computed anew for the gradients, from each query's largest score and sum. */
#include "laying.h"

#include <math.h>

#define BLOCK 48 /* queries at once */

typedef struct {
    long images, tokens, heads, channels;
    float scale;
    long apart, padded; /* numbers from a token to the next, tokens up to a multiple of eight */
} Heads;

static Heads heads_of(long images, long tokens, long heads, long channels, float scale) {
    return (Heads){images, tokens, heads, channels, scale, heads * channels, (tokens + WIDTH - 1) / WIDTH * WIDTH};
}

/* Where a head of an image begins. */
INLINE long begin(const Heads *h, long head) {
    return head / h->heads * h->tokens * h->apart + head % h->heads * h->channels;
}

/* Makes the scores that only pad a row the least there are: they weigh nothing. */
INLINE void hide_padding(const Heads *h, float *row) {
    for (long j = h->tokens; j < h->padded; j++) row[j] = -INFINITY;
}

INLINE float largest(const Heads *h, const float *row) {
    vec most = load(row);
    for (long j = WIDTH; j < h->padded; j += WIDTH) most = chosen(load(row + j) > most, load(row + j), most);
    float found = most[0];
    for (int lane = 1; lane < WIDTH; lane++) found = most[lane] > found ? most[lane] : found;
    return found;
}

INLINE float total(vec sums) {
    float found = 0;
    for (int lane = 0; lane < WIDTH; lane++) found += sums[lane];
    return found;
}

/* e^(scale · (score - most)) of eight scores; what would be less than the least float is about that. */
INLINE vec weight(const Heads *h, vec score, float most) {
    return exponential(clamped((score - all(most)) * all(h->scale), -87, 87));
}

/* A row of scores becomes one of weights; returns their sum. */
INLINE float weigh(const Heads *h, float *row, float most) {
    vec sums = all(0);
    for (long j = 0; j < h->padded; j += WIDTH) {
        vec power = weight(h, load(row + j), most);
        store(row + j, power), sums += power;
    }
    return total(sums);
}

INLINE void attend_block(const Heads *h, const float *q, const float *keys, const float *values,
                         float *o, float *most, float *sums, long count, float *a, float *s) {
    const long words = h->channels / 2, along = h->padded / 2;
    long rows = lay_rows(q, h->apart, count, h->channels, a);
    multiply(rows, h->padded, words, a, words, 1, keys, s, h->padded, 0);
    for (long r = 0; r < count; r++) {
        float *row = s + r * h->padded;
        hide_padding(h, row);
        most[r] = largest(h, row), sums[r] = weigh(h, row, most[r]);
    }
    rows = lay_rows(s, h->padded, count, h->padded, a);
    multiply(rows, h->channels, along, a, along, 1, values, s, h->channels, 0);
    for (long r = 0; r < count; r++)
        for (long c = 0; c < h->channels; c += WIDTH)
            store(o + r * h->apart + c, load(s + r * h->channels + c) * all(1 / sums[r]));
}

/* o of q, k, v; most and sums (images, heads, tokens) are for the gradients; laid: images · heads · channels ·
   (tokens up to a multiple of eight) floats to work with. */
void attention_forward(const float *q, const float *k, const float *v, float *o, float *most, float *sums, float *laid,
                       long images, long tokens, long heads, long channels, float scale, int threads) {
    const Heads h = heads_of(images, tokens, heads, channels, scale);
    const long blocks = (tokens + BLOCK - 1) / BLOCK, size = channels * h.padded / 2, longest = channels + h.padded;
#pragma omp parallel num_threads(threads)
    {
        float *a = scratch(2 * BLOCK * longest), *s = a + BLOCK * longest;
#pragma omp for schedule(static)
        for (long head = 0; head < images * heads; head++) {
            const long at = begin(&h, head);
            float *keys = laid + 2 * head * size, *values = keys + size;
            lay_turned(k + at, h.apart, 1, tokens, channels, h.padded, keys);
            lay_panels(v + at, h.apart, tokens, channels, h.padded / 2, values);
        }
#pragma omp for schedule(static)
        for (long task = 0; task < images * heads * blocks; task++) {
            const long head = task / blocks, first = task % blocks * BLOCK, left = tokens - first;
            const long at = begin(&h, head) + first * h.apart, query = head * tokens + first;
            const float *keys = laid + 2 * head * size;
            attend_block(&h, q + at, keys, keys + size, o + at, most + query, sums + query, left < BLOCK ? left : BLOCK,
                         a, s);
        }
    }
}

/* What a head is made of where gradients are computed, and room to work. */
typedef struct {
    float *keys, *values;      /* turned: rights of products over the channels */
    float *rows;               /* of keys: the right of a product over the tokens */
    float *dk, *dv;            /* (padded, channels), gathered */
    float *a, *b, *p, *dp, *c; /* of a block */
} Room;

INLINE long room_size(const Heads *h) {
    return 5 * (h->channels * h->padded + BLOCK * (h->channels + h->padded));
}

static Room room(const Heads *h, float *all) {
    const long size = h->channels * h->padded, block = BLOCK * (h->channels + h->padded);
    float *blocks = all + 5 * size;
    return (Room){all, all + size, all + 2 * size, all + 3 * size, all + 4 * size, blocks, blocks + block,
                  blocks + 2 * block, blocks + 3 * block, blocks + 4 * block};
}

/* p: the weights again; dp: the gradients to the scores. */
INLINE void score_gradients(const Heads *h, const Room *o, const float *q, const float *dy,
                            const float *most, const float *sums, long count) {
    const long words = h->channels / 2;
    long rows = lay_rows(q, h->apart, count, h->channels, o->a);
    multiply(rows, h->padded, words, o->a, words, 1, o->keys, o->p, h->padded, 0);
    rows = lay_rows(dy, h->apart, count, h->channels, o->a);
    multiply(rows, h->padded, words, o->a, words, 1, o->values, o->dp, h->padded, 0);
    for (long r = 0; r < count; r++) {
        float *p = o->p + r * h->padded, *dp = o->dp + r * h->padded;
        hide_padding(h, p);
        const vec share = all(1 / sums[r]);
        vec inner = all(0);
        for (long j = 0; j < h->padded; j += WIDTH) {
            vec found = weight(h, load(p + j), most[r]) * share;
            store(p + j, found), inner += found * load(dp + j);
        }
        const vec mean = all(total(inner));
        for (long j = 0; j < h->padded; j += WIDTH)
            store(dp + j, load(p + j) * (load(dp + j) - mean) * all(h->scale));
    }
}

INLINE void gradients_block(const Heads *h, const Room *o, const float *q, const float *dy,
                            const float *most, const float *sums, float *dq, long count) {
    const long along = h->padded / 2, words = words_of(count);
    score_gradients(h, o, q, dy, most, sums, count);
    const long rows = lay_rows(o->dp, h->padded, count, h->padded, o->a);
    multiply(rows, h->channels, along, o->a, along, 1, o->rows, o->c, h->channels, 0);
    for (long r = 0; r < count; r++) memcpy(dq + r * h->apart, o->c + r * h->channels, h->channels * sizeof(float));
    lay_across(o->dp, h->padded, count, h->padded, o->a);
    lay_panels(q, h->apart, count, h->channels, words, o->b);
    multiply(h->padded, h->channels, words, o->a, 1, h->padded, o->b, o->dk, h->channels, 1);
    lay_across(o->p, h->padded, count, h->padded, o->a);
    lay_panels(dy, h->apart, count, h->channels, words, o->b);
    multiply(h->padded, h->channels, words, o->a, 1, h->padded, o->b, o->dv, h->channels, 1);
}

INLINE void gradients_head(const Heads *h, const float *q, const float *k, const float *v,
                           const float *dy, const float *most, const float *sums, float *dq, float *dk, float *dv,
                           float *work) {
    const Room o = room(h, work);
    lay_turned(k, h->apart, 1, h->tokens, h->channels, h->padded, o.keys);
    lay_turned(v, h->apart, 1, h->tokens, h->channels, h->padded, o.values);
    lay_panels(k, h->apart, h->tokens, h->channels, h->padded / 2, o.rows);
    memset(o.dk, 0, 2 * h->padded * h->channels * sizeof(float));
    for (long first = 0; first < h->tokens; first += BLOCK) {
        const long left = h->tokens - first, at = first * h->apart;
        gradients_block(h, &o, q + at, dy + at, most + first, sums + first, dq + at, left < BLOCK ? left : BLOCK);
    }
    for (long r = 0; r < h->tokens; r++) {
        memcpy(dk + r * h->apart, o.dk + r * h->channels, h->channels * sizeof(float));
        memcpy(dv + r * h->apart, o.dv + r * h->channels, h->channels * sizeof(float));
    }
}

/* Floats of work memory that each thread needs for gradients. */
long attention_room(long tokens, long channels) {
    const Heads h = heads_of(1, tokens, 1, channels, 1);
    return room_size(&h);
}

/* Gradients to q, k, v, from that to o and from what the forward pass has kept; work: threads · attention_room. */
void attention_backward(const float *q, const float *k, const float *v, const float *dy, const float *most,
                        const float *sums, float *dq, float *dk, float *dv, float *work, long images, long tokens,
                        long heads, long channels, float scale, int threads) {
    const Heads h = heads_of(images, tokens, heads, channels, scale);
    const long all = images * heads;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int part = 0; part < threads; part++)
        for (long head = part * all / threads; head < (part + 1) * all / threads; head++) {
            const long at = begin(&h, head), query = head * tokens;
            gradients_head(&h, q + at, k + at, v + at, dy + at, most + query, sums + query, dq + at, dk + at, dv + at,
                           work + part * room_size(&h));
        }
}
