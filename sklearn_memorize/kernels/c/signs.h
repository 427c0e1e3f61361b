/* Signs of products of rows with hyperplanes, packed into bits.
 *
 * Products of six rows with some hyperplanes stay in registers, and only the
 * signs, and which of them are in doubt, are stored. Rows of few features are turned
 * round: 64 of them lie side by side, some hyperplanes take the place of the rows, and
 * the bits are words of planes.
 */
#include <stdlib.h>

/* A panel is 64 hyperplanes wide, of which so many are in registers at a time. */
#define PANEL 64
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

/* The offsets of a panel and their bounds; zeros beyond the last one, in the room. */
static struct offsets panel_of_offsets(const struct offsets *offsets, int64_t first,
                                       float (*room)[PANEL])
{
    int64_t n = offsets->n_hyperplanes - first;
    struct offsets panel = {offsets->offsets + first, offsets->column_bounds + first,
                            offsets->offset_bounds + first, n < PANEL ? n : PANEL};
    if (n >= PANEL)
        return panel;
    size_t size = (size_t)n * sizeof(float);
    memset(room, 0, 3 * sizeof *room);
    panel.offsets = memcpy(room[0], panel.offsets, size);
    panel.column_bounds = memcpy(room[1], panel.column_bounds, size);
    panel.offset_bounds = memcpy(room[2], panel.offset_bounds, size);
    return panel;
}

/* Signs of a row: the bits [p + o > 0] and [not |p + o| > r c + b]. */
struct signs {
    uint64_t positive, doubtful;
};

/* Set the bits of some vectors of products, from number `first` of the panel on. */
INLINE void set_signs(struct signs *signs, const floats_t *products, int first,
                      float row_bound, const struct offsets *panel)
{
    uint64_t positive[VECTORS_TOGETHER], certain[VECTORS_TOGETHER];
    UNROLL
    for (int v = 0; v < VECTORS_TOGETHER; v++) {
        int k = first + v * FLOATS;
        floats_t value = products[v] + load_floats(panel->offsets + k);
        floats_t bound
            = spread_float(row_bound) * load_floats(panel->column_bounds + k);
        bound = bound + load_floats(panel->offset_bounds + k);
        positive[v] = bits_above(value, spread_float(0.0f));
        certain[v] = bits_above(magnitudes_of(value), bound);
    }
    const uint64_t all = ~(uint64_t)0 >> (64 - FLOATS_TOGETHER);
    signs->positive |= bits_of_vectors(positive, VECTORS_TOGETHER) << first;
    signs->doubtful |= (bits_of_vectors(certain, VECTORS_TOGETHER) ^ all) << first;
}

/* Store a word of the code of row i, that of the hyperplanes from `first` on of the
 * offsets; list what is in doubt of it. */
static int store_signs(struct signs *signs, int64_t i, int64_t word, int64_t first,
                       const struct offsets *offsets, const struct places *places,
                       const struct codes *codes, struct doubts *doubts)
{
    const int64_t tile = places->positions[i] / LANES;
    const int64_t lane = places->positions[i] % LANES;
    const int64_t n = offsets->n_hyperplanes - first;
    codes->words[(tile * codes->n_words + word) * LANES + lane] = signs->positive;
    if (n < 64)
        signs->doubtful &= ((uint64_t)1 << n) - 1;
    if (signs->doubtful == 0)
        return 0;
    return add_doubts(doubts, signs->doubtful, i, first, places->row_bounds[i],
                      offsets);
}

static int pack_signs(const float *products, const struct offsets *offsets,
                      const struct places *places, int64_t first_word,
                      const struct codes *codes, struct doubts *doubts)
{
    const int64_t n_columns = offsets->n_hyperplanes;
    float room[3][PANEL], rest[PANEL] = {0};
    for (int64_t i = 0; i < places->n_rows; i++) {
        for (int64_t first = 0; first < n_columns; first += PANEL) {
            const struct offsets panel = panel_of_offsets(offsets, first, room);
            const float *row = products + i * n_columns + first;
            struct signs signs = {0};
            if (panel.n_hyperplanes < PANEL)
                row = memcpy(rest, row, (size_t)panel.n_hyperplanes * sizeof(float));
            for (int k = 0; k < PANEL; k += FLOATS_TOGETHER) {
                floats_t values[VECTORS_TOGETHER];
                UNROLL
                for (int v = 0; v < VECTORS_TOGETHER; v++)
                    values[v] = load_floats(row + k + v * FLOATS);
                set_signs(&signs, values, k, places->row_bounds[i], &panel);
            }
            if (store_signs(&signs, i, first_word + first / 64, first, offsets, places,
                            codes, doubts))
                return -1;
        }
    }
    return 0;
}

