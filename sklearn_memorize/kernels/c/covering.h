/* Cover the samples of a class by neurons, in the order in which they are drawn. */
#include <stdlib.h>

/* So many neurons at the most are computed together, ahead of time ... */
#define MOST_AHEAD 64
/* ... and this many at least, where a class has few samples. */
#define LEAST_AHEAD 16
#define FEW_SAMPLES 4096

static int has_lane(const uint64_t *lanes, int64_t lane)
{
    return (int)(lanes[lane / LANES] >> (lane % LANES) & 1);
}

/* Neurons of the next samples that are not covered so far. */
struct candidates {
    int64_t *ranks, *positions, *bounds, n;
    int32_t *smallest;
    uint64_t *masks, *members;
};

static int make_room(struct candidates *some, int64_t n_words, int64_t n_tiles)
{
    some->ranks = malloc(MOST_AHEAD * sizeof *some->ranks);
    some->positions = malloc(MOST_AHEAD * sizeof *some->positions);
    some->bounds = malloc(MOST_AHEAD * sizeof *some->bounds);
    some->smallest = malloc(MOST_AHEAD * sizeof *some->smallest);
    some->masks = malloc((size_t)(MOST_AHEAD * n_words + 1) * sizeof *some->masks);
    some->members = malloc((size_t)(MOST_AHEAD * n_tiles + 1) * sizeof *some->members);
    return some->ranks == NULL || some->positions == NULL || some->bounds == NULL
           || some->smallest == NULL || some->masks == NULL || some->members == NULL;
}

static void free_room(const struct candidates *some)
{
    free(some->ranks);
    free(some->positions);
    free(some->bounds);
    free(some->smallest);
    free(some->masks);
    free(some->members);
}

/* Compute masks, bounds and members of the candidates. */
static int make_neurons(const struct codes *codes, const struct class_tiles *tiles,
                        const uint64_t *in_use, struct candidates *some)
{
    const int64_t n_words = codes->n_words;
    struct neurons neurons = {some->masks, some->bounds, some->n};
    for (int64_t i = 0; i < some->n; i++)
        some->positions[i] = tiles->start * LANES + some->ranks[i];
    if (words_at(codes, some->positions, some->n, some->masks))
        return -1;
    for (int64_t i = 0; i < some->n; i++)
        for (int64_t word = 0; word < n_words; word++)
            some->masks[i * n_words + word]
                = ~some->masks[i * n_words + word] & in_use[word];
    if (smallest_counts(codes, &neurons, tiles->start, tiles->stop, some->smallest))
        return -1;
    for (int64_t i = 0; i < some->n; i++)
        some->bounds[i] = some->smallest[i];
    return covers(codes, &neurons, tiles->start, tiles->stop, some->members);
}

/* Keep the candidates that have a bound and that no earlier one covers. Return how many
 * would have had their turn: these, and those without a bound. */
static int64_t keep_in_turn(const struct candidates *some, int64_t n_tiles,
                            struct cover *cover)
{
    int64_t n_turns = 0;
    for (int64_t i = 0; i < some->n; i++) {
        const uint64_t *members = some->members + i * n_tiles;
        if (some->bounds[i] > 0 && has_lane(cover->covered, some->ranks[i]))
            continue;
        n_turns++;
        if (some->bounds[i] <= 0)
            continue;
        int64_t size = 0;
        for (int64_t tile = 0; tile < n_tiles; tile++) {
            size += count_of_word(members[tile]);
            cover->covered[tile] |= members[tile];
        }
        cover->centers[cover->n] = some->ranks[i];
        cover->bounds[cover->n] = some->bounds[i];
        cover->coverage[cover->n++] = size;
    }
    return n_turns;
}

static int cover_in_order(const struct codes *codes, const struct class_tiles *tiles,
                          const uint64_t *in_use, const int64_t *order, int64_t n_samples,
                          struct cover *cover)
{
    const int64_t n_tiles = tiles->stop - tiles->start;
    /* Where samples are few, calls take longer than what they do. */
    const int64_t least = n_samples <= FEW_SAMPLES ? LEAST_AHEAD : 1;
    struct candidates some = {0};
    int failed = make_room(&some, codes->n_words, n_tiles);
    memset(cover->covered, 0, (size_t)n_tiles * sizeof *cover->covered);
    cover->n = 0;
    for (int64_t next = 0, n_ahead = least; !failed;) {
        for (some.n = 0; next < n_samples && some.n < n_ahead; next++)
            if (!has_lane(cover->covered, order[next]))
                some.ranks[some.n++] = order[next];
        if (some.n == 0)
            break;
        failed = make_neurons(codes, tiles, in_use, &some);
        if (failed)
            break;
        /* Look further ahead as long as little of it is wasted. */
        const int64_t n_turns = keep_in_turn(&some, n_tiles, cover);
        n_ahead = 2 * n_turns > n_ahead ? 2 * n_ahead : least;
        n_ahead = smaller_of(n_ahead, MOST_AHEAD);
    }
    free_room(&some);
    return failed ? -1 : 0;
}
