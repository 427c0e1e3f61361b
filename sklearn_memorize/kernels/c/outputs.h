/* Sums of the outputs of ReLU units: <u, output> for 0/1 vectors u.
 *
 * Outputs are integers in double precision, and the sums are exact. Nearly all of them
 * need not be known: the outputs v of a sample are also there as small integers h,
 *
 *     v_j = unit (h_j + r_j),   sum h_j < 2**16,
 *
 * so that <u, v> lies between unit (<u, h> - below) and unit (<u, h> + above), where
 * `below` and `above` are the sums of the negative and of the positive r_j. The sums
 * <u, h> of the 64 samples of a tile are added side by side, in 16 bits each, and as
 * they only grow, a neuron is given up as soon as they say enough. What they leave open
 * is summed in double precision.
 */
#include <stdlib.h>

/* Small integers of a sample add up to this at the most. */
#define MOST_SMALL 65000
/* No sum of small integers is below the one, and all are below the other. */
#define NO_SUM 0
#define ANY_SUM 65535
/* Hyperplanes of a chunk, in groups. The sums of all subsets of a group are there, so
 * that a group takes one addition. The sums of a chunk should fit the first cache; where
 * neurons are many, a chunk may fill it. */
#define GROUP 4
#define SUBSETS (1 << GROUP)
#define GROUPS_OF_A_CHUNK 8
#define MANY_GROUPS 16
#define MANY_NEURONS 128
/* Sums are compared with the limits after so many hyperplanes. */
#define HYPERPLANES_AT_ONCE 128
/* Fewer neurons add one hyperplane after the other. */
#define FEW_NEURONS 6
/* So many neurons of a tile at a time; the first ones give limits to the others. */
#define NEURONS_TOGETHER 512
#define FIRST_NEURONS 32
/* Roundings of single and of double precision, with room for a few of them. */
#define SLACK_OF_FLOATS 0x1p-20f
#define SLACK_OF_DOUBLES 0x1p-49

/* The sum of the outputs of a sample that a mask names. Integers below 2**53 add up in
 * any order. */
static double sum_of_outputs(const double *values, const uint64_t *mask, int64_t n)
{
    enum { TOGETHER = 4 };
    doubles_t sums[TOGETHER];
    double parts[TOGETHER * DOUBLES], total = 0.0;
    int64_t j = 0;
    UNROLL
    for (int k = 0; k < TOGETHER; k++)
        sums[k] = spread_double(0.0);
    for (; j + TOGETHER * DOUBLES <= n; j += TOGETHER * DOUBLES) {
        const uint64_t bits = mask[j / 64] >> (j % 64);
        UNROLL
        for (int k = 0; k < TOGETHER; k++)
            sums[k] += chosen_doubles(bits >> (k * DOUBLES), values + j + k * DOUBLES);
    }
    memcpy(parts, sums, sizeof parts);
    for (int k = 0; k < TOGETHER * DOUBLES; k++)
        total += parts[k];
    for (; j < n; j++)
        total += mask[j / 64] >> (j % 64) & 1 ? values[j] : 0.0;
    return total;
}

/* The samples of a tile. */
struct tile_of_outputs {
    const double *values;
    const uint16_t *small;
    const float *units, *below, *above;
    int64_t n_hyperplanes;
};

static struct tile_of_outputs outputs_at(const struct outputs *outputs, int64_t tile)
{
    const int64_t n = outputs->n_hyperplanes, first = tile * LANES;
    struct tile_of_outputs these
        = {outputs->values == NULL ? NULL : outputs->values + first * n,
           outputs->small + first * n,
           outputs->units + first,
           outputs->below + first,
           outputs->above + first,
           n};
    return these;
}

/* How limits follow from bounds: a sum of small integers at or above
 *
 *     slope * bound + intercept,      intercept = base - slope * least,
 *
 * says that the sum of the outputs, s, has bound - s < least. There is room for the
 * roundings of single precision, relative to the sizes of bound and least. Lanes that
 * do not matter have the highest intercept -INFINITY: no sum is below their limits. */
struct lines {
    float slopes[LANES], bases[LANES], highest[LANES], intercepts[LANES];
};

/* Lines for margins above zero in some lanes. */
static void set_lines(struct lines *lines, const struct tile_of_outputs *tile,
                      uint64_t lanes)
{
    for (int lane = 0; lane < LANES; lane++) {
        lines->slopes[lane] = 1.0f / tile->units[lane];
        lines->bases[lane] = tile->below[lane] * (1.0f + SLACK_OF_FLOATS) + 2.0f;
        lines->highest[lane] = lanes >> lane & 1 ? INFINITY : -INFINITY;
        lines->intercepts[lane] = lanes >> lane & 1 ? lines->bases[lane] : -INFINITY;
    }
}

