/* One hedge by one network, for use without the rest of the kernel: the position for the features
   of one path at one date, in C99 with the standard library alone. Nothing is allocated.

   The network is compact (hedging/compact.py): no unit without effect is left, and the scale of the
   features is part of its first weights. The units of a layer are in blocks of UNITS that have
   similar inputs; a block reads the inputs that any of its units has, and no others. So the time is
   proportional to what remains, and one instruction treats several units. */

#ifndef HEDGECORE_INFERENCE_H
#define HEDGECORE_INFERENCE_H

enum { UNITS = 8 };

/* Hidden layer y = relu(W x + b). Its last block may end with units that are 0. */
typedef struct {
    int blocks;
    const int *begin;     /* inputs of block q: begin[q] .. begin[q+1]-1 */
    const int *input;     /* number of each in x */
    const float *weight;  /* [inputs of all blocks][UNITS] */
    const float *bias;    /* [blocks][UNITS] */
} CompactLayer;

/* position = saturated(weight'x + bias), of the last hidden layer's x, as in hedging/network.py. */
typedef struct {
    int layers, widest;         /* widest: most units of a hidden layer */
    const CompactLayer *layer;  /* [layers] */
    int units;                  /* of the last layer; 0 without layers */
    const float *weight;        /* [units] */
    float bias, limit;          /* limit: bound of the position, in shares */
} CompactNetwork;

/* Position in shares for ``features``. ``memory``: [2][widest], overwritten. */
float compact_position(const CompactNetwork *network, const float *features, float *memory);

#endif