/* Products ------------------------------------------------------------------------ */

/* What stays in registers. */
typedef floats_t sums_t[ROWS_OF_A_GROUP][VECTORS_TOGETHER];

/* Add products of some rows with hyperplanes, so many vectors of them.
 *
 * The rows have `values[place][stride]` in the columns `columns[place]` (or `place`
 * itself), and the hyperplanes `panel[column][width]`. */
INLINE void add_products(sums_t sums, const int n_rows, const int stride,
                         const int n_vectors, const int32_t *columns,
                         const float *values, int64_t n_places, const float *panel,
                         const int width)
{
    for (int64_t place = 0; place < n_places; place++) {
        const float *start = panel + width * (columns == NULL ? place : columns[place]);
        floats_t weights[VECTORS_TOGETHER];
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            weights[v] = load_floats(start + v * FLOATS);
        UNROLL
        for (int k = 0; k < n_rows; k++) {
            floats_t value = spread_float(values[place * stride + k]);
            UNROLL
            for (int v = 0; v < n_vectors; v++)
                sums[k][v] = multiply_add(value, weights[v], sums[k][v]);
        }
    }
}

/* Store the products: sums over parts of the places, which are then added. */
INLINE void products_of(sums_t totals, const int n_rows, const int stride,
                        const int n_vectors, const int32_t *columns,
                        const float *values, int64_t n_places, const float *panel,
                        const int width, const int64_t most_of_part)
{
    for (int64_t start = 0; start == 0 || start < n_places; start += most_of_part) {
        const int64_t left = n_places - start;
        const int64_t n = left < most_of_part ? left : most_of_part;
        sums_t sums;
        UNROLL
        for (int k = 0; k < n_rows; k++) {
            UNROLL
            for (int v = 0; v < n_vectors; v++)
                sums[k][v] = spread_float(0.0f);
        }
        if (columns == NULL)
            add_products(sums, n_rows, stride, n_vectors, NULL, values + start * stride,
                         n, panel + width * start, width);
        else
            add_products(sums, n_rows, stride, n_vectors, columns + start,
                         values + start * stride, n, panel, width);
        UNROLL
        for (int k = 0; k < n_rows; k++) {
            UNROLL
            for (int v = 0; v < n_vectors; v++)
                totals[k][v] = start ? totals[k][v] + sums[k][v] : sums[k][v];
        }
    }
}

/* The signs of a group of rows, of which `n_rows` are there, with a panel. */
INLINE void signs_of_group(struct signs *signs, const int n_rows,
                           const int32_t *columns, const float *values,
                           int64_t n_places, const float *weights, int64_t n_columns,
                           const struct offsets *panel, const float *row_bounds)
{
    memset(signs, 0, ROWS_OF_A_GROUP * sizeof *signs);
    for (int first = 0; first < PANEL; first += FLOATS_TOGETHER) {
        sums_t products;
        products_of(products, n_rows, ROWS_OF_A_GROUP, VECTORS_TOGETHER, columns,
                    values, n_places, weights + first * n_columns, FLOATS_TOGETHER,
                    TERMS_OF_A_PART);
        UNROLL
        for (int k = 0; k < n_rows; k++)
            set_signs(signs + k, products[k], first, row_bounds[k], panel);
    }
}

/* Transpose the directions of a panel, and zeros beyond the last one, for the features
 * that are listed, or all. What is in registers together lies together:
 * `panel[part][feature][FLOATS_TOGETHER]`. */
