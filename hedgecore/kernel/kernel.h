/* Hedges of an option by a semi-recurrent network: P&L of paths, its gradients, and training.

   The mathematics is that of hedging/network.py, hedging/pnl.py and risk.py, which remain the
   readable definition and the reference in the tests. For every path, at the dates t = 0 .. T-1,

       x_t = (f_t, d_{t-1}, g_t, v_t)          f: five features of the market
       h_1 = relu(W_1 x_t + b_1), ...          one network for all dates
       d_t = saturated(W_L h + b_L)            position in shares, d_{-1} = 0
       v_{t+1} = v_t + |d_t - d_{t-1}|         volume
       g_{t+1} = g_t + d_{t-1} (S_t - S_{t-1}) gains, one date late

       P&L = sum_t d_t D_t (S_{t+1} - S_t + f S_{t+1}) - sum_t c_t S_t |d_t - d_{t-1}|
             - c_T S_T |d_{T-1}| - D_T max(S_T - K, 0)

   with discount factors D, costs c, and f the financing of a share; without financing D is 1, f 0.

   The backward pass goes through the dates in reverse, with the adjoints of d, g and v.

   Layout. Paths are the last axis, in tiles of PATHS: a tile of an array [dates, units] is an array
   [dates, units, PATHS], so that one instruction treats as many paths as a register holds.
   All other loops run over units and dates. A batch that does not fill its last tile repeats its
   first path there, with weight 0 in the loss.

   Bits. Every path is computed alike wherever it lies in a tile. Sums over paths have PARTIAL
   interleaved partial sums and one order of adding these up. Products are fused with sums only
   where the code says fma. So results do not depend on the compiler, the width of the registers
   (tested with AVX2 and AVX-512), other threads, or how often a training was interrupted.

   Memory is given by the caller: every function that needs some has a companion that returns the
   number of bytes. Nothing is allocated, nothing is global. */

#ifndef HEDGECORE_KERNEL_H
#define HEDGECORE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PATHS = 64,     /* paths of a tile */
    PARTIAL = 16,   /* partial sums over the paths of a tile */
    FEATURES = 5,   /* log moneyness, return, volatility, change of variance, time to maturity */
    INPUTS = 8,     /* features, previous position, gains, volume */
    POSITION = 5,
    GAINS = 6,
    VOLUME = 7,
    MAX_LAYERS = 16
};

/* --- memory: memory.c; an arena only counts while its base is NULL ----------------------------- */

typedef struct {
    char *base;  /* aligned to 64 bytes */
    long used;
} Arena;

void *take(Arena *arena, long bytes);
float *take_floats(Arena *arena, long count);

/* --- network: layers.c, dense.c, sparse.c ----------------------------------------------------- */

/* One layer y = W x + b. The kept weights of a sparse one are numbered row by row (CSR), and listed
   by column for the backward pass; a dense one has all of them, in the same order. */
typedef struct {
    int inputs, outputs;
    bool sparse;
    const uint8_t *mask; /* [outputs][inputs], or NULL: what is not zero is kept */
    int kept;
    int *begin, *column;        /* of row o: weights begin[o] .. begin[o+1]-1, and their columns */
    int *below, *row, *number;  /* of column i: below[i] .. below[i+1]-1; row and number of each */
    float *weight, *bias;       /* effective ones: masked, standardisation of the inputs folded in */
    float *weight_sum, *bias_sum;  /* gradients; partial sums where the layer is sparse */
    bool keep;  /* its units at every date are kept for the backward pass, not computed again */
    int unit;   /* number of its first unit among those that are kept, or that are not */
} Layer;

typedef struct {
    int layers;
    Layer layer[MAX_LAYERS];
    int kept, recomputed;  /* hidden units */
    int widest;            /* most units of a layer, inputs included */
    float *hidden;         /* [recomputed][PATHS], of one date */
    float *adjoint[2], *transposed;
} Network;

typedef enum { FORWARD, BACKWARD_INPUTS, BACKWARD_PARAMETERS } Passes;

/* Structure of the network for weights [layer: weight, bias] one after another. */
void network_layout(Network *network, Arena *arena, int layers, const int *widths,
                    const float *theta, const uint8_t *mask, Passes passes);
void network_load(Network *network, const float *theta, const float *mean, const float *sd);
void network_clear(Network *network);
/* Gradients in the parameters of network_load, added to ``gradient``; 0 where masked. */
void network_gradient(const Network *network, const float *mean, const float *sd, float *gradient);

void layer_forward(const Layer *layer, const float *x, float *y, bool hidden);
void layer_backward(const Layer *layer, const float *dy, const float *gate, float *dx);
void layer_accumulate(const Layer *layer, const float *dy, const float *x, float *transposed);

void dense_forward(const Layer *layer, const float *x, float *y, bool hidden);
void dense_backward(const Layer *layer, const float *dy, const float *gate, float *dx);
void dense_accumulate(const Layer *layer, const float *dy, const float *x, float *transposed);
int dense_row(const Layer *layer);  /* floats from a row of weight_sum to the next */

void sparse_structure(Layer *layer, Arena *arena, const float *weight);
void sparse_forward(const Layer *layer, const float *x, float *y, bool hidden);
void sparse_backward(const Layer *layer, const float *dy, const float *gate, float *dx);
void sparse_accumulate(const Layer *layer, const float *dy, const float *x);

float sum_partial(const float *partial);

/* --- market and P&L: market.c ----------------------------------------------------------------- */

/* Option, dates and costs; see the P&L above. */
typedef struct {
    int dates;                  /* T */
    float strike, limit;        /* K; bound of the saturation, in shares */
    const float *cost;          /* c [dates+1], per unit of price */
    const float *discount;      /* D [dates+1] */
    float financing;            /* f */
} Contract;

