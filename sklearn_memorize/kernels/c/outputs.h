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
/* Sums are compared with the limits after so many terms. */
#define TERMS_AT_ONCE 32
/* Roundings of single and of double precision, with room for a few of them. */
#define SLACK_OF_FLOATS 0x1p-20f
#define SLACK_OF_DOUBLES 0x1p-49

#define SHORTS (4 * WORDS)
#define SHORT_VECTORS (LANES / SHORTS)
#if WORDS > 1
typedef uint16_t shorts_t __attribute__((vector_size(8 * WORDS)));
#else
typedef struct {
    uint16_t lanes[4];
} shorts_t;
#endif

/* The sums of the lanes of a tile. */
typedef shorts_t lane_sums_t[SHORT_VECTORS];

INLINE void add_shorts(shorts_t *sum, const uint16_t *address)
{
    shorts_t terms;
    memcpy(&terms, address, sizeof terms);
#if WORDS > 1
    *sum += terms;
#else
    for (int k = 0; k < 4; k++)
        sum->lanes[k] = (uint16_t)(sum->lanes[k] + terms.lanes[k]);
#endif
}

/* The bits [sum < limit] of the lanes of a tile. */
INLINE uint64_t lanes_below_limits(const lane_sums_t sums, const uint16_t *limits)
{
    uint64_t bits = 0;
    UNROLL
    for (int v = 0; v < SHORT_VECTORS; v++) {
        shorts_t limit;
        memcpy(&limit, limits + v * SHORTS, sizeof limit);
#if defined(VECTORS_512)
        uint64_t below = _mm512_cmplt_epu16_mask((__m512i)sums[v], (__m512i)limit);
#elif defined(VECTORS_256)
        const __m256i left = _mm256_subs_epu16((__m256i)limit, (__m256i)sums[v]);
        const __m256i not_below = _mm256_cmpeq_epi16(left, _mm256_setzero_si256());
        const __m256i packed = _mm256_permute4x64_epi64(
            _mm256_packs_epi16(not_below, _mm256_setzero_si256()), 0xD8);
        uint64_t below = (uint32_t)_mm256_movemask_epi8(packed) ^ 0xFFFF;
#elif defined(VECTORS_128) && !defined(__aarch64__)
        const __m128i left = _mm_subs_epu16((__m128i)limit, (__m128i)sums[v]);
        const __m128i not_below = _mm_cmpeq_epi16(left, _mm_setzero_si128());
        const __m128i packed = _mm_packs_epi16(not_below, _mm_setzero_si128());
        uint64_t below = (uint32_t)_mm_movemask_epi8(packed) ^ 0xFF;
#elif WORDS > 1
        uint64_t below = 0;
        for (int k = 0; k < SHORTS; k++)
            below |= (uint64_t)(sums[v][k] < limit[k]) << k;
#else
        uint64_t below = 0;
        for (int k = 0; k < SHORTS; k++)
            below |= (uint64_t)(sums[v].lanes[k] < limit.lanes[k]) << k;
#endif
        bits |= below << (v * SHORTS);
    }
    return bits;
}

/* The hyperplanes that a neuron sums, those of its mask. */
struct terms {
    const uint32_t *hyperplanes;
    int64_t n;
};

/* Store the sums of small integers, and return which lanes are below their limits; or
 * return 0, and leave the sums alone, as soon as none can end below. */
static uint64_t sums_below_limits(const uint16_t *tile, struct terms terms,
                                  const uint16_t *limits, uint16_t *result)
{
    lane_sums_t sums;
    uint64_t below = ~(uint64_t)0;
    memset(sums, 0, sizeof sums);
    for (int64_t term = 0; term < terms.n;) {
        const int64_t left = terms.n - term;
        const int64_t stop = term + (left < TERMS_AT_ONCE ? left : TERMS_AT_ONCE);
        for (; term < stop; term++) {
            const uint16_t *address = tile + (size_t)terms.hyperplanes[term] * LANES;
            UNROLL
            for (int v = 0; v < SHORT_VECTORS; v++)
                add_shorts(sums + v, address + v * SHORTS);
        }
        below = lanes_below_limits(sums, limits);
        if (!below)
            return 0;
    }
    if (terms.n == 0)
        below = lanes_below_limits(sums, limits);
    memcpy(result, sums, sizeof sums);
    return below;
}

/* The sum of the outputs of a sample. Integers below 2**53 add up in any order. */
static double sum_of_terms(const double *values, struct terms terms)
{
    double sums[4] = {0};
    int64_t term = 0;
    for (; term + 4 <= terms.n; term += 4) {
        UNROLL
        for (int k = 0; k < 4; k++)
            sums[k] += values[terms.hyperplanes[term + k]];
    }
    for (; term < terms.n; term++)
        sums[0] += values[terms.hyperplanes[term]];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
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
        = {outputs->values + first * n, outputs->small + first * n,
           outputs->units + first,      outputs->below + first,
           outputs->above + first,      n};
    return these;
}

