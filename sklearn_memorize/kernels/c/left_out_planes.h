/* Leaving samples out where there are many of them: counted in planes. */
#include <stdlib.h>

/* The two smallest counts ----------------------------------------------------------- */

/* The smallest counts so far of one mask, and the first lane that has the smallest. */
struct two_counts {
    int32_t smallest, second;
    int64_t setter;
};

static int64_t first_lane(bits_t lanes)
{
    uint64_t words[WORDS];
    store_bits(words, lanes);
    for (int w = 0; w < WORDS; w++)
        if (words[w])
            return w * LANES + lowest_bit(words[w]);
    return -1;
}

static bits_t one_lane(int64_t lane)
{
    uint64_t words[WORDS] = {0};
    words[lane / LANES] = (uint64_t)1 << lane % LANES;
    return load_bits(words);
}

/* The lanes of some whose counter is a number. */
INLINE bits_t lanes_equal(const int n_bits, const bits_t *counters, int64_t number,
                          bits_t lanes)
{
    UNROLL
    for (int k = 0; k < n_bits; k++)
        lanes &= number >> k & 1 ? counters[k] : ~counters[k];
    return lanes;
}

/* Go on with the counts of some lanes of a block, the first of which is `start`. */
INLINE void go_on_with(const int n_bits, const bits_t *counters, bits_t lanes,
                       int64_t start, struct two_counts *found)
{
    bits_t limit[MOST_BITS];
    spread_number(n_bits, limit, found->second);
    lanes &= lanes_below(n_bits, counters, limit);
    if (!any_bit(lanes))
        return;
    const int32_t least = (int32_t)smallest_number(n_bits, counters, lanes);
    if (least >= found->smallest) {
        found->second = least;
        return;
    }
    const int64_t lane = first_lane(lanes_equal(n_bits, counters, least, lanes));
    lanes &= ~one_lane(lane);
    found->second = found->smallest;
    found->smallest = least;
    found->setter = start + lane;
    if (any_bit(lanes)) {
        const int32_t next = (int32_t)smallest_number(n_bits, counters, lanes);
        found->second = next < found->second ? next : found->second;
    }
}

INLINE void go_on_with_bundle(const int n_bits, const struct counting *counting,
                              const struct bundle *bundle, bits_t lanes, int64_t start,
                              struct two_counts *found)
{
    counts_t counts;
    count_bundle_in(n_bits, counting, bundle, counts);
    for (int i = 0; i < bundle->n_masks; i++)
        go_on_with(n_bits, counts[i], lanes, start, found + i);
}

/* The lanes of a block that hold samples, all but those start .. stop - 1. */
static bits_t lanes_of_others(int64_t block, int64_t start, int64_t stop, int64_t n)
{
    uint64_t words[WORDS];
    for (int w = 0; w < WORDS; w++) {
        const int64_t tile = block * WORDS + w;
        const uint64_t own = lanes_before(stop, tile) & ~lanes_before(start, tile);
        words[w] = lanes_before(n, tile) & ~own;
    }
    return load_bits(words);
}

static int two_smallest_in_planes(const struct codes *planes,
                                  const struct classes *samples,
                                  const struct neurons *all,
                                  const struct classes *classes,
                                  struct two_counts *found)
{
    const int64_t n = samples->starts[samples->n_classes], n_words = planes->n_words;
    struct counting counting;
    if (start_counting(&counting, planes, all->n_neurons,
                       n_bits_for(most_planes(all, n_words))))
        return -1;
    for (int64_t c = 0; c < classes->n_classes; c++) {
        const int64_t stop = classes->starts[c + 1];
        for (int64_t first = classes->starts[c], n_listed; first < stop;
             first += n_listed) {
            n_listed = list_masks(&counting, all->masks + first * n_words, stop - first);
            for (int64_t block = 0; block < planes->n_tiles / WORDS; block++) {
                const bits_t lanes = lanes_of_others(block, samples->starts[c],
                                                     samples->starts[c + 1], n);
                if (!any_bit(lanes))
                    continue;
                read_block(&counting, block);
                for (int b = 0; b < counting.n_bundles; b++)
                    FOR_BITS(counting.n_bits, go_on_with_bundle, &counting,
                             counting.bundles + b, lanes, block * WORDS * LANES,
                             found + first + b * MASKS_OF_A_BUNDLE);
            }
        }
    }
    stop_counting(&counting);
    return 0;
}

