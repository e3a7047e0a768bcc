/* Position of one hedge by a compact network; see inference.h. */

#include "inference.h"

#include <math.h>
#include <stddef.h>

/* gcc would take the loop over the units of a block apart before it sees that it is a vector. */
#if defined(__GNUC__) && !defined(__clang__)
#define VECTOR _Pragma("GCC unroll 1")
#else
#define VECTOR
#endif

static void hidden_layer(const CompactLayer *layer, const float *restrict x, float *restrict y) {
    const float *restrict weight = layer->weight;
    for (int q = 0; q < layer->blocks; q++, y += UNITS) {
        float sum[UNITS];
        for (int u = 0; u < UNITS; u++) sum[u] = layer->bias[q * UNITS + u];
        for (int k = layer->begin[q]; k < layer->begin[q + 1]; k++, weight += UNITS) {
            float input = x[layer->input[k]];
            VECTOR for (int u = 0; u < UNITS; u++) sum[u] += weight[u] * input;
        }
        for (int u = 0; u < UNITS; u++) y[u] = sum[u] < 0 ? 0 : sum[u];  /* NaN for NaN */
    }
}

/* UNITS partial sums, since an addition waits for the one before. */
static float output(const CompactNetwork *network, const float *x) {
    float sum[UNITS] = {0};
    for (int i = 0; i < network->units; i += UNITS)
        VECTOR for (int u = 0; u < UNITS; u++) sum[u] += network->weight[i + u] * x[i + u];
    for (int half = UNITS / 2; half > 0; half /= 2)
        for (int u = 0; u < half; u++) sum[u] += sum[u + half];
    return network->bias + sum[0];
}

/* x up to L/2; beyond, sign(x) (L/2 + L/pi arctan(pi/L (|x| - L/2))) */
static float saturated(float x, float limit) {
    const double half = limit / 2.0, scale = limit / 3.14159265358979323846;
    double size = fabs(x);
    return size > half ? (float)copysign(half + scale * atan((size - half) / scale), x) : x;
}

float compact_position(const CompactNetwork *network, const float *features, float *memory) {
    const float *x = features;
    for (int l = 0; l < network->layers; l++) {
        float *y = memory + (l % 2) * network->widest;
        hidden_layer(&network->layer[l], x, y);
        x = y;
    }
    return saturated(output(network, x), network->limit);
}
