/* The sum of the largest margins of each class, and whether it fires, for each sample.
 *
 * In planes, the margin bound - count is kept as what it lacks of the largest bound M
 * of the class, M - bound + count: a number of the counters, of which the smallest ones
 * are wanted. A list of them for each lane is sorted bit by bit.
 */
#include <stdlib.h>

#include "selection.h"

/* Lower than any margin there is. */
#define NO_MARGIN (-((int64_t)1 << 40))

/* Put a margin into its place among decreasing ones. */
INLINE void insert_margin(int64_t *largest, int64_t n, int64_t stride, int64_t margin)
{
    int64_t rank = n - 1;
    for (; rank > 0 && largest[(rank - 1) * stride] < margin; rank--)
        largest[rank * stride] = largest[(rank - 1) * stride];
    largest[rank * stride] = margin;
}

/* Sum the largest margins of each class for one code; say which of them are positive.
 */
static void margins_of_code(const uint64_t *code, int64_t n_words,
                            const struct neurons *neurons,
                            const struct classes *classes, int64_t n_votes,
                            int64_t *largest, int64_t *totals, uint64_t *fired,
                            int lane)
{
    for (int64_t number = 0; number < classes->n_classes; number++) {
        const int64_t start = classes->starts[number],
                      stop = classes->starts[number + 1];
        const int64_t n_kept = smaller_of(n_votes, stop - start);
        int64_t total = 0;
        for (int64_t k = 0; k < n_votes; k++)
            largest[k] = NO_MARGIN;
        for (int64_t i = start; i < stop; i++) {
            int64_t margin
                = neurons->bounds[i]
                  - count_of_both(code, neurons->masks + i * n_words, n_words);
            if (margin > largest[n_votes - 1])
                insert_margin(largest, n_votes, 1, margin);
        }
        for (int64_t k = 0; k < n_kept; k++)
            total += largest[k];
        totals[number] = total;
        fired[number] |= (uint64_t)(largest[0] > 0) << lane;
    }
}

/* The same for LANES_TOGETHER lanes of a tile. */
static void margins_of_lanes(const uint64_t *lanes, int64_t n_words,
                             const struct neurons *neurons,
                             const struct classes *classes, int64_t n_votes,
                             int64_t *largest, int64_t *totals, uint64_t *fired,
                             int first_lane)
{
    const int64_t *last = largest + (n_votes - 1) * LANES_TOGETHER;
    for (int64_t number = 0; number < classes->n_classes; number++) {
        const int64_t start = classes->starts[number],
                      stop = classes->starts[number + 1];
        const int64_t n_kept = smaller_of(n_votes, stop - start);
        int64_t lowest = NO_MARGIN;
        for (int64_t k = 0; k < n_votes * LANES_TOGETHER; k++)
            largest[k] = NO_MARGIN;
        for (int64_t i = start; i < stop; i++) {
            /* A margin counts if it exceeds the last one of any lane. */
            int64_t limit = neurons->bounds[i] - lowest;
            uint64_t counts[LANES_TOGETHER] = {0};
            if (limit <= 0
                || !count_lanes(lanes, neurons->masks + i * n_words, n_words,
                                (uint64_t)limit, counts))
                continue;
            for (int lane = 0; lane < LANES_TOGETHER; lane++) {
                int64_t margin = neurons->bounds[i] - (int64_t)counts[lane];
                if (margin > last[lane])
                    insert_margin(largest + lane, n_votes, LANES_TOGETHER, margin);
            }
            lowest = last[0];
            for (int lane = 1; lane < LANES_TOGETHER; lane++)
                lowest = smaller_of(lowest, last[lane]);
        }
        for (int lane = 0; lane < LANES_TOGETHER; lane++) {
            int64_t total = 0;
            for (int64_t k = 0; k < n_kept; k++)
                total += largest[k * LANES_TOGETHER + lane];
            totals[lane * classes->n_classes + number] = total;
            fired[number] |= (uint64_t)(largest[lane] > 0) << (first_lane + lane);
        }
    }
}

