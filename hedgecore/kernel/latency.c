/* Positions of many states, one after another: parity of a compact network, and its latency. */

#include "latency.h"

enum { FEATURES_READ = 8 };

/* 0 * position is 0, but the processor does not know it: as in a hedge, a state waits for the
   position before it, so that the time is the latency and not the throughput of a pipeline. */
void compact_positions(const CompactNetwork *network, long states, const float *features,
                       float *position, float *memory) {
    float x[FEATURES_READ], previous = 0;
    for (long n = 0; n < states; n++, features += FEATURES_READ) {
        for (int i = 0; i < FEATURES_READ; i++) x[i] = features[i] + 0 * previous;
        previous = position[n] = compact_position(network, x, memory);
    }
}
