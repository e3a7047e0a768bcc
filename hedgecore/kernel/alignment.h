/* Alignment of a network's nodes with centroids: its loss with gradient, and factors of gradients.

   The mathematics is that of insurance/xnn/alignment.py, which remains the readable definition and
   the reference in the tests. Arrays are row by row; nodes are the last axis, along which loops are
   vectorised, so every sum over rows has one order for every width of the registers. */

#ifndef HEDGECORE_ALIGNMENT_H
#define HEDGECORE_ALIGNMENT_H

/* Outputs z of one layer on one batch, before the ReLU, and the number of centroids. */
typedef struct {
    int rows, nodes, clusters;
    const float *z;  /* [rows][nodes] */
} Nodes;

/* The layer's weights W, its inputs h, after their ReLU, and z'h. */
typedef struct {
    int inputs;
    const float *weight, *product;  /* [nodes][inputs] */
    const float *read;              /* [rows][inputs] */
} Weights;

/* Loss share sum_j (1 - rho_j^2), where rho_j correlates node j with the distance to its centroid
   owner[j] over the batch, and its gradient [rows][nodes]. ``unit``: [rows][clusters], distances,
   centred and with norm 1. ``memory``: [4][nodes]. */
float alignment(const Nodes *layer, const float *unit, const int *owner, float share,
                float *gradient, float *memory);

/* Factors of the gradient [nodes][inputs], in (0, 2). ``centroid``: z_c [clusters][nodes];
   ``quantile``: [rows][clusters]. ``memory``: [clusters+1][nodes] and [2][inputs]. */
void multiplier(const Nodes *layer, const Weights *weights, const float *centroid,
                const float *quantile, float strength, float *factor, float *memory);

#endif
