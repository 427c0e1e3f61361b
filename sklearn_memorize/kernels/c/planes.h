/* Counting codes that are laid out in planes: the tiles one after the other, so many of
 * them as a vector holds, and in each of them all masks, by bundles. */
#include <stdlib.h>

#include "counters.h"

/* Lower the limits of the masks of a bundle to the smallest count of the valid lanes.
 */
INLINE void lower_limits(const int n_bits, const struct counting *counting,
                         const struct bundle *bundle, bits_t valid, int32_t *smallest)
{
    counts_t counts;
    bits_t limit[MOST_BITS];
    count_bundle_in(n_bits, counting, bundle, counts);
    for (int i = 0; i < bundle->n_masks; i++) {
        spread_number(n_bits, limit, smallest[i]);
        bits_t lanes = lanes_below(n_bits, counts[i], limit) & valid;
        if (any_bit(lanes))
            smallest[i] = (int32_t)smallest_number(n_bits, counts[i], lanes);
    }
}

/* The lanes of a block that are not in the tiles start .. stop - 1. */
static bits_t lanes_outside(int64_t block, int64_t start, int64_t stop)
{
    uint64_t words[WORDS];
    for (int k = 0; k < WORDS; k++) {
        int64_t tile = block * WORDS + k;
        words[k] = start <= tile && tile < stop ? 0 : ~(uint64_t)0;
    }
    return load_bits(words);
}

static int smallest_counts_of_planes(const struct codes *planes,
                                     const struct neurons *neurons, int64_t skip_start,
                                     int64_t skip_stop, int32_t *smallest)
{
    struct counting counting;
    const int64_t n = neurons->n_neurons;
    const int n_bits = n_bits_for(most_planes(neurons, planes->n_words));
    if (start_counting(&counting, planes, n, n_bits))
        return -1;
    for (int64_t i = 0; i < n; i++)
        smallest[i] = INT32_MAX;
    for (int64_t first = 0; first < n;) {
        int64_t n_listed = list_masks(
            &counting, neurons->masks + first * planes->n_words, n - first);
        for (int64_t block = 0; block < planes->n_tiles / WORDS; block++) {
            const bits_t valid = lanes_outside(block, skip_start, skip_stop);
            if (!any_bit(valid))
                continue;
            read_block(&counting, block);
            for (int b = 0; b < counting.n_bundles; b++) {
                int32_t *limits = smallest + first + b * MASKS_OF_A_BUNDLE;
                FOR_BITS(counting.n_bits, lower_limits, &counting, counting.bundles + b,
                         valid, limits);
            }
        }
        first += n_listed;
    }
    stop_counting(&counting);
    return 0;
}

/* The lanes in which neurons fire, or-ed over the neurons of an owner, for the tiles
 * start .. stop - 1. */
struct firing {
    uint64_t *fired;
    const int32_t *owners;
    int64_t start, stop, owner_stride, tile_stride;
};

static uint64_t *word_of(const struct firing *firing, int64_t owner, int64_t tile)
{
    return firing->fired + owner * firing->owner_stride
           + (tile - firing->start) * firing->tile_stride;
}

/* Return whether every lane of the block has fired, for all masks of a bundle. */
static int have_fired(const struct firing *firing, const int32_t *owners, int n_masks,
                      int64_t block)
{
    const int64_t start = larger_of(block * WORDS, firing->start);
    const int64_t stop = smaller_of((block + 1) * WORDS, firing->stop);
    uint64_t all = ~(uint64_t)0;
    for (int i = 0; i < n_masks; i++)
        for (int64_t tile = start; tile < stop; tile++)
            all &= *word_of(firing, owners[i], tile);
    return all == ~(uint64_t)0;
}

INLINE void fire_bundle(const int n_bits, const struct counting *counting,
                        const struct bundle *bundle, const int64_t *bounds,
                        const struct firing *firing, const int32_t *owners,
                        int64_t block)
{
    const int64_t start = larger_of(block * WORDS, firing->start);
    const int64_t stop = smaller_of((block + 1) * WORDS, firing->stop);
    counts_t counts;
    bits_t limit[MOST_BITS];
    count_bundle_in(n_bits, counting, bundle, counts);
    for (int i = 0; i < bundle->n_masks; i++) {
        uint64_t lanes[WORDS];
        spread_number(n_bits, limit, bounds[i]);
        store_bits(lanes, lanes_below(n_bits, counts[i], limit));
        for (int64_t tile = start; tile < stop; tile++)
            *word_of(firing, owners[i], tile) |= lanes[tile - block * WORDS];
    }
}

