/* The sum of the largest margins of each class, for each sample. */
#include <stdlib.h>

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

static int64_t smaller_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int largest_margins_of_tiles(const struct codes *codes,
                                    const struct neurons *neurons,
                                    const struct classes *classes, int64_t n_votes,
                                    int64_t *totals)
{
    const int64_t n_words = codes->n_words, n_classes = classes->n_classes;
    const int64_t n_parts = codes->n_tiles * (LANES / LANES_TOGETHER);
    int64_t *largest = malloc((size_t)(n_votes * LANES_TOGETHER) * sizeof *largest);
    if (largest == NULL)
        return -1;
    int64_t *last = largest + (n_votes - 1) * LANES_TOGETHER;
    for (int64_t part = 0; part < n_parts; part++) {
        int64_t first_lane = part * LANES_TOGETHER;
        const uint64_t *tile = tile_at(codes, first_lane / LANES) + first_lane % LANES;
        for (int64_t number = 0; number < n_classes; number++) {
            int64_t start = classes->starts[number], stop = classes->starts[number + 1];
            int64_t lowest = NO_MARGIN;
            for (int64_t k = 0; k < n_votes * LANES_TOGETHER; k++)
                largest[k] = NO_MARGIN;
            for (int64_t i = start; i < stop; i++) {
                /* A margin counts if it exceeds the last one of any lane. */
                int64_t limit = neurons->bounds[i] - lowest;
                uint64_t counts[LANES_TOGETHER] = {0};
                if (limit <= 0
                    || !count_lanes(tile, neurons->masks + i * n_words, n_words,
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
            int64_t n_kept = smaller_of(n_votes, stop - start);
            for (int lane = 0; lane < LANES_TOGETHER; lane++) {
                int64_t total = 0;
                for (int64_t k = 0; k < n_kept; k++)
                    total += largest[k * LANES_TOGETHER + lane];
                totals[(first_lane + lane) * n_classes + number] = total;
            }
        }
    }
    free(largest);
    return 0;
}

static int largest_margins(const struct codes *codes, const struct neurons *neurons,
                           const struct classes *classes, int64_t n_votes,
                           int64_t *totals)
{
    return largest_margins_of_tiles(codes, neurons, classes, n_votes, totals);
}
