/* Counting bit by bit: a counter for each sample, one bit of all of them in a vector.
 *
 * A plane holds one bit of many samples. Adding planes to counters takes full adders,
 * a + b + c = sum + 2 carry, of two logical operations each for all samples of a
 * vector; and only the planes that a mask selects are read. Three masks are counted
 * together, so that a plane is read once for all of them that select it: a *bundle*.
 */
#include <stdlib.h>

/* Counters have so many bits; all counts are below the largest number they hold. */
#define NARROW 10
#define MIDDLE 13
#define WIDE 24
#define MOST_BITS WIDE

/* Call a function for counters of `n_bits` bits; compiled for each number of them. */
#define FOR_BITS(n_bits, function, ...)                                                \
    do {                                                                               \
        if ((n_bits) == NARROW)                                                        \
            function(NARROW, __VA_ARGS__);                                             \
        else if ((n_bits) == MIDDLE)                                                   \
            function(MIDDLE, __VA_ARGS__);                                             \
        else                                                                           \
            function(WIDE, __VA_ARGS__);                                               \
    } while (0)

/* A vector of each plane, WORDS tiles, is a block; a group has so many of them. */
#define BLOCKS_OF_A_GROUP (TILES_OF_A_GROUP / WORDS)
/* From one plane to the next, in bytes: in a group, and in the copy of a block. */
#define GROUP_STRIDE (8 * TILES_OF_A_GROUP)
#define COPY_STRIDE (8 * WORDS)

/* Adding planes -------------------------------------------------------------------- */

INLINE bits_t half_add(bits_t *a, bits_t b)
{
    bits_t carry = *a & b;
    *a ^= b;
    return carry;
}

/* Two listed planes; their places are read at once, in whatever order. */
INLINE void read_planes(bits_t *a, const char *planes, const uint32_t *places)
{
    uint64_t both;
    memcpy(&both, places, sizeof both);
    a[0] = load_bits(planes + (uint32_t)both);
    a[1] = load_bits(planes + (both >> 32));
}

/* Add 8 planes to the counters; return the carry of weight 8. Sums of planes come
 * first, so that one addition to a counter does not wait for another. */
INLINE bits_t add_these(bits_t *counters, bits_t *a)
{
    bits_t twos_a = full_add(a, a[1], a[2]), twos_b = full_add(a + 3, a[4], a[5]);
    bits_t twos_c = full_add(a, a[6], a[7]);
    bits_t twos_d = full_add(counters, a[0], a[3]);
    bits_t fours_a = full_add(&twos_a, twos_b, twos_c);
    bits_t fours_b = full_add(counters + 1, twos_a, twos_d);
    return full_add(counters + 2, fours_a, fours_b);
}

/* Add 8 listed planes. */
INLINE bits_t add_8(bits_t *counters, const char *planes, const uint32_t *places)
{
    bits_t a[8];
    UNROLL
    for (int k = 0; k < 8; k += 2)
        read_planes(a + k, planes, places + k);
    return add_these(counters, a);
}

/* Add less than 8 listed planes; as many places are read, of whatever planes. */
INLINE bits_t add_less(bits_t *counters, const char *planes, const uint32_t *places,
                       int64_t n)
{
    bits_t a[8];
    UNROLL
    for (int k = 0; k < 8; k += 2) {
        read_planes(a + k, planes, places + k);
        a[k] &= spread_word((uint64_t)(k - n) >> 63 ? ~(uint64_t)0 : 0);
        a[k + 1] &= spread_word((uint64_t)(k + 1 - n) >> 63 ? ~(uint64_t)0 : 0);
    }
    return add_these(counters, a);
}

/* Add 16, 32, 64 of them. */
#define ADD_TWICE(both, half, level)                                                   \
    INLINE bits_t add_##both(bits_t *counters, const char *planes,                     \
                             const uint32_t *places)                                   \
    {                                                                                  \
        bits_t a = add_##half(counters, planes, places);                               \
        bits_t b = add_##half(counters, planes, places + half);                        \
        return full_add(counters + level, a, b);                                       \
    }

ADD_TWICE(16, 8, 3)
ADD_TWICE(32, 16, 4)
ADD_TWICE(64, 32, 5)

/* Add a bit of weight 2**level. */
INLINE void add_carry(bits_t *counters, const int level, const int n_bits, bits_t carry)
{
    UNROLL
    for (int k = level; k < n_bits; k++)
        carry = half_add(counters + k, carry);
}