static void fill_panel(const float *directions, int64_t n_features,
                       int64_t n_directions, const int32_t *features, int64_t n_listed,
                       float *panel)
{
    enum { BLOCK = 16 };
    if (n_directions < PANEL)
        memset(panel, 0, (size_t)n_listed * PANEL * sizeof(float));
    for (int64_t first = 0; first < n_listed; first += BLOCK) {
        int64_t n = n_listed - first < BLOCK ? n_listed - first : BLOCK;
        for (int64_t k = 0; k < n_directions; k++) {
            const float *direction = directions + k * n_features;
            float *column = panel + k / FLOATS_TOGETHER * n_listed * FLOATS_TOGETHER
                            + first * FLOATS_TOGETHER + k % FLOATS_TOGETHER;
            if (features != NULL) {
                for (int64_t j = 0; j < n; j++)
                    column[FLOATS_TOGETHER * j] = direction[features[first + j]];
            } else if (n == BLOCK) {
                UNROLL
                for (int64_t j = 0; j < BLOCK; j++)
                    column[FLOATS_TOGETHER * j] = direction[first + j];
            } else {
                for (int64_t j = 0; j < n; j++)
                    column[FLOATS_TOGETHER * j] = direction[first + j];
            }
        }
    }
}

/* Return room that starts where a cache line does; free `*start`. */
static void *aligned_room(size_t size, void **start)
{
    *start = malloc(size + 64);
    if (*start == NULL)
        return NULL;
    return (void *)(((uintptr_t)*start + 63) & ~(uintptr_t)63);
}

static int pack_signs_of_rows(const struct packed_rows *packed, const float *directions,
                              int64_t n_features, const struct offsets *offsets,
                              const struct places *places, const struct codes *codes,
                              struct doubts *doubts)
{
    const int64_t n_rows = packed->n_rows;
    /* A single group needs the columns of its own only. */
    const int is_alone = 0 < n_rows && n_rows <= ROWS_OF_A_GROUP;
    const int64_t n_columns = is_alone ? packed->starts[1] : n_features;
    void *room;
    float *weights
        = aligned_room((size_t)(n_columns + 1) * PANEL * sizeof(float), &room);
    int failed = weights == NULL;
    for (int64_t first = 0; first < offsets->n_hyperplanes && !failed; first += PANEL) {
        float offsets_room[3][PANEL];
        const struct offsets panel = panel_of_offsets(offsets, first, offsets_room);
        fill_panel(directions + first * n_features, n_features, panel.n_hyperplanes,
                   is_alone ? packed->columns : NULL, n_columns, weights);
        for (int64_t i = 0; i < n_rows && !failed; i += ROWS_OF_A_GROUP) {
            struct signs signs[ROWS_OF_A_GROUP];
            float bounds[ROWS_OF_A_GROUP] = {0};
            const int64_t n
                = n_rows - i < ROWS_OF_A_GROUP ? n_rows - i : ROWS_OF_A_GROUP;
            const int64_t start = packed->starts[i / ROWS_OF_A_GROUP];
            const int64_t n_places = packed->starts[i / ROWS_OF_A_GROUP + 1] - start;
            const float *values = packed->values + start * ROWS_OF_A_GROUP;
            for (int64_t k = 0; k < n; k++)
                bounds[k] = places->row_bounds[packed->order[i + k]];
            if (is_alone && n == 1)
                signs_of_group(signs, 1, NULL, values, n_places, weights, n_columns,
                               &panel, bounds);
            else if (is_alone)
                signs_of_group(signs, ROWS_OF_A_GROUP, NULL, values, n_places, weights,
                               n_columns, &panel, bounds);
            else
                signs_of_group(signs, ROWS_OF_A_GROUP, packed->columns + start, values,
                               n_places, weights, n_columns, &panel, bounds);
            for (int64_t k = 0; k < n; k++)
                failed |= store_signs(signs + k, packed->order[i + k], first / 64,
                                      first, offsets, places, codes, doubts);
        }
    }
    free(room);
    return failed ? -1 : 0;
}

/* Rows of few features ------------------------------------------------------------ */

/* So many hyperplanes at a time have the place of rows here. */
#define HYPERPLANES_TOGETHER ROWS_OF_A_GROUP

/* The bits [p + o > t] and [|p + o| > t] of the 64 rows of a tile and some hyperplanes.
 */
