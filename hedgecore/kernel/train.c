/* Steps of a training: batch, attack, risk, gradient, clipping, Adam (Kingma and Ba 2015). */

#include <math.h>
#include <string.h>

#include "kernel.h"

static const double BETA1 = 0.9, BETA2 = 0.999;
static const float EPSILON = 1e-8f;  /* of Adam */

typedef struct {
    Network network;
    Batch batch;
    long parameters;  /* weights and biases */
    float *gradient;  /* of parameters and scalars */
} Workspace;

/* --- batches ------------------------------------------------------------------------------------ */

void batch_layout(Batch *batch, Arena *arena, const Contract *contract, const Network *network,
                  int paths, bool attacked) {
    batch->tiles = (paths + PATHS - 1) / PATHS;
    batch->tile = take(arena, (long)sizeof(Tile) * batch->tiles);
    batch->center = take(arena, (long)sizeof(Tile) * batch->tiles);
    Network no_units = {0};
    for (int i = 0; i < batch->tiles; i++) {
        Tile tile = {0}, center = {0};
        tile_layout(&tile, arena, contract, network);
        if (attacked) tile_layout(&center, arena, contract, &no_units);
        if (!arena->base) continue;
        batch->tile[i] = tile;
        batch->center[i] = center;
    }
    scene_layout(&batch->scene, arena, contract);
    batch->pnl = take_floats(arena, paths);
    batch->gradient = take_floats(arena, paths);
    batch->memory = take_floats(arena, paths);
}

static void load_market(const Training *training, const int64_t *index, int count, Tile *tile) {
    const Contract *contract = &training->hedge.contract;
    int columns = contract->dates + 1;
    tile->count = count;
    gather(tile->spot, training->spot, columns, index, count, columns);
    gather(tile->variance, training->variance, columns, index, count, columns);
    market_features(contract, tile);
}

static void load_batch(const Training *training, const int64_t *index, int paths, bool center,
                       Batch *batch) {
    batch->paths = paths;
    batch->tiles = (paths + PATHS - 1) / PATHS;
    for (int i = 0; i < batch->tiles; i++) {
        int first = i * PATHS, count = paths - first < PATHS ? paths - first : PATHS;
        load_market(training, index + first, count, &batch->tile[i]);
        if (center) load_market(training, index + first, count, &batch->center[i]);
    }
}

void batch_forward(const Contract *contract, const Network *network, Batch *batch) {
    for (int i = 0; i < batch->tiles; i++) {
        rollout_forward(contract, network, &batch->tile[i]);
        memcpy(batch->pnl + i * PATHS, batch->tile[i].pnl,
               sizeof(float) * batch->tile[i].count);
    }
}

/* --- one step ------------------------------------------------------------------------------------ */

/* ``share`` times the risk of the batch; adds its gradient to the layers' sums, and to that of the
   trained y number ``scalar``, if there is one. */
static float add_risk(const Training *training, Workspace *work, int scalar, float share) {
    const Contract *contract = &training->hedge.contract;
    Batch *batch = &work->batch;
    const float *y = training->scalars ? training->theta + work->parameters + scalar : NULL;
    float y_gradient;
    batch_forward(contract, &work->network, batch);
    float loss = risk_loss(&training->risk, batch->paths, batch->pnl, y, batch->gradient,
                           &y_gradient, batch->memory);
    if (y) work->gradient[work->parameters + scalar] += share * y_gradient;
    for (int i = 0; i < batch->tiles; i++) {
        Tile *tile = &batch->tile[i];
        float weight[PATHS] = {0};
        for (int n = 0; n < tile->count; n++) weight[n] = share * batch->gradient[i * PATHS + n];
        rollout_backward(contract, &work->network, tile, weight, true, NULL);
    }
    return share * loss;
}

/* clean_weight * clean + attacked risk, each at its own y; see hedging/train.py. */
static float add_loss(const Training *training, Workspace *work, const int64_t *index, int paths,
                      const float *draws) {
    bool attacked = training->attack.model != CLEAN;
    load_batch(training, index, paths, attacked, &work->batch);
    if (!attacked) return add_risk(training, work, 0, 1);
    attack_batch(&training->attack, &training->hedge.contract, &work->network, &training->risk,
                 &work->batch, draws);
    float loss = add_risk(training, work, training->scalars > 1, 1);
    if (training->clean_weight == 0) return loss;
    load_batch(training, index, paths, false, &work->batch);
    return loss + add_risk(training, work, 0, training->clean_weight);
}

