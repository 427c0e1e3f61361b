/* Margins of ReLU units up to a rounding error, which says who wins nearly always.
 *
 * Products of rows with hyperplanes are computed in single precision, as for signs. With
 * bounds on their errors they become the small integers h of outputs.h: an output v of a
 * row is known to lie between two numbers, and so is v / unit - h. What adds up of these
 * is the same for all neurons of a sample: no margin needs to be computed exactly to say
 * how far off it may be.
 */
#include <stdlib.h>

/* So many sums are kept side by side, whatever the length of a vector is. */
#define SUMS_TOGETHER 16
/* Errors of the bounds are less than this part of them. */
#define SLACK_OF_BOUNDS 0x1p-20f
/* Sums of many floats are off by less than this part of them. */
#define SLACK_OF_SUMS 0x1p-10f
/* A few roundings of all outputs of a row, in units, are less than this: a sum of 65000
 * with relative errors of 2**-24. */
#define ROUNDINGS_OF_ROW 0x1p-5f

/* Write products and offsets of rows, `sums[position][stride]`. */
static int sums_of_rows(const struct packed_rows *packed, const float *directions,
                        int64_t n_features, const struct offsets *offsets,
                        const int64_t *positions, int64_t stride, float *sums)
{
    void *room;
    float *weights
        = aligned_room((size_t)(n_features + 1) * PANEL * sizeof(float), &room);
    if (weights == NULL)
        return -1;
    for (int64_t first = 0; first < offsets->n_hyperplanes; first += PANEL) {
        float offsets_room[3][PANEL];
        const struct offsets panel = panel_of_offsets(offsets, first, offsets_room);
        fill_panel(directions + first * n_features, n_features, panel.n_hyperplanes,
                   NULL, n_features, weights);
        for (int64_t i = 0; i < packed->n_rows; i += ROWS_OF_A_GROUP) {
            const int64_t start = packed->starts[i / ROWS_OF_A_GROUP],
                          n_places = packed->starts[i / ROWS_OF_A_GROUP + 1] - start;
            for (int part = 0; part < PANEL; part += FLOATS_TOGETHER) {
                sums_t products;
                products_of(products, ROWS_OF_A_GROUP, ROWS_OF_A_GROUP,
                            VECTORS_TOGETHER, packed->columns + start,
                            packed->values + start * ROWS_OF_A_GROUP, n_places,
                            weights + part * n_features, FLOATS_TOGETHER,
                            TERMS_OF_A_ROUNDED_PART);
                UNROLL
                for (int k = 0; k < ROWS_OF_A_GROUP; k++) {
                    if (i + k >= packed->n_rows)
                        break;
                    float *row
                        = sums + positions[packed->order[i + k]] * stride + first;
                    UNROLL
                    for (int v = 0; v < VECTORS_TOGETHER; v++) {
                        const int j = part + v * FLOATS;
                        store_floats(row + j,
                                     products[k][v] + load_floats(panel.offsets + j));
                    }
                }
            }
        }
    }
    free(room);
    return 0;
}

/* Sums side by side. */
typedef floats_t side_by_side_t[SUMS_TOGETHER / FLOATS];

static float total_of(const floats_t *sums)
{
    float parts[SUMS_TOGETHER];
    memcpy(parts, sums, sizeof parts);
    for (int step = SUMS_TOGETHER / 2; step; step /= 2)
        for (int k = 0; k < step; k++)
            parts[k] += parts[k + step];
    return parts[0];
}

static float largest_of(const floats_t *numbers)
{
    float parts[SUMS_TOGETHER], largest = 0.0f;
    memcpy(parts, numbers, sizeof parts);
    for (int k = 0; k < SUMS_TOGETHER; k++)
        largest = parts[k] > largest ? parts[k] : largest;
    return largest;
}

/* A row: sums of `stride` hyperplanes, of which `n` are there; the others say 0. */
struct row_of_sums {
    const float *sums, *column_bounds, *offset_bounds;
    float bound;
    int64_t n, stride;
};

INLINE floats_t bounds_of_sums(const struct row_of_sums *row, int64_t j)
{
    const floats_t bounds
        = spread_float(row->bound) * load_floats(row->column_bounds + j)
          + load_floats(row->offset_bounds + j);
    return bounds * spread_float(1.0f + SLACK_OF_BOUNDS);
}

/* The unit of a row: all positive outputs add up to MOST_SMALL of it, or less. It is 0
 * where outputs may be at the cap, or not be numbers. */