static int margins_of_tiles(const struct codes *codes, const struct neurons *neurons,
                            const struct classes *classes, int64_t n_samples,
                            int64_t n_votes, int64_t *totals, uint64_t *fired)
{
    const int64_t n_words = codes->n_words, n_classes = classes->n_classes;
    int64_t *largest = malloc((size_t)(n_votes * LANES_TOGETHER) * sizeof *largest);
    uint64_t *code = malloc((size_t)(n_words + 1) * sizeof *code);
    const int failed = largest == NULL || code == NULL;
    memset(fired, 0, (size_t)(codes->n_tiles * n_classes) * sizeof *fired);
    for (int64_t tile = 0; tile < codes->n_tiles && !failed; tile++) {
        const int n_lanes = lanes_in_use(n_samples, tile);
        for (int lane = 0; lane < n_lanes && n_lanes <= FEW_LANES; lane++) {
            read_lane(codes, tile, lane, code);
            margins_of_code(code, n_words, neurons, classes, n_votes, largest,
                            totals + (tile * LANES + lane) * n_classes,
                            fired + tile * n_classes, lane);
        }
        for (int lane = 0; lane < n_lanes && n_lanes > FEW_LANES;
             lane += LANES_TOGETHER)
            margins_of_lanes(tile_at(codes, tile) + lane, n_words, neurons, classes,
                             n_votes, largest,
                             totals + (tile * LANES + lane) * n_classes,
                             fired + tile * n_classes, lane);
    }
    free(largest);
    free(code);
    return failed ? -1 : 0;
}

/* Neurons of one class, and what their margins lack for the lanes of all blocks. */
struct votes {
    int64_t n_votes, largest_bound;
    bits_t *lacking; /* [block][rank][bit], the smallest numbers first */
};

static bits_t *lacking_in(const struct votes *votes, const int n_bits, int64_t block)
{
    return votes->lacking + block * votes->n_votes * n_bits;
}

/* The number of lanes of a block that hold samples. */
static int64_t lanes_of(int64_t n_samples, int64_t block)
{
    const int64_t n = n_samples - block * WORDS * LANES;
    return larger_of(0, smaller_of(n, WORDS * LANES));
}

/* Put numbers into their places in the lists of all lanes. */
INLINE void insert_numbers(const int n_bits, bits_t *lists, int64_t n_votes,
                           bits_t *numbers)
{
    bits_t *last = lists + (n_votes - 1) * n_bits;
    if (!any_bit(lanes_below(n_bits, numbers, last)))
        return;
    for (bits_t *list = lists; list <= last; list += n_bits) {
        bits_t below = lanes_below(n_bits, numbers, list);
        UNROLL
        for (int k = 0; k < n_bits; k++) {
            bits_t number = numbers[k], other = list[k];
            list[k] = choose(below, number, other);
            numbers[k] = choose(below, other, number);
        }
    }
}

INLINE void vote_by_bundle(const int n_bits, const struct counting *counting,
                           const struct bundle *bundle, const int64_t *bounds,
                           const struct votes *votes, int64_t block)
{
    counts_t counts;
    bits_t missing[MOST_BITS];
    count_bundle_in(n_bits, counting, bundle, counts);
    for (int i = 0; i < bundle->n_masks; i++) {
        spread_number(n_bits, missing, votes->largest_bound - bounds[i]);
        add_numbers(n_bits, counts[i], counts[i], missing);
        insert_numbers(n_bits, lacking_in(votes, n_bits, block), votes->n_votes,
                       counts[i]);
    }
}

/* Add up the lists of a block: margins of its first lanes, and those that are positive.
 */
static void sum_votes(int n_bits, const struct votes *votes, int64_t n_kept,
                      int64_t block, int64_t n_lanes, int64_t *totals, int64_t stride,
                      uint64_t *fired)
{
    const bits_t *lists = lacking_in(votes, n_bits, block);
    int64_t numbers[WORDS * LANES];
    for (int64_t lane = 0; lane < n_lanes; lane++)
        totals[lane * stride] = 0;
    for (int w = 0; w < WORDS; w++)
        fired[w * stride] = 0;
    for (int64_t rank = 0; rank < n_kept; rank++) {
        read_numbers(n_bits, lists + rank * n_bits, n_lanes, numbers);
        for (int64_t lane = 0; lane < n_lanes; lane++)
            totals[lane * stride] += votes->largest_bound - numbers[lane];
        for (int64_t lane = 0; lane < n_lanes && rank == 0; lane++)
            fired[lane / LANES * stride]
                |= (uint64_t)(votes->largest_bound > numbers[lane]) << lane % LANES;
    }
}

