/* Signs of products of rows with hyperplanes, packed into bits.
 *
 * Products of six rows with 64 hyperplanes stay in registers, and only the signs, and
 * which of them are in doubt, are stored. Rows are read where one of the six at least is
 * not zero. Rows of few features are turned round: 64 of them lie side by side, six
 * hyperplanes take the place of the rows, and the bits are words of planes.
 */
#include <stdlib.h>

/* 64 numbers in vectors, in so many parts. */
#define FLOATS_TOGETHER (VECTORS_TOGETHER * FLOATS)

static int add_doubt(struct doubts *doubts, int64_t row, int64_t column)
{
    if (doubts->n == doubts->room) {
        int64_t room = doubts->room ? 2 * doubts->room : 1024;
        size_t size = (size_t)room * sizeof(int64_t);
        int64_t *rows = realloc(doubts->rows, size);
        if (rows == NULL)
            return -1;
        doubts->rows = rows;
        int64_t *columns = realloc(doubts->columns, size);
        if (columns == NULL)
            return -1;
        doubts->columns = columns;
        doubts->room = room;
    }
    doubts->rows[doubts->n] = row;
    doubts->columns[doubts->n++] = column;
    return 0;
}

/* List the columns `first` + k of a row, for all bits k that have a bound at all. */
static int add_doubts(struct doubts *doubts, uint64_t bits, int64_t row, int64_t first,
                      float row_bound, const struct offsets *offsets)
{
    for (; bits; bits &= bits - 1) {
        int64_t j = first + lowest_bit(bits);
        float bound = row_bound * offsets->column_bounds[j] + offsets->offset_bounds[j];
        if (bound > 0 && add_doubt(doubts, row, j))
            return -1;
    }
    return 0;
}

/* 64 columns of the offsets and their bounds; zeros beyond the last one, in the room. */
static struct offsets word_of_offsets(const struct offsets *offsets, int64_t first,
                                      float (*room)[64])
{
    int64_t n = offsets->n_hyperplanes - first;
    struct offsets word = {offsets->offsets + first, offsets->column_bounds + first,
                           offsets->offset_bounds + first, n};
    if (n >= 64)
        return word;
    size_t size = (size_t)n * sizeof(float);
    memset(room, 0, 3 * sizeof *room);
    word.offsets = memcpy(room[0], word.offsets, size);
    word.column_bounds = memcpy(room[1], word.column_bounds, size);
    word.offset_bounds = memcpy(room[2], word.offset_bounds, size);
    return word;
}

/* The bits [p + o > 0] and [not |p + o| > r c + b] of the vectors from `first` on. */
INLINE void signs_and_doubts(const floats_t *products, int first, float row_bound,
                             const struct offsets *word, const int n_vectors,
                             uint64_t *positive, uint64_t *doubtful)
{
    UNROLL
    for (int v = 0; v < n_vectors; v++) {
        int k = first + v * FLOATS;
        floats_t value = products[v] + load_floats(word->offsets + k);
        floats_t bound = spread_float(row_bound) * load_floats(word->column_bounds + k);
        bound = bound + load_floats(word->offset_bounds + k);
        *positive |= bits_above(value, spread_float(0.0f)) << k;
        uint64_t certain = bits_above(magnitudes_of(value), bound);
        *doubtful |= (certain ^ ALL_FLOATS) << k;
    }
}

/* Store the word `word` of the code of row i; list what is in doubt of it. */
static int store_word(uint64_t positive, uint64_t doubtful, int64_t i, int64_t word,
                      int64_t first, const struct offsets *offsets,
                      const struct places *places, const struct codes *codes,
                      struct doubts *doubts)
{
    int64_t tile = places->positions[i] / LANES, lane = places->positions[i] % LANES;
    codes->words[(tile * codes->n_words + word) * LANES + lane] = positive;
    if (offsets->n_hyperplanes - first < 64)
        doubtful &= ((uint64_t)1 << (offsets->n_hyperplanes - first)) - 1;
    if (doubtful == 0)
        return 0;
    return add_doubts(doubts, doubtful, i, first, places->row_bounds[i], offsets);
}

