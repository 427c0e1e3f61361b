/* Outputs of ReLU units: products of rows with hyperplanes, rounded up to integers.
 *
 * As in signs.h, products of six rows with some hyperplanes stay in registers, here in
 * double precision. The ceiling of a product is certain unless it is as near to an
 * integer as the rounding errors reach.
 */
#include <stdlib.h>

/* So many hyperplanes make a panel; all of it is in registers. */
#define NARROW_PANEL (VECTORS_TOGETHER * DOUBLES)

/* Products of a group of rows with the hyperplanes of a panel. The rows have
 * `values[place][6]` in the columns `columns[place]`, and the panel
 * `panel[column][NARROW_PANEL]`. */
INLINE void products_in_double(const int32_t *columns, const double *values,
                               int64_t n_places, const double *panel,
                               double (*products)[NARROW_PANEL])
{
    doubles_t sums[ROWS_OF_A_GROUP][VECTORS_TOGETHER];
    UNROLL
    for (int k = 0; k < ROWS_OF_A_GROUP; k++) {
        UNROLL
        for (int v = 0; v < VECTORS_TOGETHER; v++)
            sums[k][v] = spread_double(0.0);
    }
    for (int64_t place = 0; place < n_places; place++) {
        const double *start = panel + (size_t)columns[place] * NARROW_PANEL;
        doubles_t weights[VECTORS_TOGETHER];
        UNROLL
        for (int v = 0; v < VECTORS_TOGETHER; v++)
            weights[v] = load_doubles(start + v * DOUBLES);
        UNROLL
        for (int k = 0; k < ROWS_OF_A_GROUP; k++) {
            doubles_t value = spread_double(values[place * ROWS_OF_A_GROUP + k]);
            UNROLL
            for (int v = 0; v < VECTORS_TOGETHER; v++)
                sums[k][v] = multiply_add_doubles(value, weights[v], sums[k][v]);
        }
    }
    memcpy(products, sums, sizeof sums);
}

/* The integers that stand for products and biases, 0 .. cap, and which are in doubt:
 * these are the nearest ones, -1 .. cap, to be decided elsewhere. */
static void round_up(const double *products, const double *biases,
                     const double *column_bounds, const double *offset_bounds,
                     double size, double relative, double cap, double *ceilings,
                     uint8_t *doubtful)
{
    for (int k = 0; k < NARROW_PANEL; k++) {
        const double value = products[k] + biases[k];
        const double bound = size * column_bounds[k] + relative * fabs(biases[k])
                             + offset_bounds[k];
        double within = value > -1.0 ? value : -1.0; /* also where it is no number */
        within = within < cap ? within : cap;
        const double nearest = rint(within), above = ceil(within);
        const int certain = (fabs(value - nearest) > bound) | (value + bound <= 0.0)
                            | (value - bound >= cap);
        ceilings[k] = certain ? (above > 0.0 ? above : 0.0) : nearest;
        doubtful[k] = (uint8_t)!certain;
    }
}

/* Read groups of rows in the columns that they use, `values[place][6]`. */
static int read_groups(const struct matrix *X, const int64_t *rows,
                       const struct packed_rows *packed,
                       const struct preparation *preparation, double *values)
{
    const double first = preparation->first, second = preparation->second;
    const int64_t n_groups = (packed->n_rows + ROWS_OF_A_GROUP - 1) / ROWS_OF_A_GROUP;
    double *row = room_for_doubles(X->n_columns);
    if (row == NULL)
        return -1;
    memset(values, 0,
           (size_t)packed->starts[n_groups] * ROWS_OF_A_GROUP * sizeof *values);
    for (int64_t i = 0; i < packed->n_rows; i++) {
        const int64_t g = i / ROWS_OF_A_GROUP, k = i % ROWS_OF_A_GROUP;
        read_row(X, rows[packed->order[i]], row);
        for (int64_t place = packed->starts[g]; place < packed->starts[g + 1];
             place++) {
            const int32_t j = packed->columns[place];
            const double shift = preparation->shift ? preparation->shift[j] : 0.0;
            values[place * ROWS_OF_A_GROUP + k] = (row[j] - shift) * first * second;
        }
    }
    free(row);
    return 0;
}

