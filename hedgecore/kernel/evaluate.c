/* P&L of a hedge on any number of paths, and the gradient of every path's P&L in its scene. */

#include <stddef.h>

#include "kernel.h"

/* The memory of an evaluation, of which only one tile is in use at a time. */
typedef struct {
    Network network;
    Tile tile;
    SceneGradient gradient;
} Evaluation;

static bool differentiates(const Scene *scene) {
    return scene->spot_gradient || scene->observation_gradient;
}

static void layout(Evaluation *evaluation, Arena *arena, const Hedge *hedge, const Scene *scene) {
    network_layout(&evaluation->network, arena, hedge->layers, hedge->widths, hedge->theta,
                   hedge->mask, differentiates(scene) ? BACKWARD_INPUTS : FORWARD);
    tile_layout(&evaluation->tile, arena, &hedge->contract, &evaluation->network);
    scene_layout(&evaluation->gradient, arena, &hedge->contract);
}

long evaluate_bytes(const Hedge *hedge, const Scene *scene) {
    Evaluation evaluation;
    Arena arena = {0};
    layout(&evaluation, &arena, hedge, scene);
    return arena.used;
}

static void load_tile(const Contract *contract, const Scene *scene, long first, Tile *tile) {
    long columns = contract->dates + 1, features = (long)contract->dates * FEATURES;
    tile->count = (int)(scene->paths - first < PATHS ? scene->paths - first : PATHS);
    gather(tile->spot, scene->spot + first * columns, columns, NULL, tile->count, (int)columns);
    gather(tile->variance, scene->variance + first * columns, columns, NULL, tile->count,
           (int)columns);
    if (!scene->observation) {
        market_features(contract, tile);
        return;
    }
    for (int t = 0; t < contract->dates; t++)
        gather(tile->inputs + (long)t * INPUTS * PATHS,
               scene->observation + first * features + t * FEATURES, features, NULL, tile->count,
               FEATURES);
}

static void store_outcome(const Contract *contract, const Scene *scene, long first,
                          const Tile *tile) {
    int dates = contract->dates;
    scatter(scene->pnl + first, 1, tile->pnl, tile->count, 1);
    scatter(scene->cost + first, 1, tile->cost, tile->count, 1);
    scatter(scene->turnover + first, 1, tile->turnover, tile->count, 1);
    if (scene->position)
        scatter(scene->position + first * dates, dates, tile->position, tile->count, dates);
}

static void store_gradient(const Contract *contract, const Scene *scene, long first,
                           const Tile *tile, const SceneGradient *gradient) {
    int columns = contract->dates + 1, features = contract->dates * FEATURES;
    if (scene->spot_gradient) {
        scatter(scene->spot_gradient + first * columns, columns, gradient->spot, tile->count,
                columns);
        scatter(scene->variance_gradient + first * columns, columns, gradient->variance,
                tile->count, columns);
    }
    if (scene->observation_gradient)
        scatter(scene->observation_gradient + first * features, features, gradient->features,
                tile->count, features);
}

void evaluate(const Hedge *hedge, const Scene *scene, void *memory) {
    const Contract *contract = &hedge->contract;
    Evaluation evaluation;
    Arena arena = {.base = memory};
    layout(&evaluation, &arena, hedge, scene);
    Network *network = &evaluation.network;
    Tile *tile = &evaluation.tile;
    SceneGradient *gradient = &evaluation.gradient;
    network_load(network, hedge->theta, hedge->mean, hedge->sd);
    float weight[PATHS];
    for (int n = 0; n < PATHS; n++) weight[n] = 1;
    for (long first = 0; first < scene->paths; first += PATHS) {
        load_tile(contract, scene, first, tile);
        rollout_forward(contract, network, tile);
        store_outcome(contract, scene, first, tile);
        if (!differentiates(scene)) continue;
        rollout_backward(contract, network, tile, weight, false, gradient);
        if (!scene->observation) market_gradient(contract, tile, gradient);
        store_gradient(contract, scene, first, tile, gradient);
    }
}
