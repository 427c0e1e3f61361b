/* Margins of rows of words, by coverings side by side: code k of a row is for covering
 * k, and the classes of a covering follow those of the one before. */
#include <stdlib.h>

/* Where rows are so few, the masks are not turned. */
#define FEW_CODES 4

/* What the margins of one covering are worked on with. */
struct side_by_side {
    int32_t *bounds, *margins, *times;
    int64_t *largest;
};

static int fit_counters(const struct neurons *neurons, int64_t n_words)
{
    for (int64_t k = 0; k < neurons->n_neurons; k++)
        if (neurons->bounds[k] < 0 || neurons->bounds[k] > 64 * n_words + 1)
            return 0;
    return 1;
}

/* Sum the largest of the margins of a class, and say whether any is positive. */
static int64_t sum_largest(const struct side_by_side *work, int64_t n, int64_t n_words,
                           int64_t n_votes, uint64_t *fired)
{
    const int64_t room = 64 * n_words + 2;
    const int64_t n_kept = smaller_of(n_votes, n);
    int32_t highest = INT32_MIN;
    int64_t sum = 0;
    if (n == 0)
        return 0;
    if (n_kept == 1) {
        for (int64_t k = 0; k < n; k++)
            highest = work->margins[k] > highest ? work->margins[k] : highest;
        sum = highest;
    } else {
        struct tally tally = {work->times + room, work->times + 3 * room, 0, 0};
        count_numbers(&tally, work->margins, n);
        highest = tally.highest;
        sum_tally(&tally, &n_kept, 1, &sum);
    }
    *fired = highest > 0;
    return sum;
}

/* The margins of many rows by one covering, whose first class and neuron are given. */
static int margins_by_covering(const uint64_t *words, int64_t n_rows, int64_t stride,
                               int64_t n_words, const struct neurons *neurons,
                               const struct classes *classes, int64_t n_votes,
                               const struct side_by_side *work, int64_t *totals,
                               uint64_t *fired)
{
    const int64_t first = classes->starts[0];
    const int64_t n = classes->starts[classes->n_classes] - first;
    uint64_t *turned = turned_words(neurons->masks + first * n_words, n, n_words);
    struct side_by_side of_class = *work;
    if (turned == NULL)
        return -1;
    for (int64_t k = 0; k < n; k++)
        work->bounds[k] = (int32_t)neurons->bounds[first + k];
    for (int64_t i = 0; i < n_rows; i++) {
        count_turned(turned, n, n_words, words + i * stride, 0, n, work->margins);
        for (int64_t k = 0; k < n; k++)
            work->margins[k] = work->bounds[k] - work->margins[k];
        for (int64_t c = 0; c < classes->n_classes; c++) {
            const int64_t start = classes->starts[c] - first;
            of_class.margins = work->margins + start;
            totals[i * classes->n_classes + c]
                = sum_largest(&of_class, classes->starts[c + 1] - first - start,
                              n_words, n_votes, fired + i * classes->n_classes + c);
        }
    }
    free(turned);
    return 0;
}

/* What `margins_of_rows` returns, by planes for one covering after the other. */
static int margins_of_rows_in_planes(const uint64_t *words, int64_t n_rows,
                                     int64_t n_coverings, int64_t n_words,
                                     const struct neurons *neurons,
                                     const struct classes *classes, int64_t n_votes,
                                     int64_t *totals, uint64_t *fired)
{
    const int64_t n_classes = classes->n_classes / n_coverings;
    struct codes planes = room_for_planes(n_rows, n_words);
    const int64_t n_tiles = planes.n_tiles;
    const size_t size = sizeof(uint64_t), n_places = (size_t)(n_tiles * LANES);
    int64_t *sums = malloc(n_places * (size_t)n_classes * size + 1);
    int64_t *starts = malloc((size_t)(n_classes + 1) * size);
    uint64_t *fires = malloc((size_t)(n_tiles * n_classes) * size + 1);
    int failed = planes.words == NULL || sums == NULL || starts == NULL
                 || fires == NULL;
    for (int64_t covering = 0; covering < n_coverings && !failed; covering++) {
        const int64_t first = covering * n_classes;
        const int64_t start = classes->starts[first];
        const struct neurons own
            = {neurons->masks + start * n_words, neurons->bounds + start,
               classes->starts[first + n_classes] - start};
        const struct classes of_own = {starts, n_classes};
        for (int64_t c = 0; c <= n_classes; c++)
            starts[c] = classes->starts[first + c] - start;
        failed = planes_of_rows(words + covering * n_words, n_rows,
                                n_coverings * n_words, &planes)
                 || largest_margins(&planes, &own, &of_own, n_rows, n_votes, sums,
                                    fires);
        memcpy(totals + covering * n_rows * n_classes, sums,
               (size_t)(n_rows * n_classes) * size);
        for (int64_t i = 0; i < n_rows && !failed; i++) {
            const uint64_t *words_of_tile = fires + i / LANES * n_classes;
            uint64_t *of_row = fired + (covering * n_rows + i) * n_classes;
            for (int64_t c = 0; c < n_classes; c++)
                of_row[c] = words_of_tile[c] >> i % LANES & 1;
        }
    }
    free(planes.words);
    free(sums);
    free(starts);
    free(fires);
    return failed ? -1 : 0;
}

static int margins_of_rows(const uint64_t *words, int64_t n_rows, int64_t n_coverings,
                           int64_t n_words, const struct neurons *neurons,
                           const struct classes *classes, int64_t n_votes,
                           int64_t *totals, uint64_t *fired)
{
    const int64_t n_classes = classes->n_classes / n_coverings;
    const int64_t n = neurons->n_neurons;
    if (n_rows >= ROWS_FOR_PLANES && 64 * n_words <= MOST_PLANES)
        return margins_of_rows_in_planes(words, n_rows, n_coverings, n_words, neurons,
                                         classes, n_votes, totals, fired);
    n_votes = smaller_of(n_votes, larger_of(n, 1));
    const int together = n_rows > FEW_CODES && fit_counters(neurons, n_words);
    struct side_by_side work = {
        malloc((size_t)(n + 1) * sizeof *work.bounds),
        malloc((size_t)(n + 1) * sizeof *work.margins),
        calloc((size_t)(4 * (64 * n_words + 2)), sizeof *work.times),
        malloc((size_t)n_votes * sizeof *work.largest),
    };
    int failed = work.bounds == NULL || work.margins == NULL || work.times == NULL
                 || work.largest == NULL;
    memset(fired, 0, (size_t)(n_rows * classes->n_classes) * sizeof *fired);
    for (int64_t covering = 0; covering < n_coverings && !failed; covering++) {
        const struct classes own
            = {classes->starts + covering * n_classes, n_classes};
        const uint64_t *codes = words + covering * n_words;
        int64_t *own_totals = totals + covering * n_rows * n_classes;
        uint64_t *own_fired = fired + covering * n_rows * n_classes;
        if (together)
            failed = margins_by_covering(codes, n_rows, n_coverings * n_words, n_words,
                                         neurons, &own, n_votes, &work, own_totals,
                                         own_fired);
        for (int64_t i = 0; i < n_rows && !together; i++)
            margins_of_code(codes + i * n_coverings * n_words, n_words, neurons, &own,
                            n_votes, work.largest, own_totals + i * n_classes,
                            own_fired + i * n_classes, 0);
    }
    free(work.bounds);
    free(work.margins);
    free(work.times);
    free(work.largest);
    return failed ? -1 : 0;
}