/* Add listed planes; the list goes on with 8 places of whatever planes. */
INLINE void add_planes(const int n_bits, bits_t *counters, const char *planes,
                       const uint32_t *places, int64_t n)
{
    bits_t sums[MOST_BITS], carry = spread_word(0);
    UNROLL
    for (int k = 0; k < n_bits; k++)
        sums[k] = counters[k];
    /* What makes no 64 comes first, so that its carries go the way up with others. */
    if (n & 7)
        carry = add_less(sums, planes, places + (n & ~(int64_t)7), n & 7);
    if (n & 8) {
        carry = full_add(sums + 3, carry, add_8(sums, planes, places));
        places += 8;
    } else {
        carry = half_add(sums + 3, carry);
    }
    if (n & 16) {
        carry = full_add(sums + 4, carry, add_16(sums, planes, places));
        places += 16;
    } else {
        carry = half_add(sums + 4, carry);
    }
    if (n & 32) {
        carry = full_add(sums + 5, carry, add_32(sums, planes, places));
        places += 32;
    } else {
        carry = half_add(sums + 5, carry);
    }
    if (n < 64)
        add_carry(sums, 6, n_bits, carry);
    for (; n >= 64; n -= 64, places += 64) {
        carry = full_add(sums + 6, carry, add_64(sums, planes, places));
        add_carry(sums, 7, n_bits, carry);
        carry = spread_word(0);
    }
    UNROLL
    for (int k = 0; k < n_bits; k++)
        counters[k] = sums[k];
}

static void add_planes_narrow(bits_t *counters, const char *planes,
                              const uint32_t *places, int64_t n)
{
    add_planes(NARROW, counters, planes, places, n);
}

static void add_planes_middle(bits_t *counters, const char *planes,
                              const uint32_t *places, int64_t n)
{
    add_planes(MIDDLE, counters, planes, places, n);
}

static void add_planes_wide(bits_t *counters, const char *planes,
                            const uint32_t *places, int64_t n)
{
    add_planes(WIDE, counters, planes, places, n);
}

/* Counters as numbers -------------------------------------------------------------- */

/* total = a + b */
INLINE void add_numbers(const int n_bits, bits_t *total, const bits_t *a,
                        const bits_t *b)
{
    bits_t carry = spread_word(0);
    UNROLL
    for (int k = 0; k < n_bits; k++) {
        bits_t sum = a[k];
        carry = full_add(&sum, b[k], carry);
        total[k] = sum;
    }
}

/* Return [a < b], bit by bit from the lowest one. */
INLINE bits_t lanes_below(const int n_bits, const bits_t *a, const bits_t *b)
{
    bits_t below = spread_word(0);
    UNROLL
    for (int k = 0; k < n_bits; k++)
        below = majority_without(below, a[k], b[k]);
    return below;
}

/* Let all counters be one number, or the nearest one that they can be. */
INLINE void spread_number(const int n_bits, bits_t *counters, int64_t number)
{
    const int64_t largest = ((int64_t)1 << n_bits) - 1;
    number = number < 0 ? 0 : number > largest ? largest : number;
    UNROLL
    for (int k = 0; k < n_bits; k++)
        counters[k] = spread_word(number >> k & 1 ? ~(uint64_t)0 : 0);
}

/* Return the smallest number of some lanes, at least one. */
INLINE int64_t smallest_number(const int n_bits, const bits_t *counters, bits_t lanes)
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

/* Store the numbers of the first lanes, and of those that are in a word with them. */
static void read_numbers(int n_bits, const bits_t *counters, int64_t n_lanes,
                         int64_t *numbers)
{
    const char *planes = (const char *)counters;
    for (int w = 0; w < (n_lanes + LANES - 1) / LANES; w++)
        numbers_of_words(n_bits, planes + 8 * w, sizeof(bits_t), numbers + w * LANES);
}

/* Bundles of masks ----------------------------------------------------------------- */

#define MASKS_OF_A_BUNDLE 3
/* Cell c of a bundle has the planes that just the masks of the bits of c select. */
#define CELLS_OF_A_BUNDLE (1 << MASKS_OF_A_BUNDLE)

/* The places of the planes of each cell: cell c has those from `ends[c - 1]` to
 * `ends[c]`. */
struct bundle {
    int n_masks;
    int32_t ends[CELLS_OF_A_BUNDLE];
    uint32_t *places;
};

