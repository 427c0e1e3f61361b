/* Counting codes that are laid out in planes. */
#include <stdlib.h>

#include "counters.h"

/* So many masks are counted together, and so many planes of each are added while they
 * are in the fastest cache. */
#define MASKS_TOGETHER 16
#define PLANES_AT_ONCE 192

/* The masks that are counted, and their counters, each followed by the lanes below. */
struct count {
    int n_left, masks[MASKS_TOGETHER];
    bits_t (*limits)[MOST_BITS]; /* of MASKS_AT_ONCE masks */
    bits_t states[MASKS_TOGETHER][MOST_BITS + 1];
};

/* Count the masks in a block; leave those that have a lane below their limit. */
INLINE void count_block_in(const int n_bits, const char *planes,
                           const struct lists *lists, struct count *count)
{
    int slots[MASKS_TOGETHER], goes_on = count->n_left > 0;
    for (int i = 0; i < count->n_left; i++) {
        slots[i] = i;
        for (int k = 0; k < n_bits; k++)
            count->states[i][k] = spread_word(0);
    }
    for (int64_t start = 0; goes_on; start += PLANES_AT_ONCE) {
        int n_kept = 0;
        goes_on = 0;
        for (int i = 0; i < count->n_left; i++) {
            int mask = count->masks[i], slot = slots[i];
            int64_t n = lists->lengths[mask] - start;
            const int32_t *rows = lists->rows + mask * lists->stride + start;
            if (n > PLANES_AT_ONCE)
                n = PLANES_AT_ONCE;
            if ((n > 0 || start == 0)
                && !add_planes(n_bits, planes, rows, n, count->limits[mask],
                               count->states[slot]))
                continue;
            count->masks[n_kept] = mask;
            slots[n_kept++] = slot;
            goes_on |= lists->lengths[mask] > start + PLANES_AT_ONCE;
        }
        count->n_left = n_kept;
    }
    for (int i = 0; i < count->n_left; i++)
        if (slots[i] != i)
            memcpy(count->states[i], count->states[slots[i]], sizeof count->states[i]);
}

static void count_narrow(const char *planes, const struct lists *lists,
                         struct count *count)
{
    count_block_in(NARROW, planes, lists, count);
}

static void count_wide(const char *planes, const struct lists *lists,
                       struct count *count)
{
    count_block_in(WIDE, planes, lists, count);
}

/* The number of bits that count all planes, with a number to spare for a limit. */
static int n_bits_for(int64_t n_planes)
{
    return n_planes < ((int64_t)1 << NARROW) - 1 ? NARROW : WIDE;
}

static void count_block(int n_bits, const char *planes, const struct lists *lists,
                        struct count *count)
{
    if (n_bits == NARROW)
        count_narrow(planes, lists, count);
    else
        count_wide(planes, lists, count);
}

/* Return the smallest count of some lanes, at least one. */
static int64_t smallest_of(const bits_t *counters, int n_bits, bits_t lanes)
{
    int64_t value = 0;
    for (int k = n_bits - 1; k >= 0; k--) {
        bits_t with_zero = lanes & ~counters[k];
        if (any_bit(with_zero))
            lanes = with_zero;
        else
            value |= (int64_t)1 << k;
    }
    return value;
}

/* Vectors have to stand where `malloc` need not put them. */
static void *aligned_room(size_t size, void **start)
{
    *start = malloc(size + 64);
    if (*start == NULL)
        return NULL;
    return (void *)(((uintptr_t)*start + 63) & ~(uintptr_t)63);
}

struct counting {
    struct lists lists;
    struct count *count;
    void *room;
    int n_bits;
};

static int start_counting(struct counting *counting, const struct codes *planes)
{
    size_t limits = MASKS_AT_ONCE * sizeof(bits_t[MOST_BITS]);
    if (new_lists(&counting->lists, planes))
        return -1;
    counting->count = aligned_room(limits + sizeof(struct count), &counting->room);
    if (counting->count == NULL) {
        free_lists(&counting->lists);
        return -1;
    }
    counting->count->limits = (bits_t(*)[MOST_BITS])(counting->count + 1);
    counting->n_bits = n_bits_for(64 * planes->n_words);
    return 0;
}

static void stop_counting(struct counting *counting)
{
    free_lists(&counting->lists);
    free(counting->room);
}

