/* Counting bit by bit: a counter for each sample, one bit of all of them in a vector.
 *
 * A plane holds one bit of many samples. Adding planes to counters takes full adders,
 * a + b + c = sum + 2 carry, of two logical operations each for all samples of a vector;
 * and only the planes that a mask selects are read.
 */

/* Counters have so many bits; the number of planes is below the largest one. */
#define NARROW 12
#define WIDE 24
#define MOST_BITS WIDE

/* From one selected plane to the next, in bytes. */
#define PLANE_BYTES (TILES_OF_A_GROUP * 8)

INLINE bits_t plane_at(const char *planes, const int32_t *rows)
{
    return load_bits(planes + *rows);
}

/* Add 2, 4, ... 64 planes; return the carry, of weight 2, 4, ... 64. */
INLINE bits_t add_2(bits_t *counters, const char *planes, const int32_t *rows)
{
    bits_t a = plane_at(planes, rows), b = plane_at(planes, rows + 1);
    bits_t carry = majority(counters[0], a, b);
    counters[0] = sum_of_three(counters[0], a, b);
    return carry;
}

#define ADD_TWICE(both, half, level)                                                   \
    INLINE bits_t add_##both(bits_t *counters, const char *planes, const int32_t *rows) \
    {                                                                                  \
        bits_t a = add_##half(counters, planes, rows);                                 \
        bits_t b = add_##half(counters, planes, rows + half);                          \
        bits_t carry = majority(counters[level], a, b);                                \
        counters[level] = sum_of_three(counters[level], a, b);                         \
        return carry;                                                                  \
    }

ADD_TWICE(4, 2, 1)
ADD_TWICE(8, 4, 2)
ADD_TWICE(16, 8, 3)
ADD_TWICE(32, 16, 4)
ADD_TWICE(64, 32, 5)

/* Add a bit of weight 2**level. */
INLINE void add_carry(bits_t *counters, const int level, const int n_bits, bits_t carry)
{
    UNROLL
    for (int k = level; k < n_bits; k++) {
        bits_t bit = counters[k];
        counters[k] = bit ^ carry;
        carry = bit & carry;
    }
}

/* Return [counter < limit], bit by bit from the lowest one. */
INLINE bits_t lanes_below(const bits_t *counters, const bits_t *limit, const int n_bits)
{
    bits_t below = spread_word(0);
    UNROLL
    for (int k = 0; k < n_bits; k++)
        below = majority_without(below, counters[k], limit[k]);
    return below;
}

/* Add planes to the counters `state`; store there, after the counters, which of them are
 * below the limit, and return whether any is. Return 0, and leave the state alone, as
 * soon as none can end below.
 *
 * `rows` are the places of the planes in bytes, and up to 15 more that are read. */
INLINE int add_planes(const int n_bits, const char *planes, const int32_t *rows,
                      int64_t n_rows, const bits_t *limit, bits_t *state)
{
    bits_t counters[MOST_BITS];
    int64_t row = 0;
    UNROLL
    for (int k = 0; k < n_bits; k++)
        counters[k] = state[k];
    for (; row + 64 <= n_rows; row += 64) {
        add_carry(counters, 6, n_bits, add_64(counters, planes, rows + row));
        if (!any_bit(lanes_below(counters, limit, n_bits)))
            return 0;
    }
    for (; row + 8 <= n_rows; row += 8)
        add_carry(counters, 3, n_bits, add_8(counters, planes, rows + row));
    for (; row < n_rows; row++)
        add_carry(counters, 0, n_bits, plane_at(planes, rows + row));
    bits_t below = lanes_below(counters, limit, n_bits);
    UNROLL
    for (int k = 0; k < n_bits; k++)
        state[k] = counters[k];
    state[n_bits] = below;
    return any_bit(below);
}

/* Spread a number over the bits of all counters. */
INLINE void spread_number(bits_t *counters, int64_t number, const int n_bits)
{
    int64_t largest = ((int64_t)1 << n_bits) - 1;
    number = number < 0 ? 0 : number > largest ? largest : number;
    for (int k = 0; k < n_bits; k++)
        counters[k] = spread_word(number >> k & 1 ? ~(uint64_t)0 : 0);
}