/* Bundles that are counted in one block after the other, and the block. */
struct counting {
    const struct codes *planes;
    int n_bits, most_bundles, n_bundles;
    int64_t n_planes, stride;
    struct bundle *bundles;
    uint32_t *places;
    const char *block;
    void *room;
};

/* Places that are kept at a time should fit the second cache. */
#define MOST_PLACES (1 << 17)
#define MOST_BUNDLES 128
/* So many numbers may be written, and read, beyond the last place. */
#define BEYOND 16

static void stop_counting(struct counting *counting)
{
    free(counting->bundles);
    free(counting->places);
    free(counting->room);
}

static int start_counting(struct counting *counting, const struct codes *planes,
                          int64_t n_masks, int n_bits)
{
    const int64_t n_planes = 64 * planes->n_words, stride = n_planes + BEYOND;
    int64_t most = (n_masks + MASKS_OF_A_BUNDLE - 1) / MASKS_OF_A_BUNDLE;
    most = most < MOST_BUNDLES ? most : MOST_BUNDLES;
    most = most < MOST_PLACES / stride ? most : MOST_PLACES / stride;
    most = most < 1 ? 1 : most;
    counting->planes = planes;
    counting->n_bits = n_bits;
    counting->n_planes = n_planes;
    counting->most_bundles = (int)most;
    counting->bundles = malloc((size_t)most * sizeof(struct bundle));
    counting->places = malloc((size_t)(most * stride) * sizeof(uint32_t));
    counting->room = malloc((size_t)n_planes * COPY_STRIDE + 64);
    if (!counting->bundles || !counting->places || !counting->room) {
        stop_counting(counting);
        return -1;
    }
    for (int64_t i = 0; i < most; i++)
        counting->bundles[i].places = counting->places + i * stride;
    return 0;
}

/* Store (first + k) * stride for each bit k of a word, and up to 15 more numbers;
 * return how many bits there are. */
INLINE int64_t list_bits(uint64_t word, int64_t first, int64_t stride, uint32_t *places)
{
    int64_t n = 0;
#if defined(VECTORS_512)
    const __m512i steps = _mm512_mullo_epi32(
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        _mm512_set1_epi32((int)stride));
    UNROLL
    for (int k = 0; k < 64; k += 16) {
        __mmask16 part = (__mmask16)(word >> k);
        const int start = (int)(first + k) * (int)stride;
        __m512i bits = _mm512_add_epi32(steps, _mm512_set1_epi32(start));
        _mm512_storeu_si512(places + n, _mm512_maskz_compress_epi32(part, bits));
        n += count_of_word(part);
    }
#else
    for (; word; word &= word - 1)
        places[n++] = (uint32_t)((first + lowest_bit(word)) * stride);
#endif
    return n;
}

static void list_bundle(struct counting *counting, const uint64_t *masks, int n_masks,
                        struct bundle *bundle)
{
    const int64_t n_words = counting->planes->n_words;
    int64_t n = 0;
    bundle->n_masks = n_masks;
    bundle->ends[0] = 0;
    for (int cell = 1; cell < 1 << n_masks; cell++) {
        for (int64_t word = 0; word < n_words; word++) {
            uint64_t bits = ~(uint64_t)0;
            for (int i = 0; i < n_masks; i++) {
                uint64_t mask = masks[i * n_words + word];
                bits &= cell >> i & 1 ? mask : ~mask;
            }
            n += list_bits(bits, 64 * word, counting->stride, bundle->places + n);
        }
        bundle->ends[cell] = (int32_t)n;
    }
    memset(bundle->places + n, 0, BEYOND * sizeof *bundle->places);
}

/* From so many masks on, it pays to copy the parts of planes that are counted. */
#define MASKS_TO_COPY 8

/* Make bundles of the next masks; return how many they are. */
static int64_t list_masks(struct counting *counting, const uint64_t *masks, int64_t n)
{
    const int64_t n_words = counting->planes->n_words;
    int64_t start = 0;
    counting->stride = n < MASKS_TO_COPY ? GROUP_STRIDE : COPY_STRIDE;
    for (int i = 0; i < counting->most_bundles && start < n; i++) {
        int64_t n_masks = n - start < MASKS_OF_A_BUNDLE ? n - start : MASKS_OF_A_BUNDLE;
        list_bundle(counting, masks + start * n_words, (int)n_masks,
                    counting->bundles + i);
        start += n_masks;
        counting->n_bundles = i + 1;
    }
    return start;
}

