/* The largest margins of ReLU units: neurons of a class race for them in each lane.
 *
 * Small integers say between which two numbers a margin lies. A neuron stays a candidate
 * where it may be among the largest ones, and only margins of candidates are computed.
 */
#include <stdlib.h>

/* A neuron whose margin may be among the largest of a lane, and its sum there. */
struct candidate {
    uint32_t neuron;
    uint16_t sum;
};

/* The candidates of the lanes of a tile, in the order of the neurons. */
struct race {
    struct candidate *candidates;
    int64_t most_candidates, n_kept;
    int64_t n_candidates[LANES];
    /* For each lane what its largest margins are at least, `largest[n_kept][lane]`; the
     * last of them have to be reached. */
    float *largest;
    struct lines lines;
    /* Exact margins of a lane. */
    double *margins;
};

static int new_race(struct race *race, int64_t n_kept, int64_t most_candidates)
{
    race->most_candidates = most_candidates;
    race->candidates
        = malloc((size_t)(LANES * most_candidates + 1) * sizeof *race->candidates);
    race->largest = malloc((size_t)(n_kept * LANES + 1) * sizeof *race->largest);
    race->margins = malloc((size_t)(n_kept + 1) * sizeof *race->margins);
    return race->candidates && race->largest && race->margins ? 0 : -1;
}

static void free_race(struct race *race)
{
    free(race->candidates);
    free(race->largest);
    free(race->margins);
}

static const float *last_of_largest(const struct race *race)
{
    return race->largest + (race->n_kept - 1) * LANES;
}

static void start_race(struct race *race, const struct tile_of_outputs *tile,
                       int64_t n_kept, uint64_t lanes)
{
    race->n_kept = n_kept;
    memset(race->n_candidates, 0, sizeof race->n_candidates);
    for (int64_t k = 0; k < n_kept * LANES; k++)
        race->largest[k] = -INFINITY;
    set_lines(&race->lines, tile, lanes);
    set_least(&race->lines, last_of_largest(race));
}

/* Put the margins of a neuron among the largest ones of each lane: what they are at
 * least. */
static void keep_largest(struct race *race, const struct tile_of_outputs *tile,
                         double bound, const uint16_t *sums)
{
    const float number = (float)bound;
    const floats_t lowered
        = spread_float(number - fabsf(number) * (2.0f * SLACK_OF_FLOATS));
    for (int lane = 0; lane < LANES; lane += FLOATS) {
        const floats_t high
            = (load_as_floats(sums + lane) + load_floats(tile->above + lane))
              * spread_float(1.0f + 4.0f * SLACK_OF_FLOATS);
        floats_t margin = lowered - high * load_floats(tile->units + lane);
        for (int64_t k = 0; k < race->n_kept; k++) {
            float *place = race->largest + k * LANES + lane;
            const floats_t other = load_floats(place);
            store_floats(place, larger_floats(margin, other));
            margin = smaller_floats(margin, other);
        }
    }
}

/* Let the active neurons of a batch take part, where their margins reach what is wanted
 * by now. */
static void enter_batch(struct race *race, const struct tile_of_outputs *tile,
                        struct batch_of_neurons *batch, const int64_t *bounds,
                        int64_t first)
{
    for (int k = 0; k < batch->n_active; k++) {
        const int i = batch->active[k];
        limits_of_sums(&race->lines, (double)bounds[i], batch->limits[i]);
        uint64_t open = lanes_below_limit_of(batch, i);
        if (!open)
            continue;
        for (; open; open &= open - 1) {
            const int lane = lowest_bit(open);
            struct candidate *candidate = race->candidates
                                          + lane * race->most_candidates
                                          + race->n_candidates[lane]++;
            candidate->neuron = (uint32_t)(first + i);
            candidate->sum = batch->sums[i][lane];
        }
        keep_largest(race, tile, (double)bounds[i], batch->sums[i]);
        set_least(&race->lines, last_of_largest(race));
    }
}

