/* Optimised certainty equivalents, rho(X) = inf_y y + mean l(-X - y), and their gradients; risk.py
   defines the four losses l. In double, so that the last bit of libm's exp is rounded off. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

/* l(u) and l'(u) at u = -x - y. */
typedef struct {
    double value, slope;
} Loss;

static Loss loss_at(const Risk *risk, double u) {
    double a = risk->parameter, peak;
    switch ((RiskName)risk->name) {
        case CVAR:
            return u > 0 ? (Loss){u / a, 1 / a} : (Loss){0, 0};
        case ENTROPIC:
            return (Loss){expm1(a * u) / a, exp(a * u)};
        case MEAN_VARIANCE:
            return (Loss){u + a / 2 * u * u, 1 + a * u};
        case MONOTONE_MEAN_VARIANCE:
            peak = fmax(1 + a * u, 0);
            return (Loss){(peak * peak - 1) / (2 * a), peak};
    }
    return (Loss){NAN, NAN};
}

/* --- optimal y ---------------------------------------------------------------------------------- */

static int ascending(const void *left, const void *right) {
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

/* 1-based rank of the P&L on the boundary of the tail; risk.py: _tail_rank. */
static int tail_rank(int size, double tail) {
    double share = tail * size, nearest = nearbyint(share);
    int rank = fabs(share - nearest) < 1e-9 * size ? (int)nearest : (int)share + 1;
    return rank < 1 ? 1 : rank > size ? size : rank;
}

/* The k-th smallest of x, from 0, which this reorders: Hoare's selection. */
static float smallest(float *x, int size, int k) {
    int low = 0, high = size - 1;
    while (low < high) {
        float pivot = x[low + (high - low) / 2];
        int i = low, j = high;
        while (i <= j) {
            while (x[i] < pivot) i++;
            while (x[j] > pivot) j--;
            if (i > j) break;
            float swap = x[i];
            x[i++] = x[j];
            x[j--] = swap;
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            break;
    }
    return x[k];
}

/* y with mean exp(a (-x - y)) = 1, by the largest exponent first. */
static double entropic_y(double a, int paths, const float *x) {
    double largest = -INFINITY, sum = 0;
    for (int n = 0; n < paths; n++) largest = fmax(largest, -a * x[n]);
    for (int n = 0; n < paths; n++) sum += exp(-a * x[n] - largest);
    return (largest + log(sum / paths)) / a;
}

/* The root of mean max(1 + a (-x - y), 0) = 1: with the k largest losses active,
   k + a (sum_k - k y) = n, and the k-th loss must be active, which holds up to the correct k. */
static double monotone_y(double a, int paths, const float *x, float *sorted) {
    memcpy(sorted, x, sizeof(float) * paths);
    qsort(sorted, paths, sizeof(float), ascending);
    double sum = 0, y = 0;
    for (int k = 1; k <= paths; k++) {
        double loss = -(double)sorted[k - 1];
        sum += loss;
        double root = (sum + (k - paths) / a) / k;
        if (k > 1 && loss - root + 1 / a <= 0) break;
        y = root;
    }
    return y;
}

static double optimal_y(const Risk *risk, int paths, const float *x, float *memory) {
    double sum = 0;
    switch ((RiskName)risk->name) {
        case CVAR:
            memcpy(memory, x, sizeof(float) * paths);
            return -(double)smallest(memory, paths, tail_rank(paths, risk->parameter) - 1);
        case ENTROPIC:
            return entropic_y(risk->parameter, paths, x);
        case MEAN_VARIANCE:
            for (int n = 0; n < paths; n++) sum += x[n];
            return -sum / paths;
        case MONOTONE_MEAN_VARIANCE:
            return monotone_y(risk->parameter, paths, x, memory);
    }
    return NAN;
}

/* --- loss of a sample --------------------------------------------------------------------------- */

static bool all_finite(int paths, const float *x) {
    for (int n = 0; n < paths; n++)
        if (!isfinite(x[n])) return false;
    return true;
}

float risk_loss(const Risk *risk, int paths, const float *pnl, const float *given, float *gradient,
                float *y_gradient, float *memory) {
    if (!all_finite(paths, pnl)) {
        for (int n = 0; n < paths; n++) gradient[n] = NAN;
        *y_gradient = NAN;
        return NAN;
    }
    double y = given ? *given : optimal_y(risk, paths, pnl, memory), value = 0, slope = 0;
    for (int n = 0; n < paths; n++) {
        Loss loss = loss_at(risk, -(double)pnl[n] - y);
        value += loss.value;
        slope += loss.slope;
        gradient[n] = (float)(-loss.slope / paths);
    }
    *y_gradient = (float)(1 - slope / paths);
    if (!given && risk->name == CVAR) {
        /* The path on the boundary carries the rest of the tail: y moves with its P&L. */
        int boundary = 0;
        while (-(double)pnl[boundary] != y) boundary++;
        gradient[boundary] -= *y_gradient;
    }
    return (float)(y + value / paths);
}