static int fire(const struct codes *planes, const struct neurons *neurons,
                const struct firing *firing)
{
    struct counting counting;
    const int64_t n = neurons->n_neurons;
    const int64_t stop_block = (firing->stop + WORDS - 1) / WORDS;
    const int n_bits = n_bits_for(most_planes(neurons, planes->n_words));
    if (start_counting(&counting, planes, n, n_bits))
        return -1;
    for (int64_t first = 0; first < n;) {
        int64_t n_listed = list_masks(
            &counting, neurons->masks + first * planes->n_words, n - first);
        for (int64_t block = firing->start / WORDS; block < stop_block; block++) {
            read_block(&counting, block);
            for (int b = 0; b < counting.n_bundles; b++) {
                const struct bundle *bundle = counting.bundles + b;
                const int64_t i = first + b * MASKS_OF_A_BUNDLE;
                const int32_t *owners = firing->owners + i;
                if (have_fired(firing, owners, bundle->n_masks, block))
                    continue;
                FOR_BITS(counting.n_bits, fire_bundle, &counting, bundle,
                         neurons->bounds + i, firing, owners, block);
            }
        }
        first += n_listed;
    }
    stop_counting(&counting);
    return 0;
}

static int covers(const struct codes *codes, const struct neurons *neurons,
                  int64_t start, int64_t stop, uint64_t *fires)
{
    if (!codes->are_planes)
        return covers_of_tiles(codes, neurons, start, stop, fires);
    int64_t n = neurons->n_neurons, n_tiles = stop - start;
    int32_t *owners = malloc((size_t)(n + 1) * sizeof *owners);
    if (owners == NULL)
        return -1;
    for (int64_t i = 0; i < n; i++)
        owners[i] = (int32_t)i;
    memset(fires, 0, (size_t)(n * n_tiles) * sizeof *fires);
    struct firing firing = {fires, owners, start, stop, n_tiles, 1};
    int failed = fire(codes, neurons, &firing);
    free(owners);
    return failed;
}

/* Lanes beyond the last sample fire nowhere. */
static void forget_lanes_beyond(int64_t n_samples, int64_t n_tiles, int64_t n_classes,
                                uint64_t *fired)
{
    for (int64_t tile = n_samples / LANES; tile < n_tiles; tile++) {
        const uint64_t in_use = lanes_before(n_samples, tile);
        for (int64_t number = 0; number < n_classes; number++)
            fired[tile * n_classes + number] &= in_use;
    }
}

static int classes_that_fire(const struct codes *codes, const struct neurons *neurons,
                             const struct classes *classes, int64_t n_samples,
                             uint64_t *fired)
{
    if (!codes->are_planes)
        return classes_that_fire_in_tiles(codes, neurons, classes, n_samples, fired);
    int64_t n_classes = classes->n_classes, first = classes->starts[0];
    int64_t n_neurons = classes->starts[n_classes] - first;
    int32_t *owners = malloc((size_t)(n_neurons + 1) * sizeof *owners);
    if (owners == NULL)
        return -1;
    for (int64_t number = 0; number < n_classes; number++)
        for (int64_t i = classes->starts[number]; i < classes->starts[number + 1]; i++)
            owners[i - first] = (int32_t)number;
    memset(fired, 0, (size_t)(codes->n_tiles * n_classes) * sizeof *fired);
    struct neurons of_classes
        = {neurons->masks + first * codes->n_words, neurons->bounds + first, n_neurons};
    struct firing firing = {fired, owners, 0, codes->n_tiles, 1, n_classes};
    int failed = fire(codes, &of_classes, &firing);
    forget_lanes_beyond(n_samples, codes->n_tiles, n_classes, fired);
    free(owners);
    return failed;
}

static int smallest_counts(const struct codes *codes, const struct neurons *neurons,
                           int64_t skip_start, int64_t skip_stop, int32_t *smallest)
{
    if (codes->are_planes)
        return smallest_counts_of_planes(codes, neurons, skip_start, skip_stop,
                                         smallest);
    return smallest_counts_of_tiles(codes, neurons, skip_start, skip_stop, smallest);
}