/* Let the neurons of a class race for the largest margins. */
static void run_race(struct race *race, const struct tile_of_outputs *tile,
                     struct batch_of_neurons *batch, const struct neurons *neurons,
                     int64_t n_words, int64_t start, int64_t stop)
{
    for (int64_t first = start; first < stop; first += batch->n) {
        const int64_t last
            = first == start && start + FIRST_NEURONS < stop ? start + FIRST_NEURONS
                                                             : stop;
        const int64_t *bounds = neurons->bounds + first;
        start_batch(batch, neurons, n_words, first, last);
        set_limits(batch, &race->lines, bounds);
        add_up(tile, batch);
        enter_batch(race, tile, batch, bounds, first - start);
    }
}

/* Put a number among the largest ones, of which the smallest goes. */
INLINE void put_in_order(double *largest, int64_t n, double number)
{
    int64_t k = n - 1;
    for (; k > 0 && largest[k - 1] < number; k--)
        largest[k] = largest[k - 1];
    largest[k] = number;
}

/* Sum the largest margins of a lane, exact ones, the largest first. `neurons` are those
 * of the class. */
static double sum_of_winners(const struct race *race,
                             const struct tile_of_outputs *tile, int lane,
                             const struct neurons *neurons, int64_t n_words, int *fires)
{
    const struct candidate *candidates
        = race->candidates + lane * race->most_candidates;
    const double least = last_of_largest(race)[lane];
    const int64_t n_kept = race->n_kept;
    double *largest = race->margins, total = 0.0;
    for (int64_t k = 0; k < n_kept; k++)
        largest[k] = -INFINITY;
    for (int64_t k = 0; k < race->n_candidates[lane]; k++) {
        const int64_t i = candidates[k].neuron;
        const double bound = (double)neurons->bounds[i];
        const double low = interval_of(tile, lane, candidates[k].sum).low;
        if (bound - low + fabs(bound) * SLACK_OF_DOUBLES < least)
            continue;
        const double margin
            = bound - sum_of_lane(tile, lane, neurons->masks + i * n_words);
        if (margin > largest[n_kept - 1])
            put_in_order(largest, n_kept, margin);
    }
    for (int64_t k = 0; k < n_kept; k++)
        total += largest[k];
    *fires = largest[0] > 0.0;
    return total;
}

/* The number of neurons of the class of most. */
static int64_t widest_class(const struct classes *classes)
{
    int64_t widest = 0;
    for (int64_t number = 0; number < classes->n_classes; number++)
        widest = larger_of(widest,
                           classes->starts[number + 1] - classes->starts[number]);
    return widest;
}

static int largest_margins_of_sums(const struct outputs *outputs,
                                   const struct neurons *neurons,
                                   const struct classes *classes, int64_t n_samples,
                                   int64_t n_votes, double *totals, uint64_t *fired)
{
    const int64_t n_classes = classes->n_classes, n_words = words_of_masks(outputs);
    const int64_t widest = widest_class(classes);
    void *room;
    struct batch_of_neurons *batch = new_batch_of_neurons(&room);
    struct race race;
    const int failed = new_race(&race, smaller_of(n_votes, widest), widest)
                       || batch == NULL;
    memset(totals, 0, (size_t)(outputs->n_tiles * LANES * n_classes) * sizeof *totals);
    memset(fired, 0, (size_t)(outputs->n_tiles * n_classes) * sizeof *fired);
    for (int64_t tile = 0; tile < outputs->n_tiles && !failed; tile++) {
        const struct tile_of_outputs these = outputs_at(outputs, tile);
        const uint64_t lanes = lanes_before(n_samples, tile);
        for (int64_t number = 0; number < n_classes && lanes; number++) {
            const int64_t start = classes->starts[number],
                          stop = classes->starts[number + 1];
            const struct neurons of_class = {neurons->masks + start * n_words,
                                             neurons->bounds + start, stop - start};
            if (start == stop)
                continue;
            start_race(&race, &these, n_votes < stop - start ? n_votes : stop - start,
                       lanes);
            run_race(&race, &these, batch, neurons, n_words, start, stop);
            for (uint64_t left = lanes; left; left &= left - 1) {
                const int lane = lowest_bit(left);
                int fires;
                totals[(tile * LANES + lane) * n_classes + number]
                    = sum_of_winners(&race, &these, lane, &of_class, n_words, &fires);
                fired[tile * n_classes + number] |= (uint64_t)fires << lane;
            }
        }
    }
    free(room);
    free_race(&race);
    return failed ? -1 : 0;
}