static int pack_signs(const float *products, const struct offsets *offsets,
                      const struct places *places, int64_t first_word,
                      const struct codes *codes, struct doubts *doubts)
{
    const int64_t n_columns = offsets->n_hyperplanes;
    float room[3][64], rest[64] = {0};
    for (int64_t i = 0; i < places->n_rows; i++) {
        for (int64_t first = 0; first < n_columns; first += 64) {
            const struct offsets word = word_of_offsets(offsets, first, room);
            const float *row = products + i * n_columns + first;
            uint64_t positive = 0, doubtful = 0;
            if (word.n_hyperplanes < 64)
                row = memcpy(rest, row, (size_t)word.n_hyperplanes * sizeof(float));
            for (int k = 0; k < 64; k += FLOATS) {
                floats_t product = load_floats(row + k);
                signs_and_doubts(&product, k, places->row_bounds[i], &word, 1, &positive,
                                 &doubtful);
            }
            if (store_word(positive, doubtful, i, first_word + first / 64, first, offsets,
                           places, codes, doubts))
                return -1;
        }
    }
    return 0;
}

/* Preparing rows ------------------------------------------------------------------ */

/* Store 2**-exponent * (x - shift) in single precision; say which of its entries are
 * not zero, how many they are, and the sum of the squares of the rounded ones. */
static void prepare_row(const struct matrix *X, int64_t i,
                        const struct preparation *preparation, double *row,
                        float *rounded_row, uint8_t *used, int64_t *n_terms,
                        double *squares)
{
    const double *shift = preparation->shift;
    const double first = preparation->first, second = preparation->second;
    int64_t n = X->n_columns, count = 0;
    double sums[8] = {0};
    read_row(X, i, row);
    if (shift != NULL)
        for (int64_t j = 0; j < n; j++)
            row[j] -= shift[j];
    for (int64_t j = 0; j < n; j++)
        rounded_row[j] = (float)(row[j] * first * second);
    for (int64_t j = 0; j < n; j++) {
        uint8_t is_used = row[j] != 0.0;
        used[j] |= is_used;
        count += is_used;
    }
    int64_t j = 0;
    for (; j + 8 <= n; j += 8) {
        UNROLL
        for (int lane = 0; lane < 8; lane++) {
            double value = rounded_row[j + lane];
            sums[lane] += value * value;
        }
    }
    for (; j < n; j++) {
        double value = rounded_row[j];
        sums[0] += value * value;
    }
    for (int step = 4; step; step /= 2)
        for (int lane = 0; lane < step; lane++)
            sums[lane] += sums[lane + step];
    *n_terms = count;
    *squares = sums[0];
}

static int pack_rows(const struct matrix *X, const int64_t *rows,
                     struct packed_rows *packed, const struct preparation *preparation)
{
    int64_t n = X->n_columns, total = 0;
    double *row = room_for_doubles(n);
    float *group_rows = malloc((size_t)(n + 1) * ROWS_OF_A_GROUP * sizeof(float));
    uint8_t *used = malloc((size_t)n + 1);
    int failed = row == NULL || group_rows == NULL || used == NULL;
    packed->starts[0] = 0;
    for (int64_t first = 0; first < packed->n_rows && !failed; first += ROWS_OF_A_GROUP) {
        int64_t n_rows = packed->n_rows - first, start = total;
        if (n_rows > ROWS_OF_A_GROUP)
            n_rows = ROWS_OF_A_GROUP;
        memset(used, 0, (size_t)n);
        for (int64_t k = 0; k < n_rows; k++) {
            int64_t i = first + k;
            prepare_row(X, rows[i], preparation, row, group_rows + k * n, used,
                        preparation->n_terms + i, preparation->squares + i);
        }
        for (int64_t j = 0; j < n; j++) {
            packed->columns[total] = (int32_t)j; /* overwritten unless used */
            total += used[j];
        }
        for (int64_t k = 0; k < ROWS_OF_A_GROUP; k++) {
            const float *values = group_rows + k * n;
            for (int64_t place = start; place < total; place++) {
                int64_t target = place * ROWS_OF_A_GROUP + k;
                packed->values[target] = k < n_rows ? values[packed->columns[place]] : 0;
            }
        }
        packed->starts[first / ROWS_OF_A_GROUP + 1] = total;
    }
    free(row);
    free(group_rows);
    free(used);
    return failed ? -1 : 0;
}

/* Products ------------------------------------------------------------------------ */

/* Add products of some rows with hyperplanes, so many vectors of them.
 *
 * The rows have `values[place][row]` in the columns `columns[place]` (or `place` itself),
 * and the hyperplanes `panel[column][64]`. */
