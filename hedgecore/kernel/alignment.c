/* Alignment loss and multipliers. See alignment.h, and insurance/xnn/alignment.py for the formulas. */

#include "alignment.h"

#include <math.h>
#include <string.h>

static const float EPSILON = 1e-12f;

/* tanh of x >= 0, within 2e-7: 1 - 2 / (exp(2x) + 1), and NaN for NaN. exp(2x) = 2^n exp(r), where
   |r| <= log(2) / 2, with the series of exp(r). Without a branch, so that loops are vectorised. */
static inline float tanh_positive(float x) {
    typedef union { float value; int bits; } Word;
    const Word rounding = {.value = 12582912.0f};  /* 1.5 * 2^23: a sum with it is a whole number */
    Word shifted = {.value = fmaf(2.0f * x, 1.44269504f, rounding.value)};
    float n = shifted.value - rounding.value;
    float r = fmaf(n, 2.12194440e-4f, fmaf(n, -0.693359375f, 2.0f * x));  /* 2x - n log(2) */
    float series = fmaf(r, 1.0f / 5040, 1.0f / 720);
    series = fmaf(series, r, 1.0f / 120);
    series = fmaf(series, r, 1.0f / 24);
    series = fmaf(series, r, 1.0f / 6);
    series = fmaf(series, r, 0.5f);
    series = fmaf(series, r, 1.0f);
    series = fmaf(series, r, 1.0f);
    int exponent = shifted.bits - rounding.bits;
    exponent = exponent < 64 ? exponent : 64;  /* tanh is 1 long before */
    Word power = {.bits = (exponent + 127) << 23};
    return 1.0f - 2.0f / fmaf(series, power.value, 1.0f);
}

static inline float tanh_signed(float x) { return copysignf(tanh_positive(fabsf(x)), x); }

/* Row ``number`` of a matrix. */
static inline const float *row(const float *matrix, int number, int columns) {
    return matrix + (long)number * columns;
}

static void zero(float *x, int count) { memset(x, 0, sizeof(float) * (size_t)count); }

/* x[i] /= divisor */
static void divide(float *x, int count, float divisor) {
    for (int i = 0; i < count; i++) x[i] /= divisor;
}

/* --- alignment loss ----------------------------------------------------------------------------- */

/* mean[j], along[j] = u'c and square[j] = c'c, where c is node j, centred, and u the distance to its
   centroid, centred and with norm 1. ``u``: [nodes]. */
static void moments(const Nodes *layer, const float *unit, const int *owner, float *restrict mean,
                    float *restrict along, float *restrict square, float *restrict u) {
    const int rows = layer->rows, nodes = layer->nodes;
    zero(mean, nodes);
    zero(along, nodes);
    zero(square, nodes);
    for (int b = 0; b < rows; b++) {
        const float *z = row(layer->z, b, nodes);
        for (int j = 0; j < nodes; j++) mean[j] += z[j];
    }
    divide(mean, nodes, (float)rows);
    for (int b = 0; b < rows; b++) {
        const float *z = row(layer->z, b, nodes), *distance = row(unit, b, layer->clusters);
        for (int j = 0; j < nodes; j++) u[j] = distance[owner[j]];
        for (int j = 0; j < nodes; j++) {
            float c = z[j] - mean[j];
            along[j] = fmaf(u[j], c, along[j]);
            square[j] = fmaf(c, c, square[j]);
        }
    }
}

/* rho^2 = (u'c)^2 / c'c,   d rho^2 / dz = 2 (u'c / c'c) u - 2 (u'c / c'c)^2 c. */
float alignment(const Nodes *layer, const float *unit, const int *owner, float share,
                float *gradient, float *memory) {
    const int rows = layer->rows, nodes = layer->nodes;
    float *restrict mean = memory, *restrict along = mean + nodes;
    float *restrict square = along + nodes, *restrict u = square + nodes;
    moments(layer, unit, owner, mean, along, square, u);

    float loss = 0;
    for (int j = 0; j < nodes; j++) {
        float slope = along[j] / (square[j] + EPSILON);
        loss += share * (1 - slope * along[j]);
        along[j] = -2 * share * slope;  /* from here on, the gradient's share of u and of c */
        square[j] = 2 * share * slope * slope;
    }
    for (int b = 0; b < rows; b++) {
        const float *z = row(layer->z, b, nodes), *distance = row(unit, b, layer->clusters);
        float *restrict dz = gradient + (long)b * nodes;
        for (int j = 0; j < nodes; j++) u[j] = distance[owner[j]];
        for (int j = 0; j < nodes; j++) dz[j] = fmaf(along[j], u[j], square[j] * (z[j] - mean[j]));
    }
    return loss;
}

