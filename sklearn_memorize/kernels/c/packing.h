/* Rows, rounded to single precision and packed, to be multiplied with hyperplanes.
 *
 * Six rows make a group, which is read where one of them at least is not zero. Rows
 * that are mostly zeros are grouped by where they are not: the next row of a batch,
 * then the one that adds the fewest columns to it, and so on.
 */
#include <stdlib.h>

/* Numbers of a batch should fit the second cache. */
#define MOST_NUMBERS_OF_A_BATCH (1 << 16)
#define MOST_ROWS_OF_A_BATCH 96
/* From this share of numbers that are not zero on, rows stay in their order. */
#define DENSE 0.7

/* Rows of a batch: rounded, and as bits where they are not zero. */
struct batch {
    double *row;
    float *numbers;
    uint64_t *used, *of_group;
    int64_t n_words, n_rows, most_rows;
};

static void free_batch(struct batch *batch)
{
    free(batch->row);
    free(batch->numbers);
    free(batch->used);
    free(batch->of_group);
}

static int new_batch(struct batch *batch, int64_t n_features)
{
    int64_t most = MOST_NUMBERS_OF_A_BATCH / (n_features + 1);
    most = most > MOST_ROWS_OF_A_BATCH ? MOST_ROWS_OF_A_BATCH : most;
    most = most < ROWS_OF_A_GROUP ? ROWS_OF_A_GROUP : most - most % ROWS_OF_A_GROUP;
    batch->most_rows = most;
    batch->n_words = (n_features + 63) / 64;
    batch->row = room_for_doubles(n_features);
    batch->numbers = malloc((size_t)(most * batch->n_words + 1) * 64 * sizeof(float));
    batch->used = malloc((size_t)(most * batch->n_words + 1) * sizeof(uint64_t));
    batch->of_group = malloc((size_t)(batch->n_words + 1) * sizeof(uint64_t));
    if (batch->row && batch->numbers && batch->used && batch->of_group)
        return 0;
    free_batch(batch);
    return -1;
}

static double sum_of_squares(const float *numbers, int64_t n)
{
    double sums[8] = {0};
    int64_t j = 0;
    for (; j + 8 <= n; j += 8) {
        UNROLL
        for (int lane = 0; lane < 8; lane++)
            sums[lane] += (double)numbers[j + lane] * numbers[j + lane];
    }
    for (; j < n; j++)
        sums[0] += (double)numbers[j] * numbers[j];
    for (int step = 4; step; step /= 2)
        for (int lane = 0; lane < step; lane++)
            sums[lane] += sums[lane + step];
    return sums[0];
}

/* Read row `row` of X as row k of the batch, and measure it as row i. */
static void read_into_batch(struct batch *batch, int64_t k, const struct matrix *X,
                            int64_t row, const struct preparation *preparation,
                            int64_t i)
{
    const int64_t n = X->n_columns;
    const double first = preparation->first, second = preparation->second;
    float *numbers = batch->numbers + k * batch->n_words * 64;
    uint64_t *used = batch->used + k * batch->n_words;
    double *values = batch->row;
    int64_t n_terms = 0;
    read_row(X, row, values);
    if (preparation->shift != NULL)
        for (int64_t j = 0; j < n; j++)
            values[j] -= preparation->shift[j];
    for (int64_t j = 0; j < n; j++)
        n_terms += values[j] != 0.0;
    for (int64_t j = 0; j < n; j++)
        numbers[j] = (float)(values[j] * first * second);
    for (int64_t j = n; j < 64 * batch->n_words; j++)
        numbers[j] = 0.0f;
    for (int64_t word = 0; word < batch->n_words; word++) {
        uint64_t bits[64 / FLOATS];
        UNROLL
        for (int v = 0; v < 64 / FLOATS; v++)
            bits[v] = bits_unequal(load_floats(numbers + 64 * word + v * FLOATS),
                                   spread_float(0.0f));
        used[word] = bits_of_vectors(bits, 64 / FLOATS);
    }
    preparation->n_terms[i] = n_terms;
    preparation->squares[i] = sum_of_squares(numbers, n);
}

/* The number of bits of a that b has not. */
static int64_t count_of_difference(const uint64_t *a, const uint64_t *b,
                                   int64_t n_words)
{
    bits_t counts = spread_word(0);
    int64_t word = 0, rest = 0;
    for (; word + WORDS <= n_words; word += WORDS)
        counts += counts_of_words(load_bits(a + word) & ~load_bits(b + word));
    for (; word < n_words; word++)
        rest += count_of_word(a[word] & ~b[word]);
    return rest + (int64_t)sum_of_words(counts);
}