INLINE void add_products(floats_t (*sums)[VECTORS_TOGETHER], const int n_rows,
                         const int32_t *columns, const float *values, int64_t n_places,
                         const float *panel)
{
    for (int64_t place = 0; place < n_places; place++) {
        const float *start = panel + 64 * (columns == NULL ? place : columns[place]);
        floats_t weights[VECTORS_TOGETHER];
        UNROLL
        for (int v = 0; v < VECTORS_TOGETHER; v++)
            weights[v] = load_floats(start + v * FLOATS);
        UNROLL
        for (int k = 0; k < n_rows; k++) {
            floats_t value = spread_float(values[place * ROWS_OF_A_GROUP + k]);
            UNROLL
            for (int v = 0; v < VECTORS_TOGETHER; v++)
                sums[k][v] = multiply_add(value, weights[v], sums[k][v]);
        }
    }
}

/* Store the products: sums over parts of the places, which are then added. */
INLINE void products_of_group(floats_t (*totals)[VECTORS_TOGETHER], const int n_rows,
                              const int32_t *columns, const float *values,
                              int64_t n_places, const float *panel)
{
    for (int64_t start = 0; start == 0 || start < n_places; start += TERMS_OF_A_PART) {
        int64_t n = n_places - start;
        floats_t sums[ROWS_OF_A_GROUP][VECTORS_TOGETHER];
        if (n > TERMS_OF_A_PART)
            n = TERMS_OF_A_PART;
        UNROLL
        for (int k = 0; k < n_rows; k++) {
            UNROLL
            for (int v = 0; v < VECTORS_TOGETHER; v++)
                sums[k][v] = spread_float(0.0f);
        }
        add_products(sums, n_rows, columns == NULL ? NULL : columns + start,
                     values + start * ROWS_OF_A_GROUP, n,
                     columns == NULL ? panel + 64 * start : panel);
        UNROLL
        for (int k = 0; k < n_rows; k++) {
            UNROLL
            for (int v = 0; v < VECTORS_TOGETHER; v++)
                totals[k][v] = start ? totals[k][v] + sums[k][v] : sums[k][v];
        }
    }
}

/* The bits [p + o > 0] and those in doubt, for a group of rows and 64 hyperplanes. */
INLINE void signs_of_group(const int n_rows, const int32_t *columns,
                           const float *values, int64_t n_places, const float *panel,
                           const struct offsets *word, const float *row_bounds,
                           uint64_t *positive, uint64_t *doubtful)
{
    for (int k = 0; k < n_rows; k++)
        positive[k] = doubtful[k] = 0;
    for (int first = 0; first < 64; first += FLOATS_TOGETHER) {
        floats_t products[ROWS_OF_A_GROUP][VECTORS_TOGETHER];
        products_of_group(products, n_rows, columns, values, n_places, panel + first);
        UNROLL
        for (int k = 0; k < n_rows; k++)
            signs_and_doubts(products[k], first, row_bounds[k], word, VECTORS_TOGETHER,
                             positive + k, doubtful + k);
    }
}

/* Transpose 64 directions into a panel, and zeros beyond the last one: those of the
 * features that are listed, or all. */
static void fill_panel(const float *directions, int64_t n_features, int64_t n_directions,
                       const int32_t *features, int64_t n_listed, float *panel)
{
    enum { BLOCK = 16 };
    if (n_directions > 64)
        n_directions = 64;
    if (n_directions < 64)
        memset(panel, 0, (size_t)n_listed * 64 * sizeof(float));
    for (int64_t first = 0; first < n_listed; first += BLOCK) {
        int64_t n = n_listed - first < BLOCK ? n_listed - first : BLOCK;
        for (int64_t k = 0; k < n_directions; k++) {
            const float *direction = directions + k * n_features;
            float *column = panel + 64 * first + k;
            if (features != NULL) {
                for (int64_t j = 0; j < n; j++)
                    column[64 * j] = direction[features[first + j]];
            } else if (n == BLOCK) {
                for (int64_t j = 0; j < BLOCK; j++)
                    column[64 * j] = direction[first + j];
            } else {
                for (int64_t j = 0; j < n; j++)
                    column[64 * j] = direction[first + j];
            }
        }
    }
}

/* Return room for n numbers that starts where a cache line does; free `*start`. */
static float *aligned_floats(int64_t n, void **start)
{
    *start = malloc((size_t)n * sizeof(float) + 64);
    if (*start == NULL)
        return NULL;
    return (float *)(((uintptr_t)*start + 63) & ~(uintptr_t)63);
}