/* Let the neurons start .. stop - 1 of a class vote in all blocks. */
static void vote(struct counting *counting, const struct neurons *neurons,
                 int64_t start, int64_t stop, const struct votes *votes)
{
    const int64_t n_blocks = counting->planes->n_tiles / WORDS;
    const int64_t n_words = counting->planes->n_words;
    memset(votes->lacking, 0xFF,
           (size_t)(n_blocks * votes->n_votes * counting->n_bits) * sizeof(bits_t));
    while (start < stop) {
        int64_t n
            = list_masks(counting, neurons->masks + start * n_words, stop - start);
        for (int64_t block = 0; block < n_blocks; block++) {
            read_block(counting, block);
            for (int b = 0; b < counting->n_bundles; b++) {
                const struct bundle *bundle = counting->bundles + b;
                const int64_t *bounds = neurons->bounds + start + b * MASKS_OF_A_BUNDLE;
                FOR_BITS(counting->n_bits, vote_by_bundle, counting, bundle, bounds,
                         votes, block);
            }
        }
        start += n;
    }
}

/* Many votes: all numbers of a class are kept, and the smallest ones selected --------- */

/* From so many votes on, this takes less time than sorted lists; and from two on where
 * few neurons stand in line for each. */
#define MANY_VOTES 4
#define FEW_IN_LINE 16

static int is_selected(int64_t n_votes, int64_t n_neurons)
{
    return n_votes >= MANY_VOTES
           || (n_votes > 1 && n_neurons <= FEW_IN_LINE * n_votes);
}
/* So many vectors of numbers are kept at a time: masks are listed for all of them. */
#define MOST_KEPT ((int64_t)(1 << 21) / (int64_t)sizeof(bits_t))

/* Let the neurons of a bundle, the first of which has place `place`, write what their
 * margins lack in the block. */
INLINE void keep_bundle(const int n_bits, const struct counting *counting,
                        const struct bundle *bundle, const int64_t *bounds,
                        int64_t largest_bound, const struct numbers *numbers,
                        int64_t place)
{
    counts_t counts;
    bits_t missing[MOST_BITS];
    count_bundle_in(n_bits, counting, bundle, counts);
    for (int i = 0; i < bundle->n_masks; i++) {
        spread_number(n_bits, missing, largest_bound - bounds[i]);
        add_numbers(n_bits, counts[i], counts[i], missing);
        for (int k = 0; k < numbers->n_bits; k++)
            numbers->bits[k * numbers->n_places + place + i] = counts[i][k];
    }
}

/* The numbers of neurons from `start` on, for some blocks at a time. */
struct kept_numbers {
    struct counting *counting;
    const struct neurons *neurons;
    int64_t start, largest_bound, n_together;
    struct numbers numbers; /* of the first of these blocks */
    void *room;
};

/* From the numbers of one block to those of the next. */
static int64_t step_of(const struct numbers *numbers)
{
    return numbers->n_places * numbers->n_bits;
}

/* Make room for the numbers of some neurons; none is larger than `most`. */
static int start_keeping(struct kept_numbers *kept, struct counting *counting,
                         const struct neurons *neurons, int64_t start,
                         int64_t n_numbers, int64_t largest_bound, int64_t most)
{
    const int64_t n_places = n_places_for(n_numbers);
    struct numbers numbers = {NULL, NULL, n_numbers, n_places, length_of(most + 1)};
    const int64_t n_blocks = counting->planes->n_tiles / WORDS;
    const int64_t size = step_of(&numbers);
    const int64_t n_together
        = larger_of(1, smaller_of(n_blocks, MOST_KEPT / larger_of(size, 1)));
    char *room = malloc((size_t)(n_together * size + n_places) * sizeof(bits_t) + 64);
    if (room == NULL)
        return -1;
    numbers.bits = (bits_t *)(((uintptr_t)room + 63) & ~(uintptr_t)63);
    numbers.agree = numbers.bits + n_together * size;
    for (int64_t i = 0; i < n_together * size; i += n_places)
        for (int64_t k = n_numbers; k < n_places; k++)
            numbers.bits[i + k] = spread_word(~(uint64_t)0);
    *kept = (struct kept_numbers){counting,   neurons, start, largest_bound,
                                  n_together, numbers, room};
    return 0;
}