/* Find an order of the rows of a batch in which groups have few columns together. */
static void order_batch(const struct batch *batch, int *order)
{
    const int64_t n = batch->n_rows, n_words = batch->n_words;
    int64_t n_used = 0;
    for (int64_t k = 0; k < n; k++)
        order[k] = (int)k;
    for (int64_t word = 0; word < n * n_words; word++)
        n_used += count_of_word(batch->used[word]);
    if (n_used > DENSE * (double)(n * n_words * 64))
        return;
    for (int64_t k = 0; k + 1 < n; k++) {
        int64_t best = k, fewest = INT64_MAX;
        /* The first of a group is the next one; the others are near to it. */
        for (int64_t other = k; k % ROWS_OF_A_GROUP && other < n; other++) {
            const uint64_t *used = batch->used + order[other] * n_words;
            int64_t count = count_of_difference(used, batch->of_group, n_words);
            if (count < fewest) {
                fewest = count;
                best = other;
            }
        }
        const int chosen = order[best];
        for (; best > k; best--)
            order[best] = order[best - 1];
        order[k] = chosen;
        for (int64_t word = 0; word < n_words; word++) {
            uint64_t before = k % ROWS_OF_A_GROUP ? batch->of_group[word] : 0;
            batch->of_group[word] = before | batch->used[chosen * n_words + word];
        }
    }
}

/* Pack a group of rows of the batch; return how many columns it has. */
static int64_t pack_group(const struct batch *batch, const int *order, int64_t n_rows,
                          int32_t *columns, float *values)
{
    const float *rows[ROWS_OF_A_GROUP];
    int64_t n = 0;
    for (int64_t word = 0; word < batch->n_words; word++) {
        uint64_t bits = 0;
        for (int64_t k = 0; k < n_rows; k++)
            bits |= batch->used[order[k] * batch->n_words + word];
        for (; bits; bits &= bits - 1)
            columns[n++] = (int32_t)(64 * word + lowest_bit(bits));
    }
    for (int64_t k = 0; k < n_rows; k++)
        rows[k] = batch->numbers + order[k] * batch->n_words * 64;
    for (int64_t place = 0; place < n; place++)
        for (int64_t k = 0; k < ROWS_OF_A_GROUP; k++)
            values[place * ROWS_OF_A_GROUP + k]
                = k < n_rows ? rows[k][columns[place]] : 0.0f;
    return n;
}

static int pack_rows(const struct matrix *X, const int64_t *rows,
                     struct packed_rows *packed, const struct preparation *preparation)
{
    struct batch batch;
    int order[MOST_ROWS_OF_A_BATCH];
    int64_t total = 0, *starts = packed->starts;
    if (new_batch(&batch, X->n_columns))
        return -1;
    *starts++ = 0;
    for (int64_t first = 0; first < packed->n_rows; first += batch.n_rows) {
        batch.n_rows = packed->n_rows - first;
        if (batch.n_rows > batch.most_rows)
            batch.n_rows = batch.most_rows;
        for (int64_t k = 0; k < batch.n_rows; k++)
            read_into_batch(&batch, k, X, rows[first + k], preparation, first + k);
        order_batch(&batch, order);
        for (int64_t k = 0; k < batch.n_rows; k++)
            packed->order[first + k] = first + order[k];
        for (int64_t k = 0; k < batch.n_rows; k += ROWS_OF_A_GROUP) {
            int64_t n = batch.n_rows - k;
            total += pack_group(
                &batch, order + k, n < ROWS_OF_A_GROUP ? n : ROWS_OF_A_GROUP,
                packed->columns + total, packed->values + total * ROWS_OF_A_GROUP);
            *starts++ = total;
        }
    }
    free_batch(&batch);
    return 0;
}

/* Rows of few features, 64 of them side by side. */
static int tiles_of_rows(const struct matrix *X, const int64_t *rows,
                         const int64_t *lanes, int64_t n_rows, float *tiles,
                         const struct preparation *preparation)
{
    const int64_t n = X->n_columns;
    const double first = preparation->first, second = preparation->second;
    for (int64_t i = 0; i < n_rows; i++) {
        const char *start = X->data + rows[i] * X->row_stride;
        float *tile = tiles + lanes[i] / LANES * n * LANES + lanes[i] % LANES;
        double squares = 0.0;
        int64_t n_terms = 0;
        for (int64_t j = 0; j < n; j++) {
            const char *place = start + j * X->column_stride;
            double value
                = X->is_double ? *(const double *)place : *(const float *)place;
            if (preparation->shift != NULL)
                value -= preparation->shift[j];
            float number = (float)(value * first * second);
            tile[j * LANES] = number;
            n_terms += value != 0.0;
            squares += (double)number * number;
        }
        preparation->n_terms[i] = n_terms;
        preparation->squares[i] = squares;
    }
    return 0;
}