static int pack_signs_of_rows(const struct packed_rows *packed, const float *directions,
                              int64_t n_features, const struct offsets *offsets,
                              const struct places *places, const struct codes *codes,
                              struct doubts *doubts)
{
    const int64_t n_rows = packed->n_rows, n_hyperplanes = offsets->n_hyperplanes;
    /* A single group needs the columns of its own only. */
    const int is_alone = n_rows <= ROWS_OF_A_GROUP;
    const int32_t *columns = is_alone ? packed->columns : NULL;
    const int64_t n_columns = n_rows && is_alone ? packed->starts[1] : n_features;
    void *room;
    float *panel = aligned_floats(64 * n_columns, &room);
    int failed = panel == NULL;
    for (int64_t first = 0; first < n_hyperplanes && !failed; first += 64) {
        float offsets_room[3][64];
        const struct offsets word = word_of_offsets(offsets, first, offsets_room);
        fill_panel(directions + first * n_features, n_features, n_hyperplanes - first,
                   columns, n_columns, panel);
        for (int64_t i = 0; i < n_rows && !failed; i += ROWS_OF_A_GROUP) {
            uint64_t positive[ROWS_OF_A_GROUP], doubtful[ROWS_OF_A_GROUP];
            float bounds[ROWS_OF_A_GROUP] = {0};
            int64_t n = n_rows - i < ROWS_OF_A_GROUP ? n_rows - i : ROWS_OF_A_GROUP;
            int64_t start = packed->starts[i / ROWS_OF_A_GROUP];
            int64_t n_places = packed->starts[i / ROWS_OF_A_GROUP + 1] - start;
            const float *values = packed->values + start * ROWS_OF_A_GROUP;
            memcpy(bounds, places->row_bounds + i, (size_t)n * sizeof(float));
            if (n == 1 && is_alone)
                signs_of_group(1, NULL, values, n_places, panel, &word, bounds, positive,
                               doubtful);
            else if (is_alone)
                signs_of_group(ROWS_OF_A_GROUP, NULL, values, n_places, panel, &word,
                               bounds, positive, doubtful);
            else
                signs_of_group(ROWS_OF_A_GROUP, packed->columns + start, values,
                               n_places, panel, &word, bounds, positive, doubtful);
            for (int64_t k = 0; k < n; k++)
                failed |= store_word(positive[k], doubtful[k], i + k, first / 64, first,
                                     offsets, places, codes, doubts);
        }
    }
    free(room);
    return failed ? -1 : 0;
}

/* Rows of few features ------------------------------------------------------------ */

static int tiles_of_rows(const struct matrix *X, const int64_t *rows,
                         const int64_t *lanes, int64_t n_rows, float *tiles,
                         const struct preparation *preparation)
{
    int64_t n = X->n_columns;
    double *row = room_for_doubles(n);
    float *values = malloc((size_t)(n + 1) * sizeof(float));
    uint8_t *used = calloc((size_t)n + 1, 1);
    int failed = row == NULL || values == NULL || used == NULL;
    for (int64_t i = 0; i < n_rows && !failed; i++) {
        float *tile = tiles + lanes[i] / LANES * n * LANES + lanes[i] % LANES;
        prepare_row(X, rows[i], preparation, row, values, used, preparation->n_terms + i,
                    preparation->squares + i);
        for (int64_t j = 0; j < n; j++)
            tile[j * LANES] = values[j];
    }
    free(row);
    free(values);
    free(used);
    return failed ? -1 : 0;
}

/* The bits [p + o > t] and [|p + o| > t] of the 64 rows of a tile and some hyperplanes,
 * which have the place of rows here. */
INLINE void signs_of_tile(const float *tile, const float *directions, int64_t n_features,
                          const float *offsets, const float *thresholds,
                          uint64_t *positive, uint64_t *certain)
{
    for (int k = 0; k < ROWS_OF_A_GROUP; k++)
        positive[k] = certain[k] = 0;
    for (int first = 0; first < LANES; first += FLOATS_TOGETHER) {
        floats_t products[ROWS_OF_A_GROUP][VECTORS_TOGETHER];
        products_of_group(products, ROWS_OF_A_GROUP, NULL, directions, n_features,
                          tile + first);
        UNROLL
        for (int k = 0; k < ROWS_OF_A_GROUP; k++) {
            floats_t threshold = spread_float(thresholds[k]);
            UNROLL
            for (int v = 0; v < VECTORS_TOGETHER; v++) {
                int shift = first + v * FLOATS;
                floats_t value = products[k][v] + spread_float(offsets[k]);
                positive[k] |= bits_above(value, threshold) << shift;
                certain[k] |= bits_above(magnitudes_of(value), threshold) << shift;
            }
        }
    }
}