static int two_smallest_counts(const uint64_t *words, const struct classes *samples,
                               int64_t n_words, const uint64_t *masks,
                               const struct classes *neurons, int32_t *smallest,
                               int32_t *second, int64_t *setters)
{
    const int64_t n_rows = samples->starts[samples->n_classes];
    const int64_t n = neurons->starts[neurons->n_classes];
    if (n_rows < ROWS_FOR_PLANES || 64 * n_words > MOST_PLANES)
        return two_smallest_of_few(words, samples, n_words, masks, neurons, smallest,
                                   second, setters);
    const struct neurons all = {masks, NULL, n};
    const struct codes planes = room_for_planes(n_rows, n_words);
    struct two_counts *found = malloc((size_t)(n + 1) * sizeof *found);
    int failed = planes.words == NULL || found == NULL;
    for (int64_t k = 0; k < n && !failed; k++)
        found[k] = (struct two_counts){INT32_MAX, INT32_MAX, -1};
    if (!failed)
        failed = planes_of_rows(words, n_rows, n_words, &planes)
                 || two_smallest_in_planes(&planes, samples, &all, neurons, found);
    for (int64_t k = 0; k < n && !failed; k++) {
        smallest[k] = found[k].smallest;
        second[k] = found[k].second;
        setters[k] = found[k].setter;
    }
    free(planes.words);
    free(found);
    return failed ? -1 : 0;
}

/* Sums of margins ------------------------------------------------------------------- */

/* Neurons of one class, and the lanes of a block in which they are others. */
struct class_without {
    const struct neurons *neurons;
    const struct left_out *left_out;
    int64_t start, stop, largest_bound;
};

/* Replace the number of one lane by another one, or by one more than it. */
static void put_number(const struct numbers *numbers, int64_t place, int64_t lane,
                       int64_t number, int64_t more)
{
    const bits_t this_lane = one_lane(lane);
    for (int k = 0; k < numbers->n_bits; k++)
        if (more && any_bit(numbers->bits[k * numbers->n_places + place] & this_lane))
            number += (int64_t)1 << k;
    for (int k = 0; k < numbers->n_bits; k++) {
        bits_t *bits = numbers->bits + k * numbers->n_places + place;
        *bits = number >> k & 1 ? *bits | this_lane : *bits & ~this_lane;
    }
}

/* Where the sample of a lane made the neuron, its number is the largest there is, and
 * counted; where it set the bound, the margin is that with the second bound. */
static void leave_out(const struct class_without *these, const struct numbers *numbers,
                      int64_t first_row, int64_t n_rows, int64_t *n_skipped)
{
    const struct left_out *left_out = these->left_out;
    memset(n_skipped, 0, WORDS * LANES * sizeof *n_skipped);
    if (left_out == NULL)
        return;
    for (int64_t k = these->start; k < these->stop; k++) {
        const int64_t set = left_out->setters[k] - first_row;
        if (left_out->setters[k] >= 0 && 0 <= set && set < n_rows)
            put_number(numbers, k - these->start, set,
                       these->neurons->bounds[k] - left_out->seconds[k], 1);
    }
    for (int64_t k = these->start; k < these->stop; k++) {
        const int64_t made = left_out->centers[k] - first_row;
        if (left_out->centers[k] >= 0 && 0 <= made && made < n_rows) {
            put_number(numbers, k - these->start, made,
                       ((int64_t)1 << numbers->n_bits) - 1, 0);
            n_skipped[made]++;
        }
    }
}

/* Sum the margins of a class in one block, for each number of votes. */
static void sum_without(const struct class_without *these, const struct numbers *numbers,
                        const int64_t *votes, int64_t n_votes, int64_t n_rows,
                        const int64_t *n_skipped, int64_t *sums, int64_t stride)
{
    const int64_t largest = ((int64_t)1 << numbers->n_bits) - 1;
    for (int64_t v = 0; v < n_votes; v++) {
        const int64_t n_summed = smaller_of(votes[v], numbers->n_numbers);
        bits_t sum[MOST_SUM_BITS];
        int64_t of_lanes[WORDS * LANES];
        /* With more votes than neurons, the sum is the one before. */
        const int same = v > 0 && n_summed == smaller_of(votes[v - 1], numbers->n_numbers);
        for (int64_t i = 0; i < n_rows && same; i++)
            sums[i * stride + v] = sums[i * stride + v - 1];
        if (same)
            continue;
        sum_smallest(numbers, n_summed, 0, sum);
        read_numbers(n_sum_bits_of(numbers), sum, n_rows, of_lanes);
        for (int64_t i = 0; i < n_rows; i++) {
            const int64_t n_left = numbers->n_numbers - n_skipped[i];
            const int64_t n_kept = smaller_of(n_summed, n_left);
            sums[i * stride + v] = n_kept * these->largest_bound
                                   - (of_lanes[i] - (n_summed - n_kept) * largest);
        }
    }
}