/* Blocks of planes, and what masks select of them --------------------------------- */

/* A vector of each plane: WORDS tiles, of which a group has TILES_OF_A_GROUP. */
#define BLOCKS_OF_A_GROUP (TILES_OF_A_GROUP / WORDS)

static const char *block_of(const struct codes *planes, int64_t block)
{
    const uint64_t *group = planes->words
        + block / BLOCKS_OF_A_GROUP * planes->n_words * 64 * TILES_OF_A_GROUP;
    return (const char *)(group + block % BLOCKS_OF_A_GROUP * WORDS);
}

/* So many masks are turned into lists of planes together. */
#define MASKS_AT_ONCE 64

/* Where counts grow fastest, they pass their limits soonest: planes are added in the
 * order of the share of samples that have the bit. */
#define LEVELS 4

struct lists {
    int32_t *rows; /* `stride` for each mask */
    int64_t stride, lengths[MASKS_AT_ONCE];
    uint64_t *levels; /* the planes of each level as a mask */
    int64_t n_words;
};

static void free_lists(struct lists *lists)
{
    free(lists->rows);
    free(lists->levels);
}

/* Sort the planes into levels by looking at one tile each of eight groups. */
static int new_lists(struct lists *lists, const struct codes *planes)
{
    int64_t n_words = planes->n_words, n_planes = 64 * n_words;
    int64_t n_groups = planes->n_tiles / TILES_OF_A_GROUP;
    lists->n_words = n_words;
    lists->stride = n_planes + 16;
    lists->rows = malloc((size_t)(lists->stride * MASKS_AT_ONCE) * sizeof(int32_t));
    lists->levels = calloc((size_t)(LEVELS * n_words + 1), sizeof(uint64_t));
    if (lists->rows == NULL || lists->levels == NULL) {
        free_lists(lists);
        return -1;
    }
    for (int64_t j = 0; j < n_planes; j++) {
        int count = 0;
        for (int64_t k = 0; k < TILES_OF_A_GROUP; k++) {
            int64_t group = k * n_groups / TILES_OF_A_GROUP;
            count += count_of_word(
                planes->words[(group * n_planes + j) * TILES_OF_A_GROUP + k]);
        }
        int level = count * LEVELS / (TILES_OF_A_GROUP * LANES);
        level = LEVELS - 1 - (level < LEVELS ? level : LEVELS - 1);
        lists->levels[level * n_words + j / 64] |= (uint64_t)1 << (j % 64);
    }
    return 0;
}

/* Store the places of the bits of a word; return how many they are. Up to 15 numbers
 * beyond them are overwritten. */
INLINE int64_t list_bits(uint64_t word, int32_t first, int32_t *places)
{
#if defined(VECTORS_512)
    const __m512i steps = _mm512_mullo_epi32(
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        _mm512_set1_epi32(PLANE_BYTES));
    int64_t n = 0;
    UNROLL
    for (int k = 0; k < 4; k++) {
        __mmask16 part = (__mmask16)(word >> (16 * k));
        __m512i places_of_part = _mm512_add_epi32(
            steps, _mm512_set1_epi32(first + 16 * k * PLANE_BYTES));
        _mm512_storeu_si512(places + n,
                            _mm512_maskz_compress_epi32(part, places_of_part));
        n += count_of_word(part);
    }
    return n;
#else
    int64_t n = 0;
    for (; word; word &= word - 1)
        places[n++] = first + PLANE_BYTES * lowest_bit(word);
    return n;
#endif
}

static void list_planes(struct lists *lists, const uint64_t *masks, int64_t n_masks)
{
    for (int64_t i = 0; i < n_masks; i++) {
        int32_t *rows = lists->rows + i * lists->stride;
        int64_t n = 0;
        for (int level = 0; level < LEVELS; level++) {
            const uint64_t *planes = lists->levels + level * lists->n_words;
            for (int64_t word = 0; word < lists->n_words; word++) {
                uint64_t bits = masks[i * lists->n_words + word] & planes[word];
                n += list_bits(bits, (int32_t)(64 * PLANE_BYTES * word), rows + n);
            }
        }
        lists->lengths[i] = n;
    }
}