/* Limits of sums of small integers: one at or above the limit says that the sum of the
 * outputs, s, has s > bound - least. */
static void limits_of_sums(const struct tile_of_outputs *tile, double bound,
                           const float *least, uint64_t lanes, uint16_t *limits)
{
    const float b = (float)bound, size = fabsf(b);
    for (int lane = 0; lane < LANES; lane++) {
        const float inverse = 1.0f / tile->units[lane];
        const float slack = (size + fabsf(least[lane])) * SLACK_OF_FLOATS;
        float most = (b - least[lane] + slack) * inverse + tile->below[lane];
        most = most * (1.0f + SLACK_OF_FLOATS) + 2.0f;
        most = most > 0.0f ? most : 0.0f;
        most = most < ANY_SUM ? most : ANY_SUM;
        limits[lane] = (uint16_t)(int32_t)most;
    }
    if (lanes != ~(uint64_t)0)
        for (int lane = 0; lane < LANES; lane++)
            limits[lane] = lanes >> lane & 1 ? limits[lane] : NO_SUM;
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
                          struct terms terms)
{
    return sum_of_terms(tile->values + lane * tile->n_hyperplanes, terms);
}

/* The bits [s < bound] of some lanes. */
static uint64_t lanes_with_sums_below(const struct tile_of_outputs *tile,
                                      struct terms terms, double bound, uint64_t lanes)
{
    const float zeros[LANES] = {0};
    uint16_t limits[LANES], sums[LANES];
    uint64_t found = 0;
    limits_of_sums(tile, bound, zeros, lanes, limits);
    uint64_t open = sums_below_limits(tile->small, terms, limits, sums) & lanes;
    for (; open; open &= open - 1) {
        const int lane = lowest_bit(open);
        const struct interval sum = interval_of(tile, lane, sums[lane]);
        const int is_below = sum.high < bound
                             || (sum.low < bound
                                 && sum_of_lane(tile, lane, terms) < bound);
        found |= (uint64_t)is_below << lane;
    }
    return found;
}

/* The terms of all neurons: those of neuron i are starts[i] .. starts[i + 1] - 1. */
struct all_terms {
    uint32_t *hyperplanes;
    int64_t *starts;
};

static int list_terms(const struct neurons *neurons, int64_t n_words,
                      struct all_terms *all)
{
    int64_t n = 0, total = 0;
    for (int64_t i = 0; i < neurons->n_neurons * n_words; i++)
        total += count_of_word(neurons->masks[i]);
    all->hyperplanes = malloc((size_t)(total + 1) * sizeof *all->hyperplanes);
    all->starts = malloc((size_t)(neurons->n_neurons + 1) * sizeof *all->starts);
    if (all->hyperplanes == NULL || all->starts == NULL)
        return -1;
    for (int64_t i = 0; i < neurons->n_neurons; i++) {
        all->starts[i] = n;
        for (int64_t word = 0; word < n_words; word++) {
            uint64_t bits = neurons->masks[i * n_words + word];
            for (; bits; bits &= bits - 1)
                all->hyperplanes[n++] = (uint32_t)(64 * word + lowest_bit(bits));
        }
    }
    all->starts[neurons->n_neurons] = n;
    return 0;
}

static void free_terms(struct all_terms *all)
{
    free(all->hyperplanes);
    free(all->starts);
}

INLINE struct terms terms_of(const struct all_terms *all, int64_t neuron)
{
    const int64_t start = all->starts[neuron];
    struct terms terms = {all->hyperplanes + start, all->starts[neuron + 1] - start};
    return terms;
}