/* The largest and the smallest bound of a class, with or without a sample. */
static void range_without(const struct class_without *these, int64_t *lowest,
                          int64_t *highest)
{
    int64_t low, high;
    range_of(these->neurons->bounds, these->start, these->stop, lowest, highest);
    if (these->left_out == NULL)
        return;
    range_of(these->left_out->seconds, these->start, these->stop, &low, &high);
    *lowest = smaller_of(*lowest, low);
    *highest = larger_of(*highest, high);
}

/* The margins of one class in all blocks. */
static int margin_sums_of_class(struct counting *counting, struct class_without *these,
                                int64_t n_rows, const int64_t *votes, int64_t n_votes,
                                int64_t *sums, int64_t stride)
{
    const int64_t of_block = WORDS * LANES;
    int64_t lowest, n_skipped[WORDS * LANES];
    range_without(these, &lowest, &these->largest_bound);
    const int64_t most = most_planes(these->neurons, counting->planes->n_words)
                         + these->largest_bound - lowest;
    struct kept_numbers kept;
    if (start_keeping(&kept, counting, these->neurons, these->start,
                      these->stop - these->start, these->largest_bound, most))
        return -1;
    for (int64_t block = 0; block * of_block < n_rows; block++) {
        const struct numbers numbers = numbers_of_block(&kept, block);
        const int64_t first = block * of_block, n_here = lanes_of(n_rows, block);
        leave_out(these, &numbers, first, n_here, n_skipped);
        sum_without(these, &numbers, votes, n_votes, n_here, n_skipped,
                    sums + first * stride, stride);
    }
    free(kept.room);
    return 0;
}

static int margin_sums_in_planes(const struct codes *planes, int64_t n_rows,
                                 const struct neurons *neurons,
                                 const struct classes *classes, const int64_t *votes,
                                 int64_t n_votes, const struct left_out *left_out,
                                 int64_t *sums)
{
    struct counting counting;
    int64_t widest = 0;
    int failed = 0;
    for (int64_t c = 0; c < classes->n_classes; c++) {
        const struct class_without these = {neurons, left_out, classes->starts[c],
                                            classes->starts[c + 1], 0};
        int64_t lowest, highest;
        range_without(&these, &lowest, &highest);
        widest = larger_of(widest, highest - lowest);
    }
    if (start_counting(&counting, planes, neurons->n_neurons,
                       n_bits_for(most_planes(neurons, planes->n_words) + widest)))
        return -1;
    for (int64_t c = 0; c < classes->n_classes && !failed; c++) {
        struct class_without these = {neurons, left_out, classes->starts[c],
                                      classes->starts[c + 1], 0};
        failed = margin_sums_of_class(&counting, &these, n_rows, votes, n_votes,
                                      sums + c * n_votes, classes->n_classes * n_votes);
    }
    stop_counting(&counting);
    return failed;
}

/* `left_out` is NULL where no sample is left out. */
static int margin_sums(const uint64_t *words, int64_t n_rows, int64_t n_words,
                       const struct neurons *neurons, const struct classes *classes,
                       const int64_t *votes, int64_t n_votes,
                       const struct left_out *left_out, int64_t *sums)
{
    if (n_rows < ROWS_FOR_PLANES || 64 * n_words > MOST_PLANES)
        return margin_sums_of_few(words, n_rows, n_words, neurons, classes, votes,
                                  n_votes, left_out, sums);
    const struct codes planes = room_for_planes(n_rows, n_words);
    const int failed
        = planes.words == NULL || planes_of_rows(words, n_rows, n_words, &planes)
          || margin_sums_in_planes(&planes, n_rows, neurons, classes, votes, n_votes,
                                   left_out, sums);
    free(planes.words);
    return failed ? -1 : 0;
}