static float unit_of_row(const struct row_of_sums *row, double scale, double cap)
{
    const floats_t zero = spread_float(0.0f);
    side_by_side_t positive, sizes, largest;
    for (int v = 0; v < SUMS_TOGETHER / FLOATS; v++)
        positive[v] = sizes[v] = largest[v] = zero;
    for (int64_t j = 0; j < row->stride; j += SUMS_TOGETHER) {
        UNROLL
        for (int v = 0; v < SUMS_TOGETHER / FLOATS; v++) {
            const floats_t sum = load_floats(row->sums + j + v * FLOATS);
            const floats_t size
                = magnitudes_of(sum) + bounds_of_sums(row, j + v * FLOATS);
            positive[v] += larger_floats(sum, zero);
            sizes[v] += size;
            largest[v] = larger_floats(size, largest[v]);
        }
    }
    const double most = (double)largest_of(largest) * scale;
    if (!isfinite(total_of(sizes)) || !(most * (1.0 + 0x1p-20) + 2.0 < cap))
        return 0.0f;
    const float unit = (float)((double)total_of(positive) * scale * (1.0 + 0x1p-10)
                               / MOST_SMALL);
    return unit > 1.0f ? unit : 1.0f;
}

/* Write the small integers of a row in some unit, and what they leave open. An output
 * is a sum within its bound, times `factor` = scale / unit, and `inverse` = 1 / unit at
 * the most for rounding up. Returns the sum of all integers. */
static float round_row(const struct row_of_sums *row, float factor, float inverse,
                       uint16_t *small, float *below, float *above)
{
    const floats_t zero = spread_float(0.0f), to_integer = spread_float(0x1p23f),
                   times = spread_float(factor);
    side_by_side_t integers, under, over;
    for (int v = 0; v < SUMS_TOGETHER / FLOATS; v++)
        integers[v] = under[v] = over[v] = zero;
    for (int64_t j = 0; j < row->stride; j += SUMS_TOGETHER) {
        UNROLL
        for (int v = 0; v < SUMS_TOGETHER / FLOATS; v++) {
            const int64_t k = j + v * FLOATS;
            const floats_t sum = load_floats(row->sums + k) * times;
            const floats_t bound = bounds_of_sums(row, k) * times;
            const floats_t integer
                = (larger_floats(sum, zero) + to_integer) - to_integer;
            const floats_t rest = sum - integer;
            /* No output is negative. */
            under[v] += smaller_floats(larger_floats(bound - rest, zero), integer);
            over[v] += larger_floats(bound + rest, zero);
            integers[v] += integer;
            store_as_shorts(small + k, integer);
        }
    }
    const float roundings = ROUNDINGS_OF_ROW + (float)row->n * SLACK_OF_BOUNDS;
    *below = total_of(under) * (1.0f + SLACK_OF_SUMS) + roundings;
    *above = total_of(over) * (1.0f + SLACK_OF_SUMS) + roundings
             + (float)row->n * inverse;
    return total_of(integers);
}

/* Round the sums of the rows of a tile, which have lanes where `row_bounds` are not
 * negative; `room[lane][stride]` is for their integers. */
static void round_sums_of_tile(const float *sums, const float *row_bounds,
                               struct row_of_sums row, double scale, double cap,
                               uint16_t *room, uint16_t *small, float *units,
                               float *below, float *above)
{
    enum { BLOCK = 32 };
    for (int lane = 0; lane < LANES; lane++) {
        uint16_t *integers = room + lane * row.stride;
        row.sums = sums + lane * row.stride;
        row.bound = row_bounds[lane];
        float unit = row.bound >= 0.0f ? unit_of_row(&row, scale, cap) : 0.0f;
        if (unit == 0.0f) {
            memset(integers, 0, (size_t)row.stride * sizeof *integers);
            units[lane] = 1.0f;
            below[lane] = above[lane] = INFINITY;
            continue;
        }
        while (round_row(&row, (float)(scale / unit), 1.0f / unit, integers,
                         below + lane, above + lane)
               > MOST_SMALL)
            unit *= 1.125f;
        units[lane] = unit;
    }
    for (int64_t first = 0; first < row.n; first += BLOCK) {
        const int64_t stop = row.n - first < BLOCK ? row.n : first + BLOCK;
        for (int lane = 0; lane < LANES; lane++)
            for (int64_t j = first; j < stop; j++)
                small[j * LANES + lane] = room[lane * row.stride + j];
    }
}

/* The kernels --------------------------------------------------------------------- */