INLINE void signs_of_tile(const float *tile, const float *directions,
                          int64_t n_features, const float *offsets,
                          const float *thresholds, uint64_t *positive,
                          uint64_t *certain)
{
    for (int k = 0; k < HYPERPLANES_TOGETHER; k++)
        positive[k] = certain[k] = 0;
    for (int first = 0; first < LANES; first += VECTORS_TOGETHER * FLOATS) {
        sums_t products;
        products_of(products, HYPERPLANES_TOGETHER, HYPERPLANES_TOGETHER,
                    VECTORS_TOGETHER, NULL, directions, n_features, tile + first,
                    LANES, TERMS_OF_A_PART);
        UNROLL
        for (int k = 0; k < HYPERPLANES_TOGETHER; k++) {
            const floats_t threshold = spread_float(thresholds[k]);
            uint64_t above[VECTORS_TOGETHER], below[VECTORS_TOGETHER];
            UNROLL
            for (int v = 0; v < VECTORS_TOGETHER; v++) {
                floats_t value = products[k][v] + spread_float(offsets[k]);
                above[v] = bits_above(value, threshold);
                below[v] = bits_above(-threshold, value);
            }
            uint64_t bits = bits_of_vectors(above, VECTORS_TOGETHER) << first;
            positive[k] |= bits;
            certain[k] |= bits | bits_of_vectors(below, VECTORS_TOGETHER) << first;
        }
    }
}

/* Some hyperplanes, turned round: `turned[feature][number]`; zeros beyond the last. */
struct group_of_hyperplanes {
    float offsets[HYPERPLANES_TOGETHER], column_bounds[HYPERPLANES_TOGETHER];
    float offset_bounds[HYPERPLANES_TOGETHER];
};

static void read_hyperplanes(const struct offsets *offsets, const float *directions,
                             int64_t n_features, int64_t first,
                             struct group_of_hyperplanes *group, float *turned)
{
    memset(group, 0, sizeof *group);
    for (int k = 0; k < HYPERPLANES_TOGETHER; k++) {
        int64_t h = first + k;
        int is_there = h < offsets->n_hyperplanes;
        if (is_there) {
            group->offsets[k] = offsets->offsets[h];
            group->column_bounds[k] = offsets->column_bounds[h];
            group->offset_bounds[k] = offsets->offset_bounds[h];
        }
        for (int64_t j = 0; j < n_features; j++) {
            float weight = is_there ? directions[h * n_features + j] : 0.0f;
            turned[j * HYPERPLANES_TOGETHER + k] = weight;
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
    for (; start < places->n_rows && places->positions[start] / LANES == tile;
         start++) {
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
    const int64_t n_planes = 64 * planes->n_words,
                  n_hyperplanes = offsets->n_hyperplanes;
    const int64_t n_groups
        = (n_planes + HYPERPLANES_TOGETHER - 1) / HYPERPLANES_TOGETHER;
    const int64_t n_turned = n_features * HYPERPLANES_TOGETHER;
    struct group_of_hyperplanes *groups = malloc((size_t)n_groups * sizeof *groups);
    float *turned = malloc((size_t)(n_groups * n_turned + 1) * sizeof(float));
    int failed = groups == NULL || turned == NULL;
    for (int64_t g = 0; g < n_groups && !failed; g++)
        read_hyperplanes(offsets, directions, n_features, g * HYPERPLANES_TOGETHER,
                         groups + g, turned + g * n_turned);
    int64_t start = 0;
    for (int64_t tile = 0; tile < planes->n_tiles && !failed; tile++) {
        struct rows_of_tile rows;
        start = read_tile(places, tile, start, &rows);
        uint64_t *words = planes->words + tile % TILES_OF_A_GROUP
                          + tile / TILES_OF_A_GROUP * n_planes * TILES_OF_A_GROUP;
        for (int64_t g = 0; g < n_groups && !failed; g++) {
            uint64_t positive[HYPERPLANES_TOGETHER], certain[HYPERPLANES_TOGETHER];
            float thresholds[HYPERPLANES_TOGETHER];
            for (int k = 0; k < HYPERPLANES_TOGETHER; k++) {
                thresholds[k] = rows.bound * groups[g].column_bounds[k];
                thresholds[k] = thresholds[k] + groups[g].offset_bounds[k];
            }
            signs_of_tile(tiles + tile * n_features * LANES, turned + g * n_turned,
                          n_features, groups[g].offsets, thresholds, positive, certain);
            for (int k = 0; k < HYPERPLANES_TOGETHER; k++) {
                int64_t h = g * HYPERPLANES_TOGETHER + k;
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