/* base^exponent by squaring: libm's pow may differ in its last bit. */
static double power(double base, long exponent) {
    double result = 1;
    for (; exponent; exponent /= 2, base *= base)
        if (exponent % 2) result *= base;
    return result;
}

/* Steps of Adam for the parameters from ``begin`` on, with their gradient times ``scale``. */
static void adam(const Training *training, const float *gradient, long begin, long end, long step,
                 float lr, float scale) {
    float rate = (float)(lr / (1 - power(BETA1, step)));
    float root = (float)sqrt(1 - power(BETA2, step));
    float new1 = (float)(1 - BETA1), old2 = (float)BETA2, new2 = (float)(1 - BETA2);
    for (long i = begin; i < end; i++) {
        float g = gradient[i] * scale, *m = training->first + i, *v = training->second + i;
        *m += new1 * (g - *m);
        *v = old2 * *v + new2 * g * g;
        training->theta[i] -= rate * *m / (sqrtf(*v) / root + EPSILON);
    }
}

static float norm(const float *gradient, long count) {
    double sum = 0;
    for (long i = 0; i < count; i++) sum += (double)gradient[i] * gradient[i];
    return (float)sqrt(sum);
}

/* The loss depends on y number i: clean, or the last one under attack. */
static bool trains_scalar(const Training *training, int i) {
    bool attacked = training->attack.model != CLEAN;
    return i == (attacked ? training->scalars - 1 : 0) || (i == 0 && training->clean_weight > 0);
}

/* Adam of every weight, bias and y that the loss depends on. */
static void update(const Training *training, const float *gradient, long step, float lr,
                   float scale) {
    const Hedge *hedge = &training->hedge;
    const int64_t *number = training->step_numbers;
    long begin = 0;
    for (int l = 0; l < hedge->layers; l++) {
        long weights = (long)hedge->widths[l] * hedge->widths[l + 1];
        long biases = hedge->widths[l + 1];
        adam(training, gradient, begin, begin + weights, *number++ + step, lr, scale);
        begin += weights;
        adam(training, gradient, begin, begin + biases, *number++ + step, lr, scale);
        begin += biases;
    }
    for (int i = 0; i < training->scalars; i++, begin++, number++)
        if (trains_scalar(training, i))
            adam(training, gradient, begin, begin + 1, *number + step, training->scalar_lr, 1);
}

/* Takes one step, the ``step``-th of this call; returns its loss. */
static float take_step(const Training *training, Workspace *work, const int64_t *index, int paths,
                       const float *draws, float lr, long step, float *gradient_norm) {
    const Hedge *hedge = &training->hedge;
    long parameters = work->parameters, all = parameters + training->scalars;
    memset(work->gradient, 0, sizeof(float) * all);
    network_load(&work->network, training->theta, hedge->mean, hedge->sd);
    network_clear(&work->network);
    float loss = add_loss(training, work, index, paths, draws);
    network_gradient(&work->network, hedge->mean, hedge->sd, work->gradient);
    *gradient_norm = norm(work->gradient, parameters);
    float scale = training->clip / (*gradient_norm + 1e-6f);
    if (scale > 1) scale = 1;
    update(training, work->gradient, step, lr, scale);
    return loss;
}

/* --- entry points --------------------------------------------------------------------------------- */

static void layout(Workspace *work, Arena *arena, const Training *training) {
    const Hedge *hedge = &training->hedge;
    network_layout(&work->network, arena, hedge->layers, hedge->widths, training->theta,
                   hedge->mask, BACKWARD_PARAMETERS);
    batch_layout(&work->batch, arena, &hedge->contract, &work->network, training->batch,
                 training->attack.model != CLEAN);
    work->parameters = 0;
    for (int l = 0; l < hedge->layers; l++)
        work->parameters += (long)(hedge->widths[l] + 1) * hedge->widths[l + 1];
    work->gradient = take_floats(arena, work->parameters + training->scalars);
}

long train_bytes(const Training *training) {
    Workspace work;
    Arena arena = {0};
    layout(&work, &arena, training);
    return arena.used;
}

void train(const Training *training, int steps, const int *sizes, const int64_t *index,
           const float *lr, float *losses, float *norms, void *memory) {
    Workspace work;
    Arena arena = {.base = memory};
    layout(&work, &arena, training);
    long dates = training->hedge.contract.dates;
    long drawn = training->attack.model == PATH ? 2 * (dates + 1) : FEATURES * dates;
    const float *draws = training->draws;
    for (int s = 0; s < steps; s++) {
        losses[s] = take_step(training, &work, index, sizes[s], draws, lr[s],
                              s + 1, &norms[s]);
        index += sizes[s];
        if (draws) draws += drawn * sizes[s];
    }
}
