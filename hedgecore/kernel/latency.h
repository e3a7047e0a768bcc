/* Positions of many states, one after another. */

#ifndef HEDGECORE_LATENCY_H
#define HEDGECORE_LATENCY_H

#include "inference.h"

/* ``features``: [states][8]; ``memory`` as for compact_position. */
void compact_positions(const CompactNetwork *network, long states, const float *features,
                       float *position, float *memory);

#endif