/* State of the paths of a tile; every array ends with [PATHS]. */
typedef struct {
    int count;                   /* paths that belong to the batch */
    float *spot, *variance;      /* [dates+1] */
    float *inputs;               /* [dates][INPUTS], the features as the network reads them */
    float *output, *position;    /* [dates]: of the network, and saturated */
    float *hidden;               /* [dates][kept units] */
    float *pnl, *cost, *turnover;
} Tile;

/* Gradient of the P&L in the scene of a tile; every array ends with [PATHS]. */
typedef struct {
    float *features;         /* [dates][FEATURES] */
    float *spot, *variance;  /* [dates+1] */
} SceneGradient;

void tile_layout(Tile *tile, Arena *arena, const Contract *contract, const Network *network);
void scene_layout(SceneGradient *scene, Arena *arena, const Contract *contract);
/* The first ``columns`` of rows of ``length`` into a tile [columns][PATHS], and back; of the paths
   ``index``, or of the first ones if NULL. */
void gather(float *tile, const float *rows, long length, const int64_t *index, int count,
            int columns);
void scatter(float *rows, long length, const float *tile, int count, int columns);
void market_features(const Contract *contract, Tile *tile);
void market_gradient(const Contract *contract, const Tile *tile, SceneGradient *scene);

/* --- rollout: rollout.c ----------------------------------------------------------------------- */

/* Positions, P&L, cost and turnover of a tile. */
void rollout_forward(const Contract *contract, const Network *network, Tile *tile);
/* Gradient of sum_n weight[n] P&L_n: added to the layers' sums if ``parameters``, and written to
   ``scene`` if not NULL; there without the part through the features, which market_gradient adds. */
void rollout_backward(const Contract *contract, Network *network, Tile *tile, const float *weight,
                      bool parameters, SceneGradient *scene);

/* --- risk: risk.c ----------------------------------------------------------------------------- */

typedef enum { CVAR, ENTROPIC, MEAN_VARIANCE, MONOTONE_MEAN_VARIANCE } RiskName;

typedef struct {
    int name;          /* RiskName */
    double parameter;  /* tail, or aversion */
    bool monotone;
} Risk;

/* Mean loss of ``paths`` P&Ls at *y, or at the optimal y if NULL. Writes the gradient in every P&L,
   and that in y. NaN if a P&L is not finite. ``memory``: [2][paths]. */
float risk_loss(const Risk *risk, int paths, const float *pnl, const float *y, float *gradient,
                float *y_gradient, float *memory);

/* --- attack: attack.c ------------------------------------------------------------------------- */

typedef enum { CLEAN, PATH, OBSERVATION } ThreatModel;

typedef struct {
    int model;                /* ThreatModel */
    int steps;                /* gradients; 0 for noise */
    bool random_start;        /* from a random point of the ball */
    float share;              /* length of a step, in radii */
    double spot, variance;    /* radii of a ball of paths */
    float feature[FEATURES];  /* radii of a ball of observations */
} Attack;

/* Tiles of a batch, and memory for what is computed of all of them. */
typedef struct {
    int paths, tiles;
    Tile *tile;
    Tile *center;         /* the true market of every tile, for an attack */
    SceneGradient scene;  /* of one tile, for an attack */
    float *pnl, *gradient, *memory;
} Batch;

void batch_layout(Batch *batch, Arena *arena, const Contract *contract, const Network *network,
                  int paths, bool attacked);
/* P&L of all tiles, as their market is now. */
void batch_forward(const Contract *contract, const Network *network, Batch *batch);
/* Moves the market, or the features, of every tile to where the loss is high. ``draws`` in (-1, 1),
   by path: [paths][dates+1] for the spot, then for the variance, or [paths][dates][FEATURES]. */
void attack_batch(const Attack *attack, const Contract *contract, Network *network,
                  const Risk *risk, Batch *batch, const float *draws);

/* --- entry points: evaluate.c, train.c ---------------------------------------------------------- */

typedef struct {
    Contract contract;
    int layers;
    const int *widths;      /* [layers+1], from INPUTS to 1 */
    const float *theta;     /* weights and biases of every layer, one after another */
    const uint8_t *mask;    /* of theta, or NULL: weights that are not zero are kept */
    const float *mean, *sd; /* [INPUTS] */
} Hedge;

/* Arrays [paths][..], row by row; outputs that are NULL are not computed. */
typedef struct {
    long paths;
    const float *spot, *variance, *observation; /* observation: NULL for the true features */
    float *pnl, *cost, *turnover, *position;
    float *spot_gradient, *variance_gradient, *observation_gradient; /* of every path's P&L */
} Scene;

typedef struct {
    Hedge hedge;
    Risk risk;
    Attack attack;
    float clean_weight;
    const float *spot, *variance;    /* training paths, [paths][dates+1] */
    const float *draws;              /* of all batches, one after another; see attack_batch */
    float *theta, *first, *second;   /* parameters, and the moments of Adam */
    int scalars;                     /* y, and y under attack, after the weights and biases */
    float scalar_lr, clip;
    const int64_t *step_numbers;     /* steps before these, of every weight, bias and y */
    int batch;                       /* paths of a full batch */
} Training;

long evaluate_bytes(const Hedge *hedge, const Scene *scene);
void evaluate(const Hedge *hedge, const Scene *scene, void *memory);

long train_bytes(const Training *training);
/* Steps with batches of ``sizes`` paths, whose indices follow one another; writes the loss and the
   norm of the gradient of every step. */
void train(const Training *training, int steps, const int *sizes, const int64_t *index,
           const float *lr, float *losses, float *norms, void *memory);

#endif