/* Say which block is counted. Parts of groups are copied if it is worth it, and so is
 * what does not start where a cache line does. */
static void read_block(struct counting *counting, int64_t block)
{
    const struct codes *planes = counting->planes;
    const uint64_t *words
        = planes->words
          + block / BLOCKS_OF_A_GROUP * counting->n_planes * TILES_OF_A_GROUP
          + block % BLOCKS_OF_A_GROUP * WORDS;
    const int is_aligned = (uintptr_t)words % COPY_STRIDE == 0;
    if (counting->stride == GROUP_STRIDE
        && (is_aligned || COPY_STRIDE < GROUP_STRIDE)) {
        counting->block = (const char *)words;
        return;
    }
    char *copy = (char *)(((uintptr_t)counting->room + 63) & ~(uintptr_t)63);
    for (int64_t j = 0; j < counting->n_planes; j++)
        store_bits(copy + j * COPY_STRIDE, load_bits(words + j * TILES_OF_A_GROUP));
    counting->block = copy;
}

INLINE void copy_number(const int n_bits, bits_t *target, const bits_t *number)
{
    UNROLL
    for (int k = 0; k < n_bits; k++)
        target[k] = number[k];
}

INLINE void add_cell(const int n_bits, bits_t *counters,
                     const struct counting *counting, const struct bundle *bundle,
                     int cell)
{
    const uint32_t *places = bundle->places + bundle->ends[cell - 1];
    int64_t n = bundle->ends[cell] - bundle->ends[cell - 1];
    if (n_bits == NARROW)
        add_planes_narrow(counters, counting->block, places, n);
    else if (n_bits == MIDDLE)
        add_planes_middle(counters, counting->block, places, n);
    else
        add_planes_wide(counters, counting->block, places, n);
}

typedef bits_t counts_t[MASKS_OF_A_BUNDLE][MOST_BITS];

/* Count the masks of a bundle in the block: each is the sum of four cells, and goes on
 * from sums that others need, too. */
INLINE void count_bundle_in(const int n_bits, const struct counting *counting,
                            const struct bundle *bundle, counts_t counts)
{
    bits_t of_all[MOST_BITS], ab[MOST_BITS], ac[MOST_BITS], bc[MOST_BITS];
    if (bundle->n_masks == 1) {
        spread_number(n_bits, counts[0], 0);
        add_cell(n_bits, counts[0], counting, bundle, 1);
        return;
    }
    if (bundle->n_masks == 2) {
        spread_number(n_bits, counts[0], 0);
        add_cell(n_bits, counts[0], counting, bundle, 3);
        copy_number(n_bits, counts[1], counts[0]);
        add_cell(n_bits, counts[0], counting, bundle, 1);
        add_cell(n_bits, counts[1], counting, bundle, 2);
        return;
    }
    spread_number(n_bits, of_all, 0);
    spread_number(n_bits, ac, 0);
    spread_number(n_bits, bc, 0);
    add_cell(n_bits, of_all, counting, bundle, 7);
    copy_number(n_bits, ab, of_all);
    add_cell(n_bits, ab, counting, bundle, 3);
    add_cell(n_bits, ac, counting, bundle, 5);
    add_cell(n_bits, bc, counting, bundle, 6);
    add_numbers(n_bits, counts[0], ab, ac);
    add_numbers(n_bits, counts[1], ab, bc);
    add_numbers(n_bits, counts[2], ac, bc);
    add_numbers(n_bits, counts[2], counts[2], of_all);
    add_cell(n_bits, counts[0], counting, bundle, 1);
    add_cell(n_bits, counts[1], counting, bundle, 2);
    add_cell(n_bits, counts[2], counting, bundle, 4);
}

/* The number of bits that hold numbers up to `most`, and have a larger one to spare. */
static int n_bits_for(int64_t most)
{
    if (most < ((int64_t)1 << NARROW) - 1)
        return NARROW;
    return most < ((int64_t)1 << MIDDLE) - 1 ? MIDDLE : WIDE;
}

/* The largest number of planes that a mask selects. */
static int64_t most_planes(const struct neurons *neurons, int64_t n_words)
{
    int64_t most = 0;
    for (int64_t i = 0; i < neurons->n_neurons; i++) {
        int64_t n = 0;
        for (int64_t word = 0; word < n_words; word++)
            n += count_of_word(neurons->masks[i * n_words + word]);
        most = n > most ? n : most;
    }
    return most;
}
