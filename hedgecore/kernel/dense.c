/* Layers of which most weights are kept. All three products of a training step, forward, backward
   and in the weights, are one blocked product of matrices. */

#include <stddef.h>

#include "vector.h"

enum {
    ROWS = 6,    /* with BLOCK registers a row, the sums of a block fill the register file */
    DEPTH = 128  /* of a product at a time, so that the panel of B stays in the first cache */
};

typedef enum { NONE, RELU, GATE } Activation;

/* C = start + A B, or C += A B if ``add``, then the activation. A[m, k] is
   a[m * a_row + k * a_column]; B and C have contiguous rows. */
typedef struct {
    int rows, columns, depth;  /* columns: a multiple of LANES */
    const float *a;
    long a_row, a_column;
    const float *b;
    long b_row;
    float *c;
    long c_row;
    const float *bias;  /* start: bias[m], or 0 if NULL */
    bool add;
    Activation activation;
    const float *gate;  /* like C; with GATE the result counts where it is above 0 */
} Product;

/* ``rows`` x ``vectors`` registers of C, from row m and column n on; both are constants. */
INLINE void block(const Product *p, const int rows, const int vectors, int m, int n) {
    vec sum[ROWS][BLOCK];
    const float *a = p->a + m * p->a_row, *b = p->b + n;
    float *c = p->c + m * p->c_row + n;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++) sum[i][j] = broadcast(p->bias ? p->bias[m + i] : 0);
    for (int k = 0; k < p->depth; k++, a += p->a_column, b += p->b_row) {
        vec right[BLOCK];
        for (int j = 0; j < vectors; j++) right[j] = load(b + j * LANES);
        for (int i = 0; i < rows; i++) {
            vec left = broadcast(a[i * p->a_row]);
            for (int j = 0; j < vectors; j++) sum[i][j] = fma_vec(left, right[j], sum[i][j]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++) {
            float *to = c + i * p->c_row + j * LANES;
            /* Last, so that a long sum is one of short sums, whose rounding is smaller. */
            if (p->add) sum[i][j] += load(to);
            if (p->activation == RELU) sum[i][j] = relu(sum[i][j]);
            if (p->activation == GATE)
                sum[i][j] = gated(sum[i][j], load(p->gate + (to - p->c)));
            store(to, sum[i][j]);
        }
}

INLINE void column_block(const Product *p, const int vectors, int n) {
    int m = 0;
    for (; m + ROWS <= p->rows; m += ROWS) block(p, ROWS, vectors, m, n);
    switch (p->rows - m) {
        case 5: block(p, 5, vectors, m, n); break;
        case 4: block(p, 4, vectors, m, n); break;
        case 3: block(p, 3, vectors, m, n); break;
        case 2: block(p, 2, vectors, m, n); break;
        case 1: block(p, 1, vectors, m, n); break;
    }
}

static void multiply_panel(const Product *p) {
    int n = 0;
    for (; n + BLOCK * LANES <= p->columns; n += BLOCK * LANES) column_block(p, BLOCK, n);
    for (; n < p->columns; n += LANES) column_block(p, 1, n);
}

static void multiply(Product p) {
    Activation activation = p.activation;
    int left = p.depth;
    p.depth = DEPTH;
    p.activation = NONE;
    for (; left > DEPTH; left -= DEPTH, p.a += DEPTH * p.a_column, p.b += DEPTH * p.b_row) {
        multiply_panel(&p);
        p.bias = NULL;
        p.add = true;
    }
    p.depth = left;
    p.activation = activation;
    multiply_panel(&p);
}

/* y = W x + b, and relu if ``hidden`` */
void dense_forward(const Layer *layer, const float *x, float *y, bool hidden) {
    multiply((Product){.rows = layer->outputs, .columns = PATHS, .depth = layer->inputs,
                       .a = layer->weight, .a_row = layer->inputs, .a_column = 1,
                       .b = x, .b_row = PATHS, .c = y, .c_row = PATHS, .bias = layer->bias,
                       .activation = hidden ? RELU : NONE});
}

/* dx = W^T dy, where gate > 0 if there is one */
void dense_backward(const Layer *layer, const float *dy, const float *gate, float *dx) {
    multiply((Product){.rows = layer->inputs, .columns = PATHS, .depth = layer->outputs,
                       .a = layer->weight, .a_row = 1, .a_column = layer->inputs,
                       .b = dy, .b_row = PATHS, .c = dx, .c_row = PATHS, .gate = gate,
                       .activation = gate ? GATE : NONE});
}

int dense_row(const Layer *layer) { return (layer->inputs + PARTIAL - 1) / PARTIAL * PARTIAL; }

/* LANES x LANES by perfect shuffles: each round interleaves the first half of the rows with the
   second, and so moves the lowest bit of the row's number to the lane's. */
static inline void transpose_block(const float *x, int available, float *y, int y_row) {
    vec rows[LANES], next[LANES];
    for (int i = 0; i < LANES; i++)
        rows[i] = i < available ? load(x + (long)i * PATHS) : broadcast(0);
    for (int round = 1; round < LANES; round *= 2) {
        for (int i = 0; i < LANES / 2; i++) {
            next[2 * i] = interleave_low(rows[i], rows[i + LANES / 2]);
            next[2 * i + 1] = interleave_high(rows[i], rows[i + LANES / 2]);
        }
        for (int i = 0; i < LANES; i++) rows[i] = next[i];
    }
    for (int i = 0; i < LANES; i++) store(y + (long)i * y_row, rows[i]);
}

/* weight_sum += dy x^T, a panel of inputs at a time, which is transposed for it: [PATHS][panel]. */
void dense_accumulate(const Layer *layer, const float *dy, const float *x, float *transposed) {
    const int widest = BLOCK * LANES;
    int row = dense_row(layer);
    for (int first = 0; first < row; first += widest) {
        int columns = row - first < widest ? row - first : widest;
        for (int i = 0; i < columns; i += LANES)
            for (int n = 0; n < PATHS; n += LANES)
                transpose_block(x + (long)(first + i) * PATHS + n, layer->inputs - first - i,
                                transposed + n * columns + i, columns);
        multiply((Product){.rows = layer->outputs, .columns = columns, .depth = PATHS,
                           .a = dy, .a_row = PATHS, .a_column = 1,
                           .b = transposed, .b_row = columns,
                           .c = layer->weight_sum + first, .c_row = row, .add = true});
    }
}
