/* The hedge of a tile of paths, date by date, and its backward pass. */

#include <math.h>
#include <string.h>

#include "kernel.h"

static inline float sign(float x) { return (float)((x > 0) - (x < 0)); }

/* --- saturation: x up to half of the limit, then a bounded arctan; network.py: saturated ------- */

/* Few paths ever need it. Computed in double, so that the last bit of libm's atan is rounded off. */
static const double PI = 3.14159265358979323846;

static double excess(float x, float limit) {
    return (fabs((double)x) - limit / 2.0) * (PI / limit);
}

static bool is_unsaturated(const float *x, float limit) {
    bool unsaturated = true;
    for (int n = 0; n < PATHS; n++) unsaturated &= !(fabsf(x[n]) > limit / 2);
    return unsaturated;
}

/* NaN for a network that overflows: then even the sign of its output means nothing. */
static float saturated(float x, float limit) {
    if (isinf(x)) return NAN;
    return (float)copysign(limit / 2.0 + limit / PI * atan(excess(x, limit)), x);
}

static void saturate(const float *x, float limit, float *y) {
    memcpy(y, x, sizeof(float) * PATHS);
    if (is_unsaturated(x, limit)) return;
    for (int n = 0; n < PATHS; n++)
        if (fabsf(x[n]) > limit / 2) y[n] = saturated(x[n], limit);
}

static void saturate_gradient(const float *x, float limit, float *dy) {
    if (is_unsaturated(x, limit)) return;
    for (int n = 0; n < PATHS; n++)
        if (fabsf(x[n]) > limit / 2) {
            double e = excess(x[n], limit);
            dy[n] = (float)(dy[n] / (1 + e * e));
        }
}

/* --- network at one date ------------------------------------------------------------------------ */

/* Inputs of layer ``l`` at date t: of the network, or the units of the layer before. */
static float *layer_inputs(const Network *network, const Tile *tile, int t, int l) {
    if (l == 0) return tile->inputs + (long)t * INPUTS * PATHS;
    const Layer *before = &network->layer[l - 1];
    float *first = before->keep ? tile->hidden + (long)t * network->kept * PATHS : network->hidden;
    return first + (long)before->unit * PATHS;
}

static void network_forward(const Network *network, const Tile *tile, int t) {
    for (int l = 0; l < network->layers; l++) {
        bool hidden = l + 1 < network->layers;
        float *y = hidden ? layer_inputs(network, tile, t, l + 1) : tile->output + t * PATHS;
        layer_forward(&network->layer[l], layer_inputs(network, tile, t, l), y, hidden);
    }
}

/* The hidden units that were not kept. */
static void recompute(const Network *network, const Tile *tile, int t) {
    for (int l = 0; l + 1 < network->layers; l++)
        if (!network->layer[l].keep)
            layer_forward(&network->layer[l], layer_inputs(network, tile, t, l),
                          layer_inputs(network, tile, t, l + 1), true);
}

/* Gradient in the inputs from the adjoint of the output; and in the weights if ``parameters``. */
static const float *network_backward(Network *network, const Tile *tile, int t,
                                     const float *adjoint, bool parameters) {
    const float *dy = adjoint;
    recompute(network, tile, t);
    for (int l = network->layers - 1; l >= 0; l--) {
        const Layer *layer = &network->layer[l];
        const float *x = layer_inputs(network, tile, t, l);
        float *dx = network->adjoint[l % 2];
        if (parameters) layer_accumulate(layer, dy, x, network->transposed);
        layer_backward(layer, dy, l ? x : NULL, dx);
        dy = dx;
    }
    return dy;
}

/* --- through the dates -------------------------------------------------------------------------- */

/* P&L of a share from date t to the next. The difference of the prices is exact; a difference of
   discounted prices would lose its digits. */
static inline float move(const Contract *contract, int t, float now, float next) {
    return contract->discount[t] * ((next - now) + contract->financing * next);
}

static void settle(const Contract *contract, Tile *tile, const float *volume) {
    int last = contract->dates - 1;
    const float *s = tile->spot + (last + 1) * PATHS, *d = tile->position + last * PATHS;
    for (int n = 0; n < PATHS; n++) {
        tile->cost[n] += fabsf(d[n]) * (contract->cost[last + 1] * s[n]);
        tile->turnover[n] = volume[n] + fabsf(d[n]);
        float payoff = s[n] - contract->strike;
        /* NaN stays NaN. */
        payoff = payoff < 0 ? 0 : payoff;
        tile->pnl[n] -= contract->discount[last + 1] * payoff + tile->cost[n];
    }
}