/* The directions and biases of a panel, turned round; zeros beyond the last one. */
struct narrow_panel {
    double *weights;
    double biases[NARROW_PANEL], column_bounds[NARROW_PANEL];
    double offset_bounds[NARROW_PANEL];
    int64_t first, n;
};

static void fill_narrow_panel(struct narrow_panel *panel, const float *directions,
                              int64_t n_features, const struct output_offsets *offsets)
{
    enum { BLOCK = 16 };
    panel->n = offsets->n_hyperplanes - panel->first;
    panel->n = panel->n < NARROW_PANEL ? panel->n : NARROW_PANEL;
    for (int k = 0; k < NARROW_PANEL; k++) {
        const int is_there = k < panel->n;
        panel->biases[k] = is_there ? offsets->biases[panel->first + k] : 0.0;
        panel->column_bounds[k]
            = is_there ? offsets->column_bounds[panel->first + k] : 0.0;
        panel->offset_bounds[k]
            = is_there ? offsets->offset_bounds[panel->first + k] : 0.0;
    }
    for (int64_t first = 0; first < n_features; first += BLOCK) {
        const int64_t stop = n_features - first < BLOCK ? n_features : first + BLOCK;
        for (int k = 0; k < NARROW_PANEL; k++) {
            const float *direction = directions + (panel->first + k) * n_features;
            for (int64_t j = first; j < stop; j++)
                panel->weights[j * NARROW_PANEL + k]
                    = k < panel->n ? (double)direction[j] : 0.0;
        }
    }
}

/* Write the outputs of a group of rows and a panel. */
static int write_group(const struct packed_rows *packed, int64_t g,
                       const double *values, const struct narrow_panel *panel,
                       const struct rows_to_write *to_write, struct doubts *doubts)
{
    double products[ROWS_OF_A_GROUP][NARROW_PANEL];
    const int64_t start = packed->starts[g];
    products_in_double(packed->columns + start, values + start * ROWS_OF_A_GROUP,
                       packed->starts[g + 1] - start, panel->weights, products);
    for (int k = 0; k < ROWS_OF_A_GROUP; k++) {
        const int64_t place = g * ROWS_OF_A_GROUP + k;
        double ceilings[NARROW_PANEL];
        uint8_t doubtful[NARROW_PANEL];
        if (place >= packed->n_rows)
            break;
        const int64_t i = packed->order[place];
        round_up(products[k], panel->biases, panel->column_bounds, panel->offset_bounds,
                 to_write->sizes[i], to_write->relatives[i], to_write->cap, ceilings,
                 doubtful);
        double *row = to_write->values + to_write->positions[i] * to_write->n_columns;
        memcpy(row + panel->first, ceilings, (size_t)panel->n * sizeof(double));
        for (int64_t j = 0; j < panel->n; j++)
            if (doubtful[j] && add_doubt(doubts, i, panel->first + j))
                return -1;
    }
    return 0;
}

static int ceilings_of_rows(const struct packed_rows *packed, const double *values,
                            const float *directions, int64_t n_features,
                            const struct output_offsets *offsets,
                            const struct rows_to_write *to_write, struct doubts *doubts)
{
    const int64_t n_groups = (packed->n_rows + ROWS_OF_A_GROUP - 1) / ROWS_OF_A_GROUP;
    void *room;
    struct narrow_panel panel = {.first = 0};
    panel.weights = aligned_room(
        (size_t)(n_features + 1) * NARROW_PANEL * sizeof(double), &room);
    int failed = panel.weights == NULL;
    for (; panel.first < offsets->n_hyperplanes && !failed;
         panel.first += NARROW_PANEL) {
        fill_narrow_panel(&panel, directions, n_features, offsets);
        for (int64_t g = 0; g < n_groups && !failed; g++)
            failed = write_group(packed, g, values, &panel, to_write, doubts);
    }
    free(room);
    return failed ? -1 : 0;
}