/* Lines for margins that reach what is wanted in each lane. */
static void set_least(struct lines *lines, const float *wanted)
{
    UNROLL
    for (int lane = 0; lane < LANES; lane += FLOATS) {
        const floats_t least = load_floats(wanted + lane);
        const floats_t lowered
            = magnitudes_of(least) * spread_float(SLACK_OF_FLOATS) - least;
        const floats_t intercept
            = multiply_add(lowered, load_floats(lines->slopes + lane),
                           load_floats(lines->bases + lane));
        store_floats(lines->intercepts + lane,
                     smaller_floats(intercept, load_floats(lines->highest + lane)));
    }
}

static void limits_of_sums(const struct lines *lines, double bound, uint16_t *limits)
{
    const float number = (float)bound;
    const floats_t raised
        = spread_float(number + fabsf(number) * (2.0f * SLACK_OF_FLOATS));
    UNROLL
    for (int lane = 0; lane < LANES; lane += FLOATS) {
        const floats_t limit
            = multiply_add(raised, load_floats(lines->slopes + lane),
                           load_floats(lines->intercepts + lane));
        const floats_t above = larger_floats(limit, spread_float(NO_SUM));
        const floats_t most = smaller_floats(above, spread_float(ANY_SUM));
        store_as_shorts(limits + lane, most);
    }
}

/* Neurons that race through a tile: the sums of those that may matter still. */
struct batch_of_neurons {
    uint16_t limits[NEURONS_TOGETHER][LANES], sums[NEURONS_TOGETHER][LANES];
    /* The sums of all subsets of the groups of a chunk. */
    uint16_t subsets[MANY_GROUPS][SUBSETS][LANES];
    /* Their numbers, by which masks are found. */
    int64_t numbers[NEURONS_TOGETHER];
    const uint64_t *masks;
    int64_t n_words, n;
    int n_active;
    int16_t active[NEURONS_TOGETHER];
};

INLINE const uint64_t *mask_of(const struct batch_of_neurons *batch, int i)
{
    return batch->masks + batch->numbers[i] * batch->n_words;
}

/* Add up the subsets of `n` hyperplanes; those beyond are zeros. */
static void fill_subsets(const uint16_t *small, int64_t n, int n_groups,
                         uint16_t (*subsets)[SUBSETS][LANES])
{
    static const uint16_t zeros[LANES] = {0};
    for (int group = 0; group < n_groups; group++) {
        memset(subsets[group][0], 0, sizeof subsets[group][0]);
        for (int last = 0; last < GROUP; last++) {
            const int64_t j = group * GROUP + last;
            const uint16_t *row = j < n ? small + j * LANES : zeros;
            for (int subset = 0; subset < 1 << last; subset++) {
                const uint16_t *before = subsets[group][subset];
                uint16_t *sum = subsets[group][(1 << last) + subset];
                UNROLL
                for (int k = 0; k < LANES; k += SHORTS)
                    store_shorts(sum + k,
                                 load_shorts(before + k) + load_shorts(row + k));
            }
        }
    }
}

INLINE void add_subsets(uint16_t (*subsets)[SUBSETS][LANES], uint64_t bits,
                        const int n_groups, uint16_t *sums)
{
    shorts_t totals[LANES / SHORTS];
    UNROLL
    for (int v = 0; v < LANES / SHORTS; v++)
        totals[v] = load_shorts(sums + v * SHORTS);
    for (int group = 0; group < n_groups; group++, bits >>= GROUP) {
        const uint16_t *chosen = subsets[group][bits & (SUBSETS - 1)];
        UNROLL
        for (int v = 0; v < LANES / SHORTS; v++)
            totals[v] += load_shorts(chosen + v * SHORTS);
    }
    UNROLL
    for (int v = 0; v < LANES / SHORTS; v++)
        store_shorts(sums + v * SHORTS, totals[v]);
}

INLINE void add_one_by_one(const uint16_t *small, uint64_t bits, uint16_t *sums)
{
    for (; bits; bits &= bits - 1) {
        const uint16_t *row = small + lowest_bit(bits) * LANES;
        UNROLL
        for (int lane = 0; lane < LANES; lane += SHORTS)
            store_shorts(sums + lane,
                         load_shorts(sums + lane) + load_shorts(row + lane));
    }
}