void rollout_forward(const Contract *contract, const Network *network, Tile *tile) {
    float gains[PATHS] = {0}, volume[PATHS] = {0};
    memset(tile->pnl, 0, sizeof(float) * PATHS);
    memset(tile->cost, 0, sizeof(float) * PATHS);
    for (int t = 0; t < contract->dates; t++) {
        const float *s = tile->spot + t * PATHS;
        float *x = tile->inputs + (long)t * INPUTS * PATHS, *d = tile->position + t * PATHS;
        float *previous = x + POSITION * PATHS;
        if (t)
            memcpy(previous, d - PATHS, sizeof(float) * PATHS);
        else
            memset(previous, 0, sizeof(float) * PATHS);
        memcpy(x + GAINS * PATHS, gains, sizeof gains);
        memcpy(x + VOLUME * PATHS, volume, sizeof volume);
        network_forward(network, tile, t);
        saturate(tile->output + t * PATHS, contract->limit, d);
        float cost = contract->cost[t];
        for (int n = 0; n < PATHS; n++) {
            float trade = fabsf(d[n] - previous[n]);
            tile->cost[n] += trade * (cost * s[n]);
            tile->pnl[n] += d[n] * move(contract, t, s[n], s[PATHS + n]);
            volume[n] += trade;
            if (t) gains[n] += previous[n] * (s[n] - s[n - PATHS]);
        }
    }
    settle(contract, tile, volume);
}

/* Adjoints of the state after date t. */
typedef struct {
    float position[PATHS], gains[PATHS], volume[PATHS];
} Adjoint;

/* Gradient in the prices at date t that does not pass through the features: gains, costs, moves. */
static void price_gradient(const Contract *contract, const Tile *tile, int t, const Adjoint *after,
                           const float *weight, SceneGradient *scene) {
    const float *d = tile->position + t * PATHS;
    const float *previous = tile->inputs + ((long)t * INPUTS + POSITION) * PATHS;
    float *ds = scene->spot + t * PATHS, discount = contract->discount[t];
    for (int n = 0; n < PATHS; n++) {
        float trade = fabsf(d[n] - previous[n]);
        ds[n] -= weight[n] * (d[n] * discount + trade * contract->cost[t]);
        ds[PATHS + n] += weight[n] * (d[n] * (discount + discount * contract->financing));
    }
    if (t == 0) return;
    for (int n = 0; n < PATHS; n++) {
        float slope = after->gains[n] * previous[n];
        ds[n] += slope;
        ds[n - PATHS] -= slope;
    }
}

static void terminal_gradient(const Contract *contract, const Tile *tile, const float *weight,
                              SceneGradient *scene) {
    int dates = contract->dates;
    const float *s = tile->spot + dates * PATHS, *d = tile->position + (dates - 1) * PATHS;
    memset(scene->spot, 0, sizeof(float) * (dates + 1) * PATHS);
    memset(scene->variance, 0, sizeof(float) * (dates + 1) * PATHS);
    for (int n = 0; n < PATHS; n++) {
        float payoff = s[n] < contract->strike ? 0 : contract->discount[dates];
        float closing = fabsf(d[n]) * contract->cost[dates];
        scene->spot[dates * PATHS + n] -= weight[n] * (payoff + closing);
    }
}

/* Adjoint of the position at date t, from the state after it; then of the previous position. */
static void position_gradient(const Contract *contract, const Tile *tile, int t,
                              const float *weight, Adjoint *state, float *dy) {
    const float *s = tile->spot + t * PATHS, *d = tile->position + t * PATHS;
    const float *previous = tile->inputs + ((long)t * INPUTS + POSITION) * PATHS;
    bool last = t + 1 == contract->dates;
    float closing = last ? contract->cost[t + 1] : 0;
    float cost = contract->cost[t];
    for (int n = 0; n < PATHS; n++) {
        float traded = sign(d[n] - previous[n]) * (state->volume[n] - weight[n] * (cost * s[n]));
        float earned = move(contract, t, s[n], s[PATHS + n]);
        float closed = sign(d[n]) * (closing * s[PATHS + n]);
        dy[n] = state->position[n] + weight[n] * (earned - closed) + traded;
        float gained = t ? s[n] - s[n - PATHS] : 0;
        state->position[n] = state->gains[n] * gained - traded;
    }
}

void rollout_backward(const Contract *contract, Network *network, Tile *tile, const float *weight,
                      bool parameters, SceneGradient *scene) {
    Adjoint state = {0};
    float dy[PATHS] __attribute__((aligned(64)));
    if (scene) terminal_gradient(contract, tile, weight, scene);
    for (int t = contract->dates - 1; t >= 0; t--) {
        if (scene) price_gradient(contract, tile, t, &state, weight, scene);
        position_gradient(contract, tile, t, weight, &state, dy);
        saturate_gradient(tile->output + t * PATHS, contract->limit, dy);
        const float *dx = network_backward(network, tile, t, dy, parameters);
        if (scene)
            memcpy(scene->features + (long)t * FEATURES * PATHS, dx,
                   sizeof(float) * FEATURES * PATHS);
        for (int n = 0; n < PATHS; n++) {
            state.position[n] += dx[POSITION * PATHS + n];
            state.gains[n] += dx[GAINS * PATHS + n];
            state.volume[n] += dx[VOLUME * PATHS + n];
        }
    }
}