static int smallest_counts_of_planes(const struct codes *planes,
                                     const struct neurons *neurons, int64_t skip_start,
                                     int64_t skip_stop, int32_t *smallest)
{
    struct counting counting;
    const int64_t n_blocks = planes->n_tiles / WORDS;
    if (start_counting(&counting, planes))
        return -1;
    struct count *count = counting.count;
    const int n_bits = counting.n_bits;
    for (int64_t first = 0; first < neurons->n_neurons; first += MASKS_AT_ONCE) {
        int n_masks = MASKS_AT_ONCE;
        if (neurons->n_neurons - first < n_masks)
            n_masks = (int)(neurons->n_neurons - first);
        list_planes(&counting.lists, neurons->masks + first * planes->n_words, n_masks);
        for (int i = 0; i < n_masks; i++) {
            smallest[first + i] = INT32_MAX;
            spread_number(count->limits[i], INT32_MAX, n_bits);
        }
        for (int64_t block = 0; block < n_blocks; block++) {
            uint64_t words[WORDS], any = 0;
            for (int k = 0; k < WORDS; k++) {
                int64_t tile = block * WORDS + k;
                words[k] = skip_start <= tile && tile < skip_stop ? 0 : ~(uint64_t)0;
                any |= words[k];
            }
            if (!any)
                continue;
            const bits_t valid = load_bits(words);
            for (int start = 0; start < n_masks; start += MASKS_TOGETHER) {
                count->n_left = 0;
                for (int i = start; i < n_masks && i < start + MASKS_TOGETHER; i++)
                    count->masks[count->n_left++] = i;
                count_block(n_bits, block_of(planes, block), &counting.lists, count);
                for (int i = 0; i < count->n_left; i++) {
                    bits_t lanes = count->states[i][n_bits] & valid;
                    if (!any_bit(lanes))
                        continue;
                    int mask = count->masks[i];
                    int64_t value = smallest_of(count->states[i], n_bits, lanes);
                    smallest[first + mask] = (int32_t)value;
                    spread_number(count->limits[mask], value, n_bits);
                }
            }
        }
    }
    stop_counting(&counting);
    return 0;
}

/* The lanes in which neurons fire: `fired[owner * stride + tile * step]` for the tiles
 * start .. stop - 1, or-ed over the neurons of an owner. */
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

static int fire(const struct codes *planes, const struct neurons *neurons,
                const struct firing *firing)
{
    struct counting counting;
    const int64_t first_block = firing->start / WORDS;
    const int64_t stop_block = (firing->stop + WORDS - 1) / WORDS;
    if (start_counting(&counting, planes))
        return -1;
    struct count *count = counting.count;
    const int n_bits = counting.n_bits;
    for (int64_t first = 0; first < neurons->n_neurons; first += MASKS_AT_ONCE) {
        int n_masks = MASKS_AT_ONCE;
        if (neurons->n_neurons - first < n_masks)
            n_masks = (int)(neurons->n_neurons - first);
        list_planes(&counting.lists, neurons->masks + first * planes->n_words, n_masks);
        for (int i = 0; i < n_masks; i++)
            spread_number(count->limits[i], neurons->bounds[first + i], n_bits);
        for (int64_t block = first_block; block < stop_block; block++) {
            int64_t start_tile = block * WORDS, stop_tile = start_tile + WORDS;
            if (start_tile < firing->start)
                start_tile = firing->start;
            if (stop_tile > firing->stop)
                stop_tile = firing->stop;
            for (int start = 0; start < n_masks; start += MASKS_TOGETHER) {
                count->n_left = 0;
                for (int i = start; i < n_masks && i < start + MASKS_TOGETHER; i++) {
                    uint64_t all = ~(uint64_t)0;
                    for (int64_t tile = start_tile; tile < stop_tile; tile++)
                        all &= *word_of(firing, firing->owners[first + i], tile);
                    if (all != ~(uint64_t)0)
                        count->masks[count->n_left++] = i;
                }
                count_block(n_bits, block_of(planes, block), &counting.lists, count);
                for (int i = 0; i < count->n_left; i++) {
                    uint64_t lanes[WORDS];
                    int32_t owner = firing->owners[first + count->masks[i]];
                    store_bits(lanes, count->states[i][n_bits]);
                    for (int64_t tile = start_tile; tile < stop_tile; tile++)
                        *word_of(firing, owner, tile) |= lanes[tile - block * WORDS];
                }
            }
        }
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

static int classes_that_fire(const struct codes *codes, const struct neurons *neurons,
                             const struct classes *classes, uint64_t *fired)
{
    if (!codes->are_planes)
        return classes_that_fire_in_tiles(codes, neurons, classes, fired);
    int64_t n_classes = classes->n_classes, first = classes->starts[0];
    int64_t n_neurons = classes->starts[n_classes] - first;
    int32_t *owners = malloc((size_t)(n_neurons + 1) * sizeof *owners);
    if (owners == NULL)
        return -1;
    for (int64_t number = 0; number < n_classes; number++)
        for (int64_t i = classes->starts[number]; i < classes->starts[number + 1]; i++)
            owners[i - first] = (int32_t)number;
    memset(fired, 0, (size_t)(codes->n_tiles * n_classes) * sizeof *fired);
    struct neurons of_classes = {neurons->masks + first * codes->n_words,
                                 neurons->bounds + first, n_neurons};
    struct firing firing = {fired, owners, 0, codes->n_tiles, 1, n_classes};
    int failed = fire(codes, &of_classes, &firing);
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
