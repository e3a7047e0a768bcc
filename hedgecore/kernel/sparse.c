/* Layers of which few weights are kept: compressed rows for the forward pass, columns for the
   backward pass. The time of a pass is proportional to the number of kept weights. */

#include "vector.h"

static bool keeps(const Layer *layer, const float *weight, int at) {
    return layer->mask ? layer->mask[at] : weight[at] != 0;
}

/* Numbers of the kept weights, by row and by column. */
void sparse_structure(Layer *layer, Arena *arena, const float *weight) {
    layer->begin = take(arena, sizeof(int) * (layer->outputs + 1));
    layer->column = take(arena, sizeof(int) * layer->kept);
    layer->below = take(arena, sizeof(int) * (layer->inputs + 1));
    layer->row = take(arena, sizeof(int) * layer->kept);
    layer->number = take(arena, sizeof(int) * layer->kept);
    if (!arena->base) return;
    int *below = layer->below, count = 0;
    for (int i = 0; i <= layer->inputs; i++) below[i] = 0;
    for (int o = 0; o < layer->outputs; o++) {
        layer->begin[o] = count;
        for (int i = 0; i < layer->inputs; i++)
            if (keeps(layer, weight, o * layer->inputs + i)) {
                layer->column[count++] = i;
                below[i + 1]++;
            }
    }
    layer->begin[layer->outputs] = count;
    for (int i = 0; i < layer->inputs; i++) below[i + 1] += below[i];
    /* Every column is filled from its begin, which so becomes the begin of the next one. */
    for (int o = 0; o < layer->outputs; o++)
        for (int k = layer->begin[o]; k < layer->begin[o + 1]; k++) {
            int to = below[layer->column[k]]++;
            layer->row[to] = o;
            layer->number[to] = k;
        }
    for (int i = layer->inputs; i > 0; i--) below[i] = below[i - 1];
    below[0] = 0;
}

/* y = W x + b, and relu if ``hidden`` */
void sparse_forward(const Layer *layer, const float *x, float *y, bool hidden) {
    for (int o = 0; o < layer->outputs; o++) {
        vec sum[VECTORS];
        for (int n = 0; n < VECTORS; n++) sum[n] = broadcast(layer->bias[o]);
        for (int k = layer->begin[o]; k < layer->begin[o + 1]; k++) {
            vec weight = broadcast(layer->weight[k]);
            const float *from = x + (long)layer->column[k] * PATHS;
            for (int n = 0; n < VECTORS; n++)
                sum[n] = fma_vec(weight, load(from + n * LANES), sum[n]);
        }
        for (int n = 0; n < VECTORS; n++)
            store(y + (long)o * PATHS + n * LANES, hidden ? relu(sum[n]) : sum[n]);
    }
}

/* dx = W^T dy, where gate > 0 if there is one */
void sparse_backward(const Layer *layer, const float *dy, const float *gate, float *dx) {
    for (int i = 0; i < layer->inputs; i++) {
        vec sum[VECTORS];
        for (int n = 0; n < VECTORS; n++) sum[n] = broadcast(0);
        for (int k = layer->below[i]; k < layer->below[i + 1]; k++) {
            vec weight = broadcast(layer->weight[layer->number[k]]);
            const float *from = dy + (long)layer->row[k] * PATHS;
            for (int n = 0; n < VECTORS; n++)
                sum[n] = fma_vec(weight, load(from + n * LANES), sum[n]);
        }
        for (int n = 0; n < VECTORS; n++) {
            long at = (long)i * PATHS + n * LANES;
            store(dx + at, gate ? gated(sum[n], load(gate + at)) : sum[n]);
        }
    }
}

/* weight_sum += dy x^T on the kept weights, as partial sums */
void sparse_accumulate(const Layer *layer, const float *dy, const float *x) {
    for (int o = 0; o < layer->outputs; o++) {
        vec slope[VECTORS];
        for (int n = 0; n < VECTORS; n++) slope[n] = load(dy + (long)o * PATHS + n * LANES);
        for (int k = layer->begin[o]; k < layer->begin[o + 1]; k++) {
            const float *from = x + (long)layer->column[k] * PATHS;
            float *to = layer->weight_sum + (long)k * PARTIAL;
            vec sum[PARTIAL_VECTORS];
            for (int n = 0; n < PARTIAL_VECTORS; n++) sum[n] = load(to + n * LANES);
            for (int n = 0; n < VECTORS; n++)
                sum[n % PARTIAL_VECTORS] =
                    fma_vec(slope[n], load(from + n * LANES), sum[n % PARTIAL_VECTORS]);
            for (int n = 0; n < PARTIAL_VECTORS; n++) store(to + n * LANES, sum[n]);
        }
    }
}