/* Six hyperplanes, turned round: `directions[feature][6]`; zeros beyond the last. */
struct group_of_hyperplanes {
    float offsets[ROWS_OF_A_GROUP], column_bounds[ROWS_OF_A_GROUP];
    float offset_bounds[ROWS_OF_A_GROUP];
};

static void read_hyperplanes(const struct offsets *offsets, const float *directions,
                             int64_t n_features, int64_t first,
                             struct group_of_hyperplanes *group, float *turned)
{
    memset(group, 0, sizeof *group);
    for (int k = 0; k < ROWS_OF_A_GROUP; k++) {
        int64_t h = first + k;
        int is_there = h < offsets->n_hyperplanes;
        if (is_there) {
            group->offsets[k] = offsets->offsets[h];
            group->column_bounds[k] = offsets->column_bounds[h];
            group->offset_bounds[k] = offsets->offset_bounds[h];
        }
        for (int64_t j = 0; j < n_features; j++) {
            float weight = is_there ? directions[h * n_features + j] : 0.0f;
            turned[j * ROWS_OF_A_GROUP + k] = weight;
        }
    }
}

/* The rows of a tile: which lanes have one, the first of them, the largest bound. */
struct rows_of_tile {
    uint64_t valid;
    int64_t rows[LANES];
    float bound;
};

static int64_t read_tile(const struct places *places, int64_t tile, int64_t start,
                         struct rows_of_tile *rows)
{
    rows->valid = 0;
    rows->bound = 0.0f;
    for (; start < places->n_rows && places->positions[start] / LANES == tile; start++) {
        int64_t lane = places->positions[start] % LANES;
        rows->rows[lane] = start;
        rows->valid |= (uint64_t)1 << lane;
        if (places->row_bounds[start] > rows->bound)
            rows->bound = places->row_bounds[start];
    }
    return start;
}

static int signs_in_planes(const float *tiles, const float *directions,
                           int64_t n_features, const struct offsets *offsets,
                           const struct places *places, const struct codes *planes,
                           struct doubts *doubts)
{
    const int64_t n_planes = 64 * planes->n_words, n_hyperplanes = offsets->n_hyperplanes;
    const int64_t n_groups = (n_planes + ROWS_OF_A_GROUP - 1) / ROWS_OF_A_GROUP;
    const int64_t n_turned = n_features * ROWS_OF_A_GROUP;
    struct group_of_hyperplanes *groups = malloc((size_t)n_groups * sizeof *groups);
    float *turned = malloc((size_t)(n_groups * n_turned + 1) * sizeof(float));
    int failed = groups == NULL || turned == NULL;
    for (int64_t g = 0; g < n_groups && !failed; g++)
        read_hyperplanes(offsets, directions, n_features, g * ROWS_OF_A_GROUP, groups + g,
                         turned + g * n_turned);
    int64_t start = 0;
    for (int64_t tile = 0; tile < planes->n_tiles && !failed; tile++) {
        struct rows_of_tile rows;
        start = read_tile(places, tile, start, &rows);
        uint64_t *words = planes->words + tile % TILES_OF_A_GROUP
            + tile / TILES_OF_A_GROUP * n_planes * TILES_OF_A_GROUP;
        for (int64_t g = 0; g < n_groups && !failed; g++) {
            uint64_t positive[ROWS_OF_A_GROUP], certain[ROWS_OF_A_GROUP];
            float thresholds[ROWS_OF_A_GROUP];
            for (int k = 0; k < ROWS_OF_A_GROUP; k++) {
                thresholds[k] = rows.bound * groups[g].column_bounds[k];
                thresholds[k] = thresholds[k] + groups[g].offset_bounds[k];
            }
            signs_of_tile(tiles + tile * n_features * LANES, turned + g * n_turned,
                          n_features, groups[g].offsets, thresholds, positive, certain);
            for (int k = 0; k < ROWS_OF_A_GROUP; k++) {
                int64_t h = g * ROWS_OF_A_GROUP + k;
                if (h >= n_planes)
                    break;
                words[h * TILES_OF_A_GROUP] = positive[k] | ~rows.valid;
                uint64_t doubtful = ~certain[k] & rows.valid;
                if (!doubtful || !(thresholds[k] > 0) || h >= n_hyperplanes)
                    continue;
                for (; doubtful; doubtful &= doubtful - 1)
                    failed |= add_doubt(doubts, rows.rows[lowest_bit(doubtful)], h);
            }
        }
    }
    free(groups);
    free(turned);
    return failed ? -1 : 0;
}