static int round_outputs_of_rows(const struct packed_rows *packed,
                                 const float *directions, int64_t n_features,
                                 const struct offsets *offsets,
                                 const struct places *places,
                                 const struct rounded_outputs *rounded)
{
    const int64_t n = offsets->n_hyperplanes, n_lanes = rounded->n_tiles * LANES,
                  stride = (n + PANEL - 1) / PANEL * PANEL;
    const size_t n_bounds = (size_t)(2 * stride + n_lanes);
    void *start_of_sums;
    float *sums
        = aligned_room((size_t)(n_lanes * stride) * sizeof(float), &start_of_sums);
    float *bounds = calloc(n_bounds + 1, sizeof *bounds);
    uint16_t *integers = malloc((size_t)(LANES * stride + 1) * sizeof *integers);
    int failed = sums == NULL || bounds == NULL || integers == NULL
                 || sums_of_rows(packed, directions, n_features, offsets,
                                 places->positions, stride, sums);
    if (!failed) {
        float *row_bounds = bounds + 2 * stride;
        const struct row_of_sums row
            = {NULL, bounds, bounds + stride, 0.0f, n, stride};
        memcpy(bounds, offsets->column_bounds, (size_t)n * sizeof *bounds);
        memcpy(bounds + stride, offsets->offset_bounds, (size_t)n * sizeof *bounds);
        for (int64_t lane = 0; lane < n_lanes; lane++)
            row_bounds[lane] = -1.0f;
        for (int64_t i = 0; i < places->n_rows; i++)
            row_bounds[places->positions[i]] = places->row_bounds[i];
        for (int64_t lane = 0; lane < n_lanes; lane += LANES)
            round_sums_of_tile(sums + lane * stride, row_bounds + lane, row,
                               rounded->scale, rounded->cap, integers,
                               rounded->small + lane * n, rounded->units + lane,
                               rounded->below + lane, rounded->above + lane);
    }
    free(start_of_sums);
    free(bounds);
    free(integers);
    return failed ? -1 : 0;
}

/* The largest rounded margins of the classes, `largest[class][n_kept][lane]`, in order,
 * and which of the sums may still be among them. */
struct rounded_race {
    float *largest;
    struct lines *lines;
    int64_t n_kept, n_classes;
    int32_t classes[NEURONS_TOGETHER];
};

static int new_rounded_race(struct rounded_race *race, int64_t n_kept,
                            int64_t n_classes)
{
    race->n_kept = n_kept;
    race->n_classes = n_classes;
    race->largest
        = malloc((size_t)(n_classes * n_kept * LANES + 1) * sizeof *race->largest);
    race->lines = malloc((size_t)(n_classes + 1) * sizeof *race->lines);
    return race->largest && race->lines ? 0 : -1;
}

static float *largest_of_class(const struct rounded_race *race, int64_t number)
{
    return race->largest + number * race->n_kept * LANES;
}

/* What is to be reached in a class, of `width` neurons: the last margin that counts. */
static void set_least_of_class(struct rounded_race *race, int64_t number, int64_t width)
{
    const int64_t n_kept = race->n_kept < width ? race->n_kept : width;
    if (n_kept > 0)
        set_least(race->lines + number,
                  largest_of_class(race, number) + (n_kept - 1) * LANES);
}

static void start_rounded_race(struct rounded_race *race,
                               const struct tile_of_outputs *tile,
                               const struct classes *classes, uint64_t lanes)
{
    for (int64_t k = 0; k < race->n_classes * race->n_kept * LANES; k++)
        race->largest[k] = -INFINITY;
    for (int64_t number = 0; number < race->n_classes; number++) {
        struct lines *lines = race->lines + number;
        set_lines(lines, tile, lanes);
        /* Margins are compared as they are, not what they are at least. */
        for (int lane = 0; lane < LANES; lane++)
            lines->bases[lane] = 2.0f;
        set_least_of_class(race, number,
                           classes->starts[number + 1] - classes->starts[number]);
    }
}

/* Put the rounded margins of a neuron among the largest ones of its class. */
static void keep_rounded(float *largest, int64_t n_kept,
                         const struct tile_of_outputs *tile, double bound,
                         const uint16_t *sums)
{
    for (int lane = 0; lane < LANES; lane += FLOATS) {
        floats_t margin
            = spread_float((float)bound)
              - load_as_floats(sums + lane) * load_floats(tile->units + lane);
        for (int64_t k = 0; k < n_kept; k++) {
            float *place = largest + k * LANES + lane;
            const floats_t other = load_floats(place);
            store_floats(place, larger_floats(margin, other));
            margin = smaller_floats(margin, other);
        }
    }
}

