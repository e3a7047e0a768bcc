/* Features of the market that the network reads, and the gradient through them. */

#include <math.h>
#include <string.h>

#include "kernel.h"

/* sqrt has no derivative at 0, which the variance reaches; as in hedging/features.py. */
static const float VARIANCE_FLOOR = 1e-8f;

/* log(x) of a price, with the polynomial of Cephes (Moshier 1992) on [sqrt(1/2), sqrt(2)]: within
   1 ulp, and the same on every system, which libm's is not. -inf for 0, NaN below. */
static inline float natural_log(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    /* Exponent of x over sqrt(1/2), so that the mantissa lies in the interval. */
    int32_t exponent = (bits - 0x3f3504f3) >> 23;
    int32_t scaled = bits - exponent * 0x00800000;
    float m;
    memcpy(&m, &scaled, sizeof m);
    float f = m - 1, square = f * f, e = (float)exponent;
    float p = 7.0376836292e-2f;
    p = fmaf(p, f, -1.1514610310e-1f);
    p = fmaf(p, f, 1.1676998740e-1f);
    p = fmaf(p, f, -1.2420140846e-1f);
    p = fmaf(p, f, 1.4249322787e-1f);
    p = fmaf(p, f, -1.6668057665e-1f);
    p = fmaf(p, f, 2.0000714765e-1f);
    p = fmaf(p, f, -2.4999993993e-1f);
    p = fmaf(p, f, 3.3333331174e-1f);
    /* log 2 in two parts; the first has few digits, so that its product with e is exact. */
    float low = fmaf(e, -2.12194440e-4f, fmaf(p * f, square, -0.5f * square));
    float result = fmaf(e, 0.693359375f, f + low);
    return x > 0 ? (x < INFINITY ? result : x) : (x == 0 ? -INFINITY : NAN);
}

void tile_layout(Tile *tile, Arena *arena, const Contract *contract, const Network *network) {
    long dates = contract->dates;
    tile->spot = take_floats(arena, (dates + 1) * PATHS);
    tile->variance = take_floats(arena, (dates + 1) * PATHS);
    tile->inputs = take_floats(arena, dates * INPUTS * PATHS);
    tile->output = take_floats(arena, dates * PATHS);
    tile->position = take_floats(arena, dates * PATHS);
    tile->hidden = take_floats(arena, dates * network->kept * PATHS);
    tile->pnl = take_floats(arena, PATHS);
    tile->cost = take_floats(arena, PATHS);
    tile->turnover = take_floats(arena, PATHS);
}

void scene_layout(SceneGradient *scene, Arena *arena, const Contract *contract) {
    long dates = contract->dates;
    scene->features = take_floats(arena, dates * FEATURES * PATHS);
    scene->spot = take_floats(arena, (dates + 1) * PATHS);
    scene->variance = take_floats(arena, (dates + 1) * PATHS);
}

void gather(float *tile, const float *rows, long length, const int64_t *index, int count,
            int columns) {
    for (int n = 0; n < PATHS; n++) {
        long path = n < count ? n : 0;
        const float *row = rows + (index ? index[path] : path) * length;
        for (int k = 0; k < columns; k++) tile[(long)k * PATHS + n] = row[k];
    }
}

void scatter(float *rows, long length, const float *tile, int count, int columns) {
    for (int n = 0; n < count; n++)
        for (int k = 0; k < columns; k++) rows[n * length + k] = tile[(long)k * PATHS + n];
}

void market_features(const Contract *contract, Tile *tile) {
    for (int t = 0; t < contract->dates; t++) {
        const float *s = tile->spot + t * PATHS, *v = tile->variance + t * PATHS;
        /* The first date is its own predecessor: return and change are 0. */
        const float *s0 = t ? s - PATHS : s, *v0 = t ? v - PATHS : v;
        float *x = tile->inputs + (long)t * INPUTS * PATHS;
        float remaining = 1 - (float)t / (float)contract->dates;
        for (int n = 0; n < PATHS; n++) {
            x[n] = natural_log(s[n] / contract->strike);
            x[PATHS + n] = s[n] / s0[n] - 1;
            x[2 * PATHS + n] = sqrtf(v[n] < VARIANCE_FLOOR ? VARIANCE_FLOOR : v[n]);
            x[3 * PATHS + n] = v[n] - v0[n];
            x[4 * PATHS + n] = remaining;
        }
    }
}

/* Adds to the gradient in prices and variances what reaches them through the features. */
void market_gradient(const Contract *contract, const Tile *tile, SceneGradient *scene) {
    for (int t = 0; t < contract->dates; t++) {
        const float *s = tile->spot + t * PATHS, *v = tile->variance + t * PATHS;
        const float *dx = scene->features + (long)t * FEATURES * PATHS;
        float *ds = scene->spot + t * PATHS, *dv = scene->variance + t * PATHS;
        for (int n = 0; n < PATHS; n++) {
            ds[n] += dx[n] / s[n];
            float slope = v[n] < VARIANCE_FLOOR ? 0 : 0.5f / sqrtf(v[n]);
            dv[n] += dx[2 * PATHS + n] * slope;
        }
        if (t == 0) continue;
        const float *s0 = s - PATHS;
        float *ds0 = ds - PATHS, *dv0 = dv - PATHS;
        for (int n = 0; n < PATHS; n++) {
            float slope = dx[PATHS + n] / s0[n];
            ds[n] += slope;
            ds0[n] -= slope * s[n] / s0[n];
            dv[n] += dx[3 * PATHS + n];
            dv0[n] -= dx[3 * PATHS + n];
        }
    }
}