static void keep_numbers(const struct kept_numbers *kept, int64_t first_block,
                         int64_t stop_block)
{
    struct counting *counting = kept->counting;
    const struct neurons *neurons = kept->neurons;
    const int64_t n_words = counting->planes->n_words;
    const int64_t n_numbers = kept->numbers.n_numbers;
    for (int64_t first = 0, n; first < n_numbers; first += n) {
        const int64_t start = kept->start + first;
        struct numbers numbers = kept->numbers;
        n = list_masks(counting, neurons->masks + start * n_words, n_numbers - first);
        for (int64_t block = first_block; block < stop_block; block++) {
            read_block(counting, block);
            for (int b = 0; b < counting->n_bundles; b++) {
                const int64_t i = b * MASKS_OF_A_BUNDLE;
                FOR_BITS(counting->n_bits, keep_bundle, counting,
                         counting->bundles + b, neurons->bounds + start + i,
                         kept->largest_bound, &numbers, first + i);
            }
            numbers.bits += step_of(&numbers);
        }
    }
}

/* The numbers of a block; blocks come one after the other. */
static struct numbers numbers_of_block(const struct kept_numbers *kept, int64_t block)
{
    const int64_t n_blocks = kept->counting->planes->n_tiles / WORDS;
    struct numbers numbers = kept->numbers;
    if (block % kept->n_together == 0)
        keep_numbers(kept, block, smaller_of(block + kept->n_together, n_blocks));
    numbers.bits += block % kept->n_together * step_of(&numbers);
    return numbers;
}

/* Add up the numbers of a block: margins of its first lanes, and those that are positive.
 */
static void sum_numbers(const struct numbers *numbers, int64_t largest_bound,
                        int64_t n_votes, int64_t n_lanes, int64_t *totals,
                        int64_t stride, uint64_t *fired)
{
    const int64_t of_bounds = smaller_of(n_votes, numbers->n_numbers) * largest_bound;
    bits_t sum[MOST_SUM_BITS];
    uint64_t words[WORDS];
    int64_t sums[WORDS * LANES];
    store_bits(words, sum_smallest(numbers, n_votes, largest_bound, sum));
    read_numbers(n_sum_bits_of(numbers), sum, n_lanes, sums);
    for (int64_t lane = 0; lane < n_lanes; lane++)
        totals[lane * stride] = of_bounds - sums[lane];
    for (int w = 0; w < WORDS; w++)
        fired[w * stride] = words[w];
}

/* Let the neurons start .. stop - 1 of a class cast many votes in all blocks. */
static int vote_by_selection(struct counting *counting, const struct neurons *neurons,
                             int64_t start, int64_t stop, int64_t largest_bound,
                             int64_t most, int64_t n_votes, int64_t n_samples,
                             int64_t *totals, int64_t stride, uint64_t *fired)
{
    struct kept_numbers kept;
    if (start_keeping(&kept, counting, neurons, start, stop - start, largest_bound,
                      most))
        return -1;
    for (int64_t block = 0; block < counting->planes->n_tiles / WORDS; block++) {
        const struct numbers numbers = numbers_of_block(&kept, block);
        sum_numbers(&numbers, largest_bound, n_votes, lanes_of(n_samples, block),
                    totals + block * WORDS * LANES * stride, stride,
                    fired + block * WORDS * stride);
    }
    free(kept.room);
    return 0;
}

static void range_of(const int64_t *numbers, int64_t start, int64_t stop,
                     int64_t *lowest, int64_t *highest)
{
    *lowest = *highest = start < stop ? numbers[start] : 0;
    for (int64_t i = start; i < stop; i++) {
        *lowest = smaller_of(*lowest, numbers[i]);
        *highest = larger_of(*highest, numbers[i]);
    }
}

/* The widest range of bounds of a class. */
static int64_t widest_range(const struct neurons *neurons,
                            const struct classes *classes)
{
    int64_t widest = 0;
    for (int64_t number = 0; number < classes->n_classes; number++) {
        int64_t lowest, highest;
        range_of(neurons->bounds, classes->starts[number], classes->starts[number + 1],
                 &lowest, &highest);
        widest = larger_of(widest, highest - lowest);
    }
    return widest;
}