/* Let the neurons of a batch take part; it is empty then. */
static void race_of_batch(struct rounded_race *race, const struct tile_of_outputs *tile,
                          struct batch_of_neurons *batch, const struct neurons *neurons,
                          const struct classes *classes)
{
    add_up(tile, batch);
    for (int k = 0; k < batch->n_active; k++) {
        const int i = batch->active[k];
        const int64_t number = race->classes[i];
        const double bound = (double)neurons->bounds[batch->numbers[i]];
        limits_of_sums(race->lines + number, bound, batch->limits[i]);
        if (!lanes_below_limit_of(batch, i))
            continue;
        keep_rounded(largest_of_class(race, number), race->n_kept, tile, bound,
                     batch->sums[i]);
        set_least_of_class(race, number,
                           classes->starts[number + 1] - classes->starts[number]);
    }
    batch->n = 0;
}

/* Let the first neurons of all classes take part, or the others. Batches are filled with
 * neurons of one class after the other. */
static void race_of_some(struct rounded_race *race, const struct tile_of_outputs *tile,
                         struct batch_of_neurons *batch, const struct neurons *neurons,
                         const struct classes *classes, int are_first)
{
    batch->n = 0;
    for (int64_t number = 0; number < race->n_classes; number++) {
        const int64_t start = classes->starts[number],
                      stop = classes->starts[number + 1];
        const int64_t middle
            = stop - start < FIRST_NEURONS ? stop : start + FIRST_NEURONS;
        for (int64_t i = are_first ? start : middle; i < (are_first ? middle : stop);
             i++) {
            if (batch->n == NEURONS_TOGETHER)
                race_of_batch(race, tile, batch, neurons, classes);
            limits_of_sums(race->lines + number, (double)neurons->bounds[i],
                           batch->limits[batch->n]);
            race->classes[batch->n] = (int32_t)number;
            batch->numbers[batch->n++] = i;
        }
    }
    if (batch->n)
        race_of_batch(race, tile, batch, neurons, classes);
}

/* The lanes of which outputs are known. */
static uint64_t lanes_in_bounds(const struct tile_of_outputs *tile)
{
    uint64_t lanes = 0;
    for (int lane = 0; lane < LANES; lane++)
        lanes |= (uint64_t)(tile->below[lane] < INFINITY) << lane;
    return lanes;
}

static int rounded_margins(const struct outputs *outputs, const struct neurons *neurons,
                           const struct classes *classes, int64_t n_samples,
                           int64_t n_votes, double *totals, float *largest)
{
    const int64_t n_classes = classes->n_classes;
    const int64_t n_totals = outputs->n_tiles * LANES * n_classes;
    const int64_t widest = larger_of(1, widest_class(classes));
    void *room;
    struct batch_of_neurons *batch = new_batch_of_neurons(&room);
    struct rounded_race race;
    const int failed
        = new_rounded_race(&race, smaller_of(n_votes, widest), n_classes)
          || batch == NULL;
    memset(totals, 0, (size_t)n_totals * sizeof *totals);
    for (int64_t k = 0; k < n_totals; k++)
        largest[k] = -INFINITY;
    for (int64_t tile = 0; tile < outputs->n_tiles && !failed; tile++) {
        const struct tile_of_outputs these = outputs_at(outputs, tile);
        const uint64_t lanes = lanes_before(n_samples, tile) & lanes_in_bounds(&these);
        if (!lanes)
            continue;
        batch->masks = neurons->masks;
        batch->n_words = words_of_masks(outputs);
        start_rounded_race(&race, &these, classes, lanes);
        race_of_some(&race, &these, batch, neurons, classes, 1);
        race_of_some(&race, &these, batch, neurons, classes, 0);
        for (int64_t number = 0; number < n_classes; number++) {
            const float *of_class = largest_of_class(&race, number);
            const int64_t width
                = classes->starts[number + 1] - classes->starts[number];
            for (uint64_t left = width ? lanes : 0; left; left &= left - 1) {
                const int lane = lowest_bit(left);
                const int64_t place = (tile * LANES + lane) * n_classes + number;
                largest[place] = of_class[lane];
                for (int64_t k = 0; k < race.n_kept && k < width; k++)
                    totals[place] += of_class[k * LANES + lane];
            }
        }
    }
    free(room);
    free(race.largest);
    free(race.lines);
    return failed ? -1 : 0;
}
