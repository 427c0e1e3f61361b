/* Counting codes that are laid out in tiles: 64 counts side by side. */
#include <stdlib.h>

/* So many vectors of counts stay in registers; they make a part of a tile. */
#if WORDS >= 8
#define COUNTS_TOGETHER 8
#else
#define COUNTS_TOGETHER 4
#endif
#define LANES_TOGETHER (COUNTS_TOGETHER * WORDS)
/* The counts are compared with the limit after every so many words. */
#define WORDS_AT_ONCE 2

/* Store popcount(code & mask) for some lanes of a tile; or return 0, and leave the
 * counts alone, as soon as none of them can end below the limit. */
INLINE int count_lanes(const uint64_t *tile, const uint64_t *mask, int64_t n_words,
                       uint64_t limit, uint64_t *result)
{
    bits_t counts[COUNTS_TOGETHER];
    UNROLL
    for (int k = 0; k < COUNTS_TOGETHER; k++)
        counts[k] = spread_word(0);
    for (int64_t word = 0; word < n_words;) {
        int64_t stop = word + WORDS_AT_ONCE < n_words ? word + WORDS_AT_ONCE : n_words;
        for (; word < stop; word++) {
            bits_t bits = spread_word(mask[word]);
            UNROLL
            for (int k = 0; k < COUNTS_TOGETHER; k++)
                counts[k] += counts_of_words(
                    bits & load_bits(tile + word * LANES + k * WORDS));
        }
        /* Both numbers are below 2**63: their difference is negative, or it is not. */
        bits_t below = spread_word(0);
        UNROLL
        for (int k = 0; k < COUNTS_TOGETHER; k++)
            below |= counts[k] - spread_word(limit);
        if (!any_bit(below >> 63))
            return 0;
    }
    UNROLL
    for (int k = 0; k < COUNTS_TOGETHER; k++)
        store_bits(result + k * WORDS, counts[k]);
    return 1;
}

/* Nothing is below a negative bound. */
INLINE uint64_t as_limit(int64_t bound)
{
    return bound > 0 ? (uint64_t)bound : 0;
}

/* Return the bits [popcount(code & mask) < bound] of a tile. */
static uint64_t lanes_covered(const uint64_t *tile, const uint64_t *mask,
                              int64_t n_words, int64_t bound)
{
    const uint64_t limit = as_limit(bound);
    uint64_t below = 0, counts[LANES_TOGETHER];
    for (int lane = 0; lane < LANES; lane += LANES_TOGETHER) {
        if (!count_lanes(tile + lane, mask, n_words, limit, counts))
            continue;
        for (int k = 0; k < LANES_TOGETHER; k++)
            below |= (uint64_t)(counts[k] < limit) << (lane + k);
    }
    return below;
}

static const uint64_t *tile_at(const struct codes *codes, int64_t tile)
{
    return codes->words + tile * codes->n_words * LANES;
}

static int smallest_counts_of_tiles(const struct codes *codes,
                                    const struct neurons *neurons, int64_t skip_start,
                                    int64_t skip_stop, int32_t *smallest)
{
    const int64_t n_words = codes->n_words;
    for (int64_t i = 0; i < neurons->n_neurons; i++) {
        uint64_t limit = INT32_MAX, counts[LANES_TOGETHER];
        for (int64_t tile = 0; tile < codes->n_tiles; tile++) {
            if (skip_start <= tile && tile < skip_stop)
                continue;
            for (int lane = 0; lane < LANES; lane += LANES_TOGETHER) {
                if (!count_lanes(tile_at(codes, tile) + lane,
                                 neurons->masks + i * n_words, n_words, limit, counts))
                    continue;
                for (int k = 0; k < LANES_TOGETHER; k++)
                    if (counts[k] < limit)
                        limit = counts[k];
            }
        }
        smallest[i] = (int32_t)limit;
    }
    return 0;
}

