/* Attacks on the paths of a batch, or on the hedge's observation of them: steps along the sign of
   the gradient of the loss, projected onto a ball around the true market; attacks/pathwise.py. */

#include <string.h>

#include "kernel.h"

static inline float sign(float x) { return (float)((x > 0) - (x < 0)); }

/* The nearest point of a row's ball to x + size * direction; NaN stays NaN. */
static void move(float *x, const float *center, const float *direction, bool corner, double size,
                 double radius, bool positive) {
    float step = (float)size, reach = (float)radius;
    for (int n = 0; n < PATHS; n++) {
        float y = x[n] + step * (corner ? sign(direction[n]) : direction[n]);
        float low = center[n] - reach, high = center[n] + reach;
        y = y < low ? low : y;
        y = y > high ? high : y;
        x[n] = positive && y < 0 ? 0 : y;
    }
}

/* Moves all that the attack may move; ``size`` in radii. */
static void move_tile(const Attack *attack, const Contract *contract, Tile *tile,
                      const Tile *center, const SceneGradient *direction, bool corner,
                      double size) {
    if (attack->model == PATH) {
        for (long t = PATHS; t <= (long)contract->dates * PATHS; t += PATHS) {
            move(tile->spot + t, center->spot + t, direction->spot + t, corner,
                 size * attack->spot, attack->spot, true);
            move(tile->variance + t, center->variance + t, direction->variance + t, corner,
                 size * attack->variance, attack->variance, true);
        }
        market_features(contract, tile);
        return;
    }
    for (int t = 0; t < contract->dates; t++)
        for (int k = 0; k < FEATURES; k++) {
            long row = (long)(t * INPUTS + k) * PATHS;
            move(tile->inputs + row, center->inputs + row,
                 direction->features + (long)(t * FEATURES + k) * PATHS, corner,
                 (float)size * attack->feature[k], attack->feature[k], false);
        }
}

/* Random directions of the tile that begins at path ``first``. */
static void draw(const Attack *attack, const Contract *contract, const Batch *batch, int first,
                 int count, const float *draws, SceneGradient *direction) {
    long columns = contract->dates + 1;
    if (attack->model == PATH) {
        gather(direction->spot, draws + first * columns, columns, NULL, count, (int)columns);
        draws += batch->paths * columns;
        gather(direction->variance, draws + first * columns, columns, NULL, count, (int)columns);
        return;
    }
    columns = (long)contract->dates * FEATURES;
    gather(direction->features, draws + first * columns, columns, NULL, count, (int)columns);
}

/* Slope of the loss in every P&L: -1 if the worst case is the worst P&L of every path. */
static void loss_slopes(const Contract *contract, const Network *network, const Risk *risk,
                        Batch *batch) {
    float y_gradient;
    if (risk->monotone) {
        for (int n = 0; n < batch->paths; n++) batch->gradient[n] = -1;
        return;
    }
    batch_forward(contract, network, batch);
    risk_loss(risk, batch->paths, batch->pnl, NULL, batch->gradient, &y_gradient, batch->memory);
}

void attack_batch(const Attack *attack, const Contract *contract, Network *network,
                  const Risk *risk, Batch *batch, const float *draws) {
    SceneGradient *scene = &batch->scene;
    bool noise = attack->steps == 0;
    for (int i = 0; i < batch->tiles && (noise || attack->random_start); i++) {
        Tile *tile = &batch->tile[i];
        draw(attack, contract, batch, i * PATHS, tile->count, draws, scene);
        move_tile(attack, contract, tile, &batch->center[i], scene, noise, 1);
    }
    for (int step = 0; step < attack->steps; step++) {
        loss_slopes(contract, network, risk, batch);
        for (int i = 0; i < batch->tiles; i++) {
            Tile *tile = &batch->tile[i];
            float weight[PATHS] = {0};
            memcpy(weight, batch->gradient + i * PATHS, sizeof(float) * tile->count);
            if (risk->monotone) rollout_forward(contract, network, tile);
            rollout_backward(contract, network, tile, weight, false, scene);
            if (attack->model == PATH) market_gradient(contract, tile, scene);
            move_tile(attack, contract, tile, &batch->center[i], scene, true, attack->share);
        }
    }
}