static int64_t words_of_masks(const struct outputs *outputs)
{
    return (outputs->n_hyperplanes + 63) / 64;
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

/* The smallest sum of a tile, if it is below one that is known. */
static double smaller_sum(const struct tile_of_outputs *tile, struct terms terms,
                          double smallest)
{
    const float zeros[LANES] = {0};
    uint16_t limits[LANES], sums[LANES];
    limits_of_sums(tile, smallest, zeros, ~(uint64_t)0, limits);
    uint64_t open = sums_below_limits(tile->small, terms, limits, sums);
    if (!open)
        return smallest;
    /* The sample that is likely to have it comes first. */
    int first = lowest_bit(open);
    for (uint64_t rest = open; rest; rest &= rest - 1) {
        const int lane = lowest_bit(rest);
        if (sums[lane] * tile->units[lane] < sums[first] * tile->units[first])
            first = lane;
    }
    const double sum = sum_of_lane(tile, first, terms);
    smallest = sum < smallest ? sum : smallest;
    for (open &= ~((uint64_t)1 << first); open; open &= open - 1) {
        const int lane = lowest_bit(open);
        if (interval_of(tile, lane, sums[lane]).low < smallest) {
            const double other = sum_of_lane(tile, lane, terms);
            smallest = other < smallest ? other : smallest;
        }
    }
    return smallest;
}

static int smallest_sums(const struct outputs *outputs, const struct neurons *neurons,
                         int64_t skip_start, int64_t skip_stop, double *smallest)
{
    struct all_terms all;
    const int failed = list_terms(neurons, words_of_masks(outputs), &all);
    for (int64_t tile = 0; tile < outputs->n_tiles && !failed; tile++) {
        const struct tile_of_outputs these = outputs_at(outputs, tile);
        if (skip_start <= tile && tile < skip_stop)
            continue;
        for (int64_t i = 0; i < neurons->n_neurons; i++)
            smallest[i] = smaller_sum(&these, terms_of(&all, i), smallest[i]);
    }
    free_terms(&all);
    return failed;
}

static int sums_below(const struct outputs *outputs, const struct neurons *neurons,
                      int64_t start, int64_t stop, uint64_t *below)
{
    struct all_terms all;
    const int failed = list_terms(neurons, words_of_masks(outputs), &all);
    for (int64_t tile = start; tile < stop && !failed; tile++) {
        const struct tile_of_outputs these = outputs_at(outputs, tile);
        for (int64_t i = 0; i < neurons->n_neurons; i++)
            below[i * (stop - start) + tile - start]
                = lanes_with_sums_below(&these, terms_of(&all, i),
                                        (double)neurons->bounds[i], ~(uint64_t)0);
    }
    free_terms(&all);
    return failed;
}

static int classes_with_sums_below(const struct outputs *outputs,
                                   const struct neurons *neurons,
                                   const struct classes *classes, int64_t n_samples,
                                   uint64_t *fired)
{
    const int64_t n_classes = classes->n_classes;
    struct all_terms all;
    const int failed = list_terms(neurons, words_of_masks(outputs), &all);
    for (int64_t tile = 0; tile < outputs->n_tiles && !failed; tile++) {
        const struct tile_of_outputs these = outputs_at(outputs, tile);
        for (int64_t number = 0; number < n_classes; number++) {
            const int64_t stop = classes->starts[number + 1];
            uint64_t found = 0, left = lanes_before(n_samples, tile);
            for (int64_t i = classes->starts[number]; i < stop && left; i++) {
                const uint64_t below = lanes_with_sums_below(
                    &these, terms_of(&all, i), (double)neurons->bounds[i], left);
                found |= below;
                left &= ~below;
            }
            fired[tile * n_classes + number] = found;
        }
    }
    free_terms(&all);
    return failed;
}

/* A neuron whose margin may be among the largest of a lane: its margin is `most` at the
 * most. */
struct candidate {
    double most;
    int64_t neuron;
};

/* The candidates of the lanes of a tile, in the order of the neurons; and the largest
 * lower bounds of margins, the largest first. */
struct race {
    struct candidate *candidates;
    double *largest;
    int64_t n_kept, most_candidates;
    int64_t n_candidates[LANES];
    /* What margins have to reach. */
    double least[LANES];
    float least_as_float[LANES];
};

static int new_race(struct race *race, int64_t n_kept, int64_t most_candidates)
{
    race->n_kept = n_kept;
    race->most_candidates = most_candidates;
    race->candidates
        = malloc((size_t)(LANES * most_candidates + 1) * sizeof *race->candidates);
    race->largest = malloc((size_t)(LANES * n_kept + 1) * sizeof *race->largest);
    return race->candidates == NULL || race->largest == NULL ? -1 : 0;
}

static void free_race(struct race *race)
{
    free(race->candidates);
    free(race->largest);
}

static void start_race(struct race *race)
{
    for (int lane = 0; lane < LANES; lane++) {
        race->n_candidates[lane] = 0;
        race->least[lane] = -INFINITY;
        race->least_as_float[lane] = -INFINITY;
    }
    for (int64_t k = 0; k < LANES * race->n_kept; k++)
        race->largest[k] = -INFINITY;
}

/* Put a number among the largest ones, of which the smallest goes. */
INLINE void put_in_order(double *largest, int64_t n, double number)
{
    int64_t k = n - 1;
    for (; k > 0 && largest[k - 1] < number; k--)
        largest[k] = largest[k - 1];
    largest[k] = number;
}

/* A margin lies between `least` and `most`. */
static void enter(struct race *race, int lane, int64_t neuron, double least,
                  double most)
{
    double *largest = race->largest + lane * race->n_kept;
    struct candidate *candidate = race->candidates + lane * race->most_candidates
                                  + race->n_candidates[lane]++;
    candidate->neuron = neuron;
    candidate->most = most;
    if (least <= largest[race->n_kept - 1])
        return;
    put_in_order(largest, race->n_kept, least);
    race->least[lane] = largest[race->n_kept - 1];
    race->least_as_float[lane] = (float)race->least[lane];
}

/* Let the neurons of a class race for the largest margins. */
static void run_race(struct race *race, const struct tile_of_outputs *tile,
                     const struct all_terms *all, const struct neurons *neurons,
                     int64_t start, int64_t stop, uint64_t lanes)
{
    start_race(race);
    for (int64_t i = start; i < stop; i++) {
        const double bound = (double)neurons->bounds[i];
        uint16_t limits[LANES], sums[LANES];
        limits_of_sums(tile, bound, race->least_as_float, lanes, limits);
        uint64_t open
            = sums_below_limits(tile->small, terms_of(all, i), limits, sums) & lanes;
        for (; open; open &= open - 1) {
            const int lane = lowest_bit(open);
            const struct interval sum = interval_of(tile, lane, sums[lane]);
            const double slack = fabs(bound) * SLACK_OF_DOUBLES;
            const double least = bound - sum.high - slack;
            const double most = bound - sum.low + slack;
            if (most >= race->least[lane])
                enter(race, lane, i, least, most);
        }
    }
}

/* Sum the largest margins of a lane, exact ones, the largest first. */
static double sum_of_winners(struct race *race, const struct tile_of_outputs *tile,
                             int lane, const struct all_terms *all,
                             const struct neurons *neurons, int64_t n_kept, int *fires)
{
    const struct candidate *candidates
        = race->candidates + lane * race->most_candidates;
    double *largest = race->largest + lane * race->n_kept, total = 0.0;
    const double least = race->least[lane];
    for (int64_t k = 0; k < n_kept; k++)
        largest[k] = -INFINITY;
    for (int64_t k = 0; k < race->n_candidates[lane]; k++) {
        if (candidates[k].most < least)
            continue;
        const int64_t i = candidates[k].neuron;
        const double margin
            = (double)neurons->bounds[i] - sum_of_lane(tile, lane, terms_of(all, i));
        if (margin > largest[n_kept - 1])
            put_in_order(largest, n_kept, margin);
    }
    for (int64_t k = 0; k < n_kept; k++)
        total += largest[k];
    *fires = largest[0] > 0.0;
    return total;
}

static int largest_margins_of_sums(const struct outputs *outputs,
                                   const struct neurons *neurons,
                                   const struct classes *classes, int64_t n_samples,
                                   int64_t n_votes, double *totals, uint64_t *fired)
{
    const int64_t n_classes = classes->n_classes;
    int64_t widest = 0;
    for (int64_t number = 0; number < n_classes; number++) {
        const int64_t width = classes->starts[number + 1] - classes->starts[number];
        widest = width > widest ? width : widest;
    }
    struct all_terms all;
    struct race race;
    int failed = list_terms(neurons, words_of_masks(outputs), &all);
    failed |= new_race(&race, n_votes < widest ? n_votes : widest, widest);
    memset(totals, 0, (size_t)(outputs->n_tiles * LANES * n_classes) * sizeof *totals);
    memset(fired, 0, (size_t)(outputs->n_tiles * n_classes) * sizeof *fired);
    for (int64_t tile = 0; tile < outputs->n_tiles && !failed; tile++) {
        const struct tile_of_outputs these = outputs_at(outputs, tile);
        const uint64_t lanes = lanes_before(n_samples, tile);
        for (int64_t number = 0; number < n_classes && lanes; number++) {
            const int64_t start = classes->starts[number],
                          stop = classes->starts[number + 1];
            race.n_kept = n_votes < stop - start ? n_votes : stop - start;
            if (race.n_kept == 0)
                continue;
            run_race(&race, &these, &all, neurons, start, stop, lanes);
            for (uint64_t left = lanes; left; left &= left - 1) {
                const int lane = lowest_bit(left);
                int fires;
                totals[(tile * LANES + lane) * n_classes + number] = sum_of_winners(
                    &race, &these, lane, &all, neurons, race.n_kept, &fires);
                fired[tile * n_classes + number] |= (uint64_t)fires << lane;
            }
        }
    }
    free_terms(&all);
    free_race(&race);
    return failed;
}