/* --- multiplier --------------------------------------------------------------------------------- */

/* inverse[j] = 1 / 2s, where s is the mean of |z - z_c| over batch and centroids. */
static void inverse_gaps(const Nodes *layer, const float *centroid, float *restrict inverse) {
    const int nodes = layer->nodes, count = layer->rows * layer->clusters;
    zero(inverse, nodes);
    for (int b = 0; b < layer->rows; b++) {
        const float *z = row(layer->z, b, nodes);
        for (int k = 0; k < layer->clusters; k++) {
            const float *z_c = row(centroid, k, nodes);
            for (int j = 0; j < nodes; j++) inverse[j] += fabsf(z[j] - z_c[j]);
        }
    }
    for (int j = 0; j < nodes; j++) inverse[j] = 1 / (2 * inverse[j] / (float)count + EPSILON);
}

/* A_c = 1 - mean over the batch of (tanh(|z - z_c| / 2s) - q)^2, by centroid and node. */
static void agreements(const Nodes *layer, const float *centroid, const float *quantile,
                       const float *inverse, float *agreement) {
    const int nodes = layer->nodes, clusters = layer->clusters;
    zero(agreement, clusters * nodes);
    for (int b = 0; b < layer->rows; b++) {
        const float *z = row(layer->z, b, nodes), *q = row(quantile, b, clusters);
        for (int k = 0; k < clusters; k++) {
            const float *z_c = row(centroid, k, nodes);
            float *restrict sum = agreement + (long)k * nodes;
            for (int j = 0; j < nodes; j++) {
                float misfit = tanh_positive(fabsf(z[j] - z_c[j]) * inverse[j]) - q[k];
                sum[j] = fmaf(misfit, misfit, sum[j]);
            }
        }
    }
    divide(agreement, clusters * nodes, (float)layer->rows);
    for (int i = 0; i < clusters * nodes; i++) agreement[i] = 1 - agreement[i];
}

/* sum[i] of h over the batch; scale[i] = strength / (K column sums of |W|). */
static void column_sums(const Nodes *layer, const Weights *weights, float strength,
                        float *restrict sum, float *restrict scale) {
    const int inputs = weights->inputs;
    zero(sum, inputs);
    zero(scale, inputs);
    for (int b = 0; b < layer->rows; b++) {
        const float *h = row(weights->read, b, inputs);
        for (int i = 0; i < inputs; i++) sum[i] += h[i];
    }
    for (int j = 0; j < layer->nodes; j++) {
        const float *w = row(weights->weight, j, inputs);
        for (int i = 0; i < inputs; i++) scale[i] += fabsf(w[i]);
    }
    for (int i = 0; i < inputs; i++)
        scale[i] = strength / ((float)layer->clusters * (scale[i] + EPSILON));
}

/* G = 1 + tanh(strength / K  sum_c A_c M_c / column sums of |W|), where M_c is W times the sign of
   z'h - z_c (sum of h), the sum over the batch of (z - z_c) h'. */
void multiplier(const Nodes *layer, const Weights *weights, const float *centroid,
                const float *quantile, float strength, float *factor, float *memory) {
    const int inputs = weights->inputs, nodes = layer->nodes, clusters = layer->clusters;
    float *sum = memory, *scale = sum + inputs, *inverse = scale + inputs;
    float *agreement = inverse + nodes;
    inverse_gaps(layer, centroid, inverse);
    agreements(layer, centroid, quantile, inverse, agreement);
    column_sums(layer, weights, strength, sum, scale);
    for (int j = 0; j < nodes; j++) {
        const float *w = row(weights->weight, j, inputs), *zh = row(weights->product, j, inputs);
        float *restrict g = factor + (long)j * inputs;
        zero(g, inputs);
        for (int k = 0; k < clusters; k++) {
            float z_c = row(centroid, k, nodes)[j], a = row(agreement, k, nodes)[j];
            for (int i = 0; i < inputs; i++) {
                float threshold = z_c * sum[i];
                g[i] += a * (float)((zh[i] > threshold) - (zh[i] < threshold));
            }
        }
        for (int i = 0; i < inputs; i++) g[i] = 1 + tanh_signed(g[i] * scale[i] * w[i]);
    }
}
