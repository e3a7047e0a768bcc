/* A network as layers, dense or sparse, and its parameters as one array. */

#include <stddef.h>
#include <string.h>

#include "vector.h"

enum {
    FEW_OUTPUTS = 4,  /* a dense block would be mostly empty */
    FETCHED = 16      /* weights of a unit that is computed as fast as fetched from afar */
};

/* Share of kept weights from which the dense product is faster; lower where the inputs of a tile
   do not fit into the first cache, through which a sparse layer strays. */
static float dense_from(const Layer *layer) { return layer->inputs > 128 ? 0.4f : 0.5f; }

static long weights(const Layer *layer) { return (long)layer->inputs * layer->outputs; }

static int kept_weights(const Layer *layer, const float *weight) {
    int count = 0;
    for (long k = 0; k < weights(layer); k++)
        count += layer->mask ? layer->mask[k] : weight[k] != 0;
    return count;
}

static void layer_layout(Layer *layer, Arena *arena, const float *weight, bool gradients) {
    layer->kept = kept_weights(layer, weight);
    layer->sparse = layer->outputs < FEW_OUTPUTS || layer->kept < dense_from(layer) * weights(layer);
    long values = layer->sparse ? layer->kept : weights(layer);
    if (layer->sparse) sparse_structure(layer, arena, weight);
    layer->weight = take_floats(arena, values);
    layer->bias = take_floats(arena, layer->outputs);
    if (!gradients) return;
    long sums = layer->sparse ? values * PARTIAL : (long)layer->outputs * dense_row(layer);
    layer->weight_sum = take_floats(arena, sums);
    layer->bias_sum = take_floats(arena, (long)layer->outputs * PARTIAL);
}

/* Where the units of a hidden layer are between its forward and its backward pass. */
static void place_units(Network *network, Layer *layer, Passes passes) {
    layer->keep = passes != FORWARD && layer->kept > FETCHED * layer->outputs;
    int *units = layer->keep ? &network->kept : &network->recomputed;
    layer->unit = *units;
    *units += layer->outputs;
}

void network_layout(Network *network, Arena *arena, int layers, const int *widths,
                    const float *theta, const uint8_t *mask, Passes passes) {
    *network = (Network){.layers = layers, .widest = INPUTS};
    for (int l = 0; l < layers; l++) {
        Layer *layer = &network->layer[l];
        *layer = (Layer){.inputs = widths[l], .outputs = widths[l + 1], .mask = mask};
        layer_layout(layer, arena, theta, passes == BACKWARD_PARAMETERS);
        if (l + 1 < layers) place_units(network, layer, passes);
        long parameters = weights(layer) + layer->outputs;
        theta += parameters;
        if (mask) mask += parameters;
        if (layer->outputs > network->widest) network->widest = layer->outputs;
    }
    network->hidden = take_floats(arena, (long)network->recomputed * PATHS);
    for (int i = 0; i < 2; i++)
        network->adjoint[i] = take_floats(arena, (long)network->widest * PATHS);
    network->transposed = take_floats(arena, (long)(network->widest + PARTIAL) * PATHS);
}

/* Effective weights of a layer; ``mean`` and ``sd`` of its inputs, or NULL. */
static void layer_load(Layer *layer, const float *weight, const float *bias, const float *mean,
                       const float *sd) {
    float *value = layer->weight;
    for (int o = 0; o < layer->outputs; o++, weight += layer->inputs) {
        int begin = layer->sparse ? layer->begin[o] : 0;
        int end = layer->sparse ? layer->begin[o + 1] : layer->inputs;
        float constant = bias[o];
        for (int k = begin; k < end; k++, value++) {
            int i = layer->sparse ? layer->column[k] : k;
            bool kept = layer->sparse || !layer->mask || layer->mask[o * layer->inputs + i];
            *value = kept ? weight[i] : 0;
            if (!sd) continue;
            *value /= sd[i];
            constant -= *value * mean[i];
        }
        layer->bias[o] = constant;
    }
}

/* The network reads inputs as they are: W (x - mean) / sd + b = (W / sd) x + (b - (W / sd) mean). */
void network_load(Network *network, const float *theta, const float *mean, const float *sd) {
    for (int l = 0; l < network->layers; l++) {
        Layer *layer = &network->layer[l];
        const float *bias = theta + weights(layer);
        layer_load(layer, theta, bias, l ? NULL : mean, l ? NULL : sd);
        theta = bias + layer->outputs;
    }
}

void network_clear(Network *network) {
    for (int l = 0; l < network->layers; l++) {
        Layer *layer = &network->layer[l];
        long sums = layer->sparse ? (long)layer->kept * PARTIAL
                                  : (long)layer->outputs * dense_row(layer);
        memset(layer->weight_sum, 0, sizeof(float) * sums);
        memset(layer->bias_sum, 0, sizeof(float) * layer->outputs * PARTIAL);
    }
}

static void layer_gradient(const Layer *layer, const float *mean, const float *sd,
                           float *weight, float *bias) {
    for (int o = 0; o < layer->outputs; o++, weight += layer->inputs) {
        int begin = layer->sparse ? layer->begin[o] : 0;
        int end = layer->sparse ? layer->begin[o + 1] : layer->inputs;
        float constant = sum_partial(layer->bias_sum + o * PARTIAL);
        for (int k = begin; k < end; k++) {
            int i = layer->sparse ? layer->column[k] : k;
            if (!layer->sparse && layer->mask && !layer->mask[o * layer->inputs + i]) continue;
            float slope = layer->sparse ? sum_partial(layer->weight_sum + (long)k * PARTIAL)
                                        : layer->weight_sum[o * dense_row(layer) + i];
            weight[i] += sd ? (slope - constant * mean[i]) / sd[i] : slope;
        }
        bias[o] += constant;
    }
}

void network_gradient(const Network *network, const float *mean, const float *sd,
                      float *gradient) {
    for (int l = 0; l < network->layers; l++) {
        const Layer *layer = &network->layer[l];
        float *bias = gradient + weights(layer);
        layer_gradient(layer, l ? NULL : mean, l ? NULL : sd, gradient, bias);
        gradient = bias + layer->outputs;
    }
}

void layer_forward(const Layer *layer, const float *x, float *y, bool hidden) {
    if (layer->sparse)
        sparse_forward(layer, x, y, hidden);
    else
        dense_forward(layer, x, y, hidden);
}

void layer_backward(const Layer *layer, const float *dy, const float *gate, float *dx) {
    if (layer->sparse)
        sparse_backward(layer, dy, gate, dx);
    else
        dense_backward(layer, dy, gate, dx);
}

void layer_accumulate(const Layer *layer, const float *dy, const float *x, float *transposed) {
    for (int o = 0; o < layer->outputs; o++)
        for (int n = 0; n < PATHS; n += LANES) {
            float *sum = layer->bias_sum + o * PARTIAL + n % PARTIAL;
            store(sum, load(sum) + load(dy + (long)o * PATHS + n));
        }
    if (layer->sparse)
        sparse_accumulate(layer, dy, x);
    else
        dense_accumulate(layer, dy, x, transposed);
}

/* Pairs at a distance of 8, 4, 2 and 1. */
float sum_partial(const float *partial) {
    float sum[PARTIAL / 2];
    for (int n = 0; n < PARTIAL / 2; n++) sum[n] = partial[n] + partial[n + PARTIAL / 2];
    for (int half = PARTIAL / 4; half > 0; half /= 2)
        for (int n = 0; n < half; n++) sum[n] += sum[n + half];
    return sum[0];
}