/* The lanes whose sums are below the limits of a neuron. */
INLINE uint64_t lanes_below_limit_of(const struct batch_of_neurons *batch, int i)
{
    uint64_t bits = 0;
    UNROLL
    for (int lane = 0; lane < LANES; lane += SHORTS)
        bits |= bits_below(load_shorts(batch->sums[i] + lane),
                           load_shorts(batch->limits[i] + lane))
                << lane;
    return bits;
}

static void drop_neurons(struct batch_of_neurons *batch)
{
    int n = 0;
    for (int k = 0; k < batch->n_active; k++) {
        const int16_t i = batch->active[k];
        if (lanes_below_limit_of(batch, i))
            batch->active[n++] = i;
    }
    batch->n_active = n;
}

/* Add the small integers of some hyperplanes, from number `first` on, to the sums of all
 * active neurons. */
INLINE void add_chunk(const struct tile_of_outputs *tile,
                      struct batch_of_neurons *batch, int64_t first, const int n_groups)
{
    const uint64_t used = ~(uint64_t)0 >> (64 - GROUP * n_groups);
    const uint16_t *small = tile->small + first * LANES;
    const int are_few = batch->n_active < FEW_NEURONS;
    if (!are_few)
        fill_subsets(small, tile->n_hyperplanes - first, n_groups, batch->subsets);
    for (int k = 0; k < batch->n_active; k++) {
        const int i = batch->active[k];
        const uint64_t bits = mask_of(batch, i)[first / 64] >> (first % 64) & used;
        if (are_few)
            add_one_by_one(small, bits, batch->sums[i]);
        else
            add_subsets(batch->subsets, bits, n_groups, batch->sums[i]);
    }
}

/* Add the small integers of a tile that the masks of the neurons name. As soon as no
 * lane of a neuron can end below its limit, it is not active any more. */
static void add_up(const struct tile_of_outputs *tile, struct batch_of_neurons *batch)
{
    const int64_t n = tile->n_hyperplanes;
    batch->n_active = (int)batch->n;
    for (int i = 0; i < batch->n_active; i++)
        batch->active[i] = (int16_t)i;
    memset(batch->sums, 0, (size_t)batch->n * sizeof batch->sums[0]);
    drop_neurons(batch);
    for (int64_t start = 0; start < n && batch->n_active; start += HYPERPLANES_AT_ONCE) {
        const int64_t left = n - start;
        const int64_t stop
            = start + (left < HYPERPLANES_AT_ONCE ? left : HYPERPLANES_AT_ONCE);
        if (batch->n_active < MANY_NEURONS)
            for (int64_t first = start; first < stop; first += GROUP * GROUPS_OF_A_CHUNK)
                add_chunk(tile, batch, first, GROUPS_OF_A_CHUNK);
        else
            for (int64_t first = start; first < stop; first += GROUP * MANY_GROUPS)
                add_chunk(tile, batch, first, MANY_GROUPS);
        drop_neurons(batch);
    }
}

/* Neurons `first` .. `stop` - 1, or as many of them as fit. */
static void start_batch(struct batch_of_neurons *batch, const struct neurons *neurons,
                        int64_t n_words, int64_t first, int64_t stop)
{
    batch->masks = neurons->masks;
    batch->n_words = n_words;
    batch->n = stop - first < NEURONS_TOGETHER ? stop - first : NEURONS_TOGETHER;
    for (int64_t i = 0; i < batch->n; i++)
        batch->numbers[i] = first + i;
}

static void set_limits(struct batch_of_neurons *batch, const struct lines *lines,
                       const int64_t *bounds)
{
    for (int64_t i = 0; i < batch->n; i++)
        limits_of_sums(lines, (double)bounds[i], batch->limits[i]);
}

/* What is known of the sum of the outputs of a lane: low <= s <= high. */
struct interval {
    double low, high;
};

INLINE struct interval interval_of(const struct tile_of_outputs *tile, int lane,
                                   uint16_t sum)
{
    const double unit = tile->units[lane];
    struct interval interval = {((double)sum - tile->below[lane]) * unit,
                                ((double)sum + tile->above[lane]) * unit};
    interval.low -= fabs(interval.low) * SLACK_OF_DOUBLES;
    interval.high += interval.high * SLACK_OF_DOUBLES;
    return interval;
}