static int margins_of_planes(const struct codes *planes, const struct neurons *neurons,
                             const struct classes *classes, int64_t n_samples,
                             int64_t n_votes, int64_t most, int64_t *totals,
                             uint64_t *fired)
{
    const int64_t n_blocks = planes->n_tiles / WORDS, n_classes = classes->n_classes;
    const int n_bits = n_bits_for(most);
    const int64_t n_listed = n_votes < MANY_VOTES ? n_votes : 0;
    struct counting counting;
    struct votes votes = {n_votes, 0, NULL};
    int failed = 0;
    size_t size = (size_t)(n_blocks * n_listed * n_bits) * sizeof(bits_t);
    void *room = malloc(size + 64);
    if (room == NULL || start_counting(&counting, planes, neurons->n_neurons, n_bits)) {
        free(room);
        return -1;
    }
    votes.lacking = (bits_t *)(((uintptr_t)room + 63) & ~(uintptr_t)63);
    for (int64_t number = 0; number < n_classes && !failed; number++) {
        int64_t start = classes->starts[number], stop = classes->starts[number + 1];
        int64_t lowest;
        range_of(neurons->bounds, start, stop, &lowest, &votes.largest_bound);
        if (is_selected(n_votes, stop - start)) {
            failed = vote_by_selection(&counting, neurons, start, stop,
                                       votes.largest_bound, most, n_votes, n_samples,
                                       totals + number, n_classes, fired + number);
            continue;
        }
        vote(&counting, neurons, start, stop, &votes);
        for (int64_t block = 0; block < n_blocks; block++)
            sum_votes(n_bits, &votes, smaller_of(n_votes, stop - start), block,
                      lanes_of(n_samples, block), totals + block * WORDS * LANES * n_classes + number, n_classes,
                      fired + block * WORDS * n_classes + number);
    }
    stop_counting(&counting);
    free(room);
    return failed;
}

/* Bounds that differ by more than counters hold: the codes are turned into tiles. */
static int margins_by_tiles(const struct codes *planes, const struct neurons *neurons,
                            const struct classes *classes, int64_t n_votes,
                            int64_t *totals, uint64_t *fired)
{
    const int64_t n_words = planes->n_words, n = planes->n_tiles * LANES;
    struct codes tiles = {NULL, planes->n_tiles, n_words, 0};
    uint64_t *words = malloc((size_t)(n * n_words + 1) * sizeof *words);
    int64_t *positions = malloc((size_t)(n + 1) * sizeof *positions);
    tiles.words = malloc((size_t)(n * n_words + 1) * sizeof *words);
    int failed = words == NULL || positions == NULL || tiles.words == NULL;
    for (int64_t i = 0; i < n && !failed; i++)
        positions[i] = i;
    if (!failed)
        failed = words_at(planes, positions, n, words);
    for (int64_t i = 0; i < n && !failed; i++)
        for (int64_t word = 0; word < n_words; word++)
            tiles.words[(i / LANES * n_words + word) * LANES + i % LANES]
                = words[i * n_words + word];
    if (!failed)
        failed = margins_of_tiles(&tiles, neurons, classes, planes->n_tiles * LANES,
                                  n_votes, totals, fired);
    free(words);
    free(positions);
    free(tiles.words);
    return failed ? -1 : 0;
}

static int margins_of_codes(const struct codes *codes, const struct neurons *neurons,
                            const struct classes *classes, int64_t n_samples,
                            int64_t n_votes, int64_t *totals, uint64_t *fired)
{
    if (!codes->are_planes)
        return margins_of_tiles(codes, neurons, classes, n_samples, n_votes, totals,
                                fired);
    const int64_t most
        = most_planes(neurons, codes->n_words) + widest_range(neurons, classes);
    if (most >= ((int64_t)1 << WIDE) - 1)
        return margins_by_tiles(codes, neurons, classes, n_votes, totals, fired);
    return margins_of_planes(codes, neurons, classes, n_samples, n_votes, most, totals,
                             fired);
}

static int largest_margins(const struct codes *codes, const struct neurons *neurons,
                           const struct classes *classes, int64_t n_samples,
                           int64_t n_votes, int64_t *totals, uint64_t *fired)
{
    const int64_t n_classes = classes->n_classes, n = codes->n_tiles * LANES;
    n_votes = smaller_of(n_votes, larger_of(neurons->n_neurons, 1));
    int failed
        = margins_of_codes(codes, neurons, classes, n_samples, n_votes, totals, fired);
    forget_lanes_beyond(n_samples, codes->n_tiles, n_classes, fired);
    if (n_samples < n)
        memset(totals + n_samples * n_classes, 0,
               (size_t)((n - n_samples) * n_classes) * sizeof *totals);
    return failed;
}