static int covers_of_tiles(const struct codes *codes, const struct neurons *neurons,
                           int64_t start, int64_t stop, uint64_t *fires)
{
    const int64_t n_words = codes->n_words;
    for (int64_t i = 0; i < neurons->n_neurons; i++)
        for (int64_t tile = start; tile < stop; tile++)
            fires[i * (stop - start) + tile - start]
                = lanes_covered(tile_at(codes, tile), neurons->masks + i * n_words,
                                n_words, neurons->bounds[i]);
    return 0;
}

/* Few samples of a tile are counted one by one: the words of their codes side by side.
 */
#define FEW_LANES 8

static void read_lane(const struct codes *codes, int64_t tile, int lane, uint64_t *code)
{
    for (int64_t word = 0; word < codes->n_words; word++)
        code[word] = tile_at(codes, tile)[word * LANES + lane];
}

/* Return popcount(a & b). */
INLINE int64_t count_of_both(const uint64_t *a, const uint64_t *b, int64_t n_words)
{
    bits_t counts = spread_word(0);
    int64_t word = 0, rest = 0;
    for (; word + WORDS <= n_words; word += WORDS)
        counts += counts_of_words(load_bits(a + word) & load_bits(b + word));
    for (; word < n_words; word++)
        rest += count_of_word(a[word] & b[word]);
    return rest + (int64_t)sum_of_words(counts);
}

static int fires_at(const uint64_t *code, const struct neurons *neurons, int64_t start,
                    int64_t stop, int64_t n_words)
{
    for (int64_t i = start; i < stop; i++)
        if (count_of_both(code, neurons->masks + i * n_words, n_words)
            < neurons->bounds[i])
            return 1;
    return 0;
}

/* The number of lanes of a tile that hold samples. */
static int lanes_in_use(int64_t n_samples, int64_t tile)
{
    const int64_t n = n_samples - tile * LANES;
    return n <= 0 ? 0 : n < LANES ? (int)n : LANES;
}

/* The lanes of a tile that the samples before number `stop` are in. */
static uint64_t lanes_before(int64_t stop, int64_t tile)
{
    const int n = lanes_in_use(stop, tile);
    return n == LANES ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
}

static void fires_of_few(const struct codes *codes, int64_t tile, int n_lanes,
                         const struct neurons *neurons, const struct classes *classes,
                         uint64_t *code, uint64_t *fired)
{
    for (int lane = 0; lane < n_lanes; lane++) {
        read_lane(codes, tile, lane, code);
        for (int64_t number = 0; number < classes->n_classes; number++) {
            int fires = fires_at(code, neurons, classes->starts[number],
                                 classes->starts[number + 1], codes->n_words);
            fired[number] |= (uint64_t)fires << lane;
        }
    }
}

static int classes_that_fire_in_tiles(const struct codes *codes,
                                      const struct neurons *neurons,
                                      const struct classes *classes, int64_t n_samples,
                                      uint64_t *fired)
{
    const int64_t n_words = codes->n_words, n_classes = classes->n_classes;
    uint64_t *code = malloc((size_t)(n_words + 1) * sizeof *code);
    if (code == NULL)
        return -1;
    memset(fired, 0, (size_t)(codes->n_tiles * n_classes) * sizeof *fired);
    for (int64_t tile = 0; tile < codes->n_tiles; tile++, fired += n_classes) {
        const int n_lanes = lanes_in_use(n_samples, tile);
        if (n_lanes <= FEW_LANES) {
            fires_of_few(codes, tile, n_lanes, neurons, classes, code, fired);
            continue;
        }
        for (int64_t number = 0; number < n_classes; number++) {
            const int64_t stop = classes->starts[number + 1];
            uint64_t lanes = 0;
            for (int64_t i = classes->starts[number]; i < stop && ~lanes; i++)
                lanes
                    |= lanes_covered(tile_at(codes, tile), neurons->masks + i * n_words,
                                     n_words, neurons->bounds[i]);
            fired[number] = lanes & ~(uint64_t)0 >> (LANES - n_lanes);
        }
    }
    free(code);
    return 0;
}