INLINE double sum_of_lane(const struct tile_of_outputs *tile, int lane,
                          const uint64_t *mask)
{
    const int64_t n = tile->n_hyperplanes;
    return sum_of_outputs(tile->values + lane * n, mask, n);
}

/* The bits [s < bound] of the lanes of a tile, for a neuron of the batch. */
static uint64_t lanes_with_sums_below(const struct tile_of_outputs *tile,
                                      const struct batch_of_neurons *batch, int i,
                                      double bound, uint64_t lanes)
{
    const uint64_t *mask = mask_of(batch, i);
    uint64_t found = 0, open = lanes_below_limit_of(batch, i) & lanes;
    for (; open; open &= open - 1) {
        const int lane = lowest_bit(open);
        const struct interval sum = interval_of(tile, lane, batch->sums[i][lane]);
        const int is_below
            = sum.high < bound
              || (sum.low < bound && sum_of_lane(tile, lane, mask) < bound);
        found |= (uint64_t)is_below << lane;
    }
    return found;
}

static int64_t words_of_masks(const struct outputs *outputs)
{
    return (outputs->n_hyperplanes + 63) / 64;
}

static struct batch_of_neurons *new_batch_of_neurons(void **room)
{
    return aligned_room(sizeof(struct batch_of_neurons), room);
}

/* The kernels --------------------------------------------------------------------- */

/* Write the small integers of the samples of a tile, and what they leave open. */
static void round_outputs_of_tile(const double *values, int64_t n, uint16_t *small,
                                  float *units, float *below, float *above)
{
    enum { BLOCK = 32 };
    const double to_integer = 0x1p52; /* the last bit of this is one */
    double inverses[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        const double *row = values + lane * n;
        double total = 0.0, unit = 1.0, sum, under = 0.0, over = 0.0;
        for (int64_t j = 0; j < n; j++)
            total += row[j];
        while (total > MOST_SMALL * unit)
            unit *= 2.0;
        for (;; unit *= 2.0) {
            const double inverse = 1.0 / unit;
            sum = under = over = 0.0;
            for (int64_t j = 0; j < n; j++) {
                const double integer = (row[j] * inverse + to_integer) - to_integer;
                const double rest = row[j] - integer * unit;
                sum += integer;
                under += rest < 0.0 ? -rest : 0.0;
                over += rest > 0.0 ? rest : 0.0;
            }
            if (sum <= MOST_SMALL)
                break;
        }
        inverses[lane] = 1.0 / unit;
        units[lane] = (float)unit;
        below[lane] = (float)(under / unit * (1.0 + 0x1p-20));
        above[lane] = (float)(over / unit * (1.0 + 0x1p-20));
    }
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t stop = n - first < BLOCK ? n : first + BLOCK;
        for (int lane = 0; lane < LANES; lane++)
            for (int64_t j = first; j < stop; j++) {
                const double scaled = values[lane * n + j] * inverses[lane];
                small[j * LANES + lane]
                    = (uint16_t)(int32_t)((scaled + to_integer) - to_integer);
            }
    }
}

static int round_outputs(const double *values, int64_t n_tiles, int64_t n_hyperplanes,
                         uint16_t *small, float *units, float *below, float *above)
{
    for (int64_t tile = 0; tile < n_tiles; tile++) {
        const int64_t lane = tile * LANES, place = lane * n_hyperplanes;
        round_outputs_of_tile(values + place, n_hyperplanes, small + place,
                              units + lane, below + lane, above + lane);
    }
    return 0;
}

/* The smallest sum of a tile for a neuron of the batch, if it is below one that is
 * known. */
static double smaller_sum(const struct tile_of_outputs *tile,
                          const struct batch_of_neurons *batch, int i, double smallest)
{
    const uint64_t *mask = mask_of(batch, i);
    const uint16_t *sums = batch->sums[i];
    uint64_t open = lanes_below_limit_of(batch, i);
    /* The sample that is likely to have it comes first. */
    int first = lowest_bit(open);
    for (uint64_t rest = open; rest; rest &= rest - 1) {
        const int lane = lowest_bit(rest);
        if (sums[lane] * tile->units[lane] < sums[first] * tile->units[first])
            first = lane;
    }
    const double sum = sum_of_lane(tile, first, mask);
    smallest = sum < smallest ? sum : smallest;
    for (open &= ~((uint64_t)1 << first); open; open &= open - 1) {
        const int lane = lowest_bit(open);
        if (interval_of(tile, lane, sums[lane]).low < smallest) {
            const double other = sum_of_lane(tile, lane, mask);
            smallest = other < smallest ? other : smallest;
        }
    }
    return smallest;
}

