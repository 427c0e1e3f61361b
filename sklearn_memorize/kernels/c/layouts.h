/* From tiles to planes, and back to words.
 *
 * A group of planes takes the memory of the 8 tiles it is made of. Within it, 64 x 64
 * matrices of bits are transposed, eight of them side by side.
 */
#include <stdlib.h>

/* Transpose eight matrices of 64 x 64 bits, by halves, quarters, eighths, ... */
static void transpose_bits(uint64_t (*bits)[TILES_OF_A_GROUP])
{
    uint64_t mask = 0x00000000FFFFFFFF;
    for (int size = 32; size; size /= 2, mask ^= mask << size) {
        for (int start = 0; start < 64; start += 2 * size) {
            for (int row = start; row < start + size; row++) {
                uint64_t *lower = bits[row], *upper = bits[row + size];
                for (int k = 0; k < TILES_OF_A_GROUP; k++) {
                    uint64_t swap = ((lower[k] >> size) ^ upper[k]) & mask;
                    upper[k] ^= swap;
                    lower[k] ^= swap << size;
                }
            }
        }
    }
}

static int arrange(const struct codes *codes)
{
    int64_t n_words = codes->n_words;
    size_t size = (size_t)n_words * LANES * TILES_OF_A_GROUP * sizeof(uint64_t);
    uint64_t (*planes)[TILES_OF_A_GROUP] = malloc(size);
    if (planes == NULL && size)
        return -1;
    for (int64_t first = 0; first < codes->n_tiles; first += TILES_OF_A_GROUP) {
        uint64_t *tiles = codes->words + first * n_words * LANES;
        for (int64_t word = 0; word < n_words; word++) {
            uint64_t (*bits)[TILES_OF_A_GROUP] = planes + LANES * word;
            for (int k = 0; k < TILES_OF_A_GROUP; k++)
                for (int lane = 0; lane < LANES; lane++)
                    bits[lane][k] = tiles[(k * n_words + word) * LANES + lane];
            transpose_bits(bits);
        }
        memcpy(tiles, planes, size);
    }
    free(planes);
    return 0;
}

/* The code of one sample, bit by bit. */
static void word_by_bits(const uint64_t *planes, int64_t n_words, int tile, int lane,
                         uint64_t *words)
{
    for (int64_t word = 0; word < n_words; word++) {
        uint64_t bits = 0;
        for (int j = 0; j < 64; j++) {
            uint64_t plane = planes[(64 * word + j) * TILES_OF_A_GROUP + tile];
            bits |= ((plane >> lane) & 1) << j;
        }
        words[word] = bits;
    }
}

/* The positions are in one group; all of its codes are turned, and some are taken. */
static void words_of_group(const uint64_t *planes, int64_t n_words,
                           const int64_t *positions, int64_t n, uint64_t *words)
{
    uint64_t bits[64][TILES_OF_A_GROUP];
    for (int64_t word = 0; word < n_words; word++) {
        memcpy(bits, planes + word * 64 * TILES_OF_A_GROUP, sizeof bits);
        transpose_bits(bits);
        for (int64_t i = 0; i < n; i++) {
            int64_t tile = positions[i] / LANES % TILES_OF_A_GROUP;
            words[i * n_words + word] = bits[positions[i] % LANES][tile];
        }
    }
}

/* From so many samples of a group on, it is faster to turn the group. */
#define SAMPLES_TO_TURN 8

static int words_at(const struct codes *codes, const int64_t *positions,
                    int64_t n_positions, uint64_t *words)
{
    const int64_t n_words = codes->n_words, size = LANES * TILES_OF_A_GROUP;
    for (int64_t i = 0; i < n_positions;) {
        int64_t position = positions[i], group = position / size, n = 1;
        if (!codes->are_planes) {
            const uint64_t *tile = codes->words + position / LANES * n_words * LANES;
            for (int64_t word = 0; word < n_words; word++)
                words[i * n_words + word] = tile[word * LANES + position % LANES];
            i++;
            continue;
        }
        const uint64_t *planes = codes->words + group * n_words * size;
        while (i + n < n_positions && positions[i + n] / size == group)
            n++;
        if (n >= SAMPLES_TO_TURN) {
            words_of_group(planes, n_words, positions + i, n, words + i * n_words);
        } else {
            for (int64_t k = i; k < i + n; k++) {
                int64_t tile = positions[k] / LANES % TILES_OF_A_GROUP;
                word_by_bits(planes, n_words, (int)tile, (int)(positions[k] % LANES),
                             words + k * n_words);
            }
        }
        i += n;
    }
    return 0;
}

/* From so many rows of words on, it pays to lay them out in planes. */
#define ROWS_FOR_PLANES 128

/* Planes for some rows, to be filled in; without words if there is no memory. */
static struct codes room_for_planes(int64_t n_rows, int64_t n_words)
{
    const int64_t group = TILES_OF_A_GROUP * LANES;
    const int64_t n_groups = (n_rows + group - 1) / group;
    const size_t size = (size_t)(n_groups * group * n_words) * sizeof(uint64_t);
    struct codes planes = {malloc(size + 64), n_groups * TILES_OF_A_GROUP, n_words, 1};
    return planes;
}

/* Lay rows of words out in planes, with all bits set in the lanes that are left. */
static int planes_of_rows(const uint64_t *words, int64_t n_rows, int64_t stride,
                          const struct codes *planes)
{
    memset(planes->words, 0xFF,
           (size_t)(planes->n_tiles * planes->n_words * LANES) * sizeof(uint64_t));
    for (int64_t i = 0; i < n_rows; i++)
        for (int64_t word = 0; word < planes->n_words; word++)
            planes->words[(i / LANES * planes->n_words + word) * LANES + i % LANES]
                = words[i * stride + word];
    return arrange(planes);
}