static int smallest_sums(const struct outputs *outputs, const struct neurons *neurons,
                         int64_t skip_start, int64_t skip_stop, double *smallest)
{
    void *room;
    struct batch_of_neurons *batch = new_batch_of_neurons(&room);
    if (batch == NULL)
        return -1;
    for (int64_t tile = 0; tile < outputs->n_tiles; tile++) {
        const struct tile_of_outputs these = outputs_at(outputs, tile);
        struct lines lines;
        if (skip_start <= tile && tile < skip_stop)
            continue;
        set_lines(&lines, &these, ~(uint64_t)0);
        for (int64_t first = 0; first < neurons->n_neurons; first += batch->n) {
            start_batch(batch, neurons, words_of_masks(outputs), first,
                        neurons->n_neurons);
            for (int64_t i = 0; i < batch->n; i++)
                limits_of_sums(&lines, smallest[first + i], batch->limits[i]);
            add_up(&these, batch);
            for (int k = 0; k < batch->n_active; k++) {
                const int i = batch->active[k];
                smallest[first + i]
                    = smaller_sum(&these, batch, i, smallest[first + i]);
            }
        }
    }
    free(room);
    return 0;
}

static int sums_below(const struct outputs *outputs, const struct neurons *neurons,
                      int64_t start, int64_t stop, uint64_t *below)
{
    void *room;
    struct batch_of_neurons *batch = new_batch_of_neurons(&room);
    if (batch == NULL)
        return -1;
    memset(below, 0, (size_t)(neurons->n_neurons * (stop - start)) * sizeof *below);
    for (int64_t tile = start; tile < stop; tile++) {
        const struct tile_of_outputs these = outputs_at(outputs, tile);
        struct lines lines;
        set_lines(&lines, &these, ~(uint64_t)0);
        for (int64_t first = 0; first < neurons->n_neurons; first += batch->n) {
            const int64_t *bounds = neurons->bounds + first;
            start_batch(batch, neurons, words_of_masks(outputs), first,
                        neurons->n_neurons);
            set_limits(batch, &lines, bounds);
            add_up(&these, batch);
            for (int k = 0; k < batch->n_active; k++) {
                const int i = batch->active[k];
                below[(first + i) * (stop - start) + tile - start]
                    = lanes_with_sums_below(&these, batch, i, (double)bounds[i],
                                            ~(uint64_t)0);
            }
        }
    }
    free(room);
    return 0;
}

/* The lanes of a tile at which any neuron of a class fires. */
static uint64_t lanes_that_fire(const struct tile_of_outputs *tile,
                                struct batch_of_neurons *batch,
                                const struct neurons *neurons, int64_t n_words,
                                int64_t start, int64_t stop, uint64_t lanes)
{
    uint64_t found = 0;
    for (int64_t first = start; first < stop && lanes & ~found; first += batch->n) {
        const int64_t last
            = first == start && start + FIRST_NEURONS < stop ? start + FIRST_NEURONS
                                                             : stop;
        const int64_t *bounds = neurons->bounds + first;
        struct lines lines;
        set_lines(&lines, tile, lanes & ~found);
        start_batch(batch, neurons, n_words, first, last);
        set_limits(batch, &lines, bounds);
        add_up(tile, batch);
        for (int k = 0; k < batch->n_active && lanes & ~found; k++) {
            const int i = batch->active[k];
            found |= lanes_with_sums_below(tile, batch, i, (double)bounds[i],
                                           lanes & ~found);
        }
    }
    return found;
}

static int classes_with_sums_below(const struct outputs *outputs,
                                   const struct neurons *neurons,
                                   const struct classes *classes, int64_t n_samples,
                                   uint64_t *fired)
{
    const int64_t n_classes = classes->n_classes, n_words = words_of_masks(outputs);
    void *room;
    struct batch_of_neurons *batch = new_batch_of_neurons(&room);
    if (batch == NULL)
        return -1;
    for (int64_t tile = 0; tile < outputs->n_tiles; tile++) {
        const struct tile_of_outputs these = outputs_at(outputs, tile);
        for (int64_t number = 0; number < n_classes; number++)
            fired[tile * n_classes + number] = lanes_that_fire(
                &these, batch, neurons, n_words, classes->starts[number],
                classes->starts[number + 1], lanes_before(n_samples, tile));
    }
    free(room);
    return 0;
}
