/* Drawing hyperplanes that fit the labels, and leaving samples out one by one.
 *
 * Codes of the samples come as words, one sample after the other. They are turned here,
 * word by word, so that the loops over samples or neurons run over neighbours.
 */
#include <stdlib.h>

/* For each hyperplane, the sum over its two sides of sum_c n_c^2 / n; the larger, the
 * purer the sides. `columns` holds one feature after the other; the rows of class c are
 * starts[c] .. starts[c + 1] - 1. A row is bright where the sum of its terms, added in
 * order, is above the threshold. */
static int gini_gains(const double *columns, const struct classes *classes,
                      const int64_t *features, const double *weights, int64_t n_terms,
                      const double *thresholds, int64_t n_hyperplanes, double *gains)
{
    const int64_t n_rows = classes->starts[classes->n_classes];
    double *sums = malloc((size_t)(n_rows + 1) * sizeof *sums);
    if (sums == NULL)
        return -1;
    for (int64_t h = 0; h < n_hyperplanes; h++) {
        double bright_squares = 0.0, dark_squares = 0.0;
        int64_t n_bright = 0;
        for (int64_t i = 0; i < n_rows; i++)
            sums[i] = 0.0;
        for (int64_t j = 0; j < n_terms; j++) {
            const double weight = weights[h * n_terms + j];
            const double *column = columns + features[h * n_terms + j] * n_rows;
            for (int64_t i = 0; i < n_rows && weight != 0.0; i++)
                sums[i] += weight * column[i];
        }
        for (int64_t c = 0; c < classes->n_classes; c++) {
            const int64_t start = classes->starts[c], stop = classes->starts[c + 1];
            int64_t bright = 0;
            for (int64_t i = start; i < stop; i++)
                bright += sums[i] > thresholds[h];
            const double dark = (double)(stop - start - bright);
            bright_squares += (double)bright * (double)bright;
            dark_squares += dark * dark;
            n_bright += bright;
        }
        gains[h] = n_bright ? bright_squares / (double)n_bright : 0.0;
        if (n_bright < n_rows)
            gains[h] += dark_squares / (double)(n_rows - n_bright);
    }
    free(sums);
    return 0;
}

static double weighted_sum(const double *row, const int64_t *features,
                           const double *weights, int64_t n_terms)
{
    double sum = 0.0;
    for (int64_t j = 0; j < n_terms; j++)
        sum += weights[j] * row[features[j]];
    return sum;
}

/* For each hyperplane, the weighted sums of the first of its pairs of rows in which
 * they differ; of the last pair, if there is none. Terms are added in order. */
static int first_apart(const double *rows, int64_t n_features, const struct row_pairs *pairs,
                       const struct sparse_directions *directions, double *low,
                       double *high)
{
    const int64_t n_terms = directions->n_terms, n = pairs->n_of_each;
    for (int64_t h = 0; h < directions->n_hyperplanes; h++) {
        const int64_t *features = directions->features + h * n_terms;
        const double *weights = directions->weights + h * n_terms;
        low[h] = high[h] = 0.0;
        for (int64_t i = h * n; i < (h + 1) * n && low[h] == high[h]; i++) {
            low[h] = weighted_sum(rows + pairs->firsts[i] * n_features, features, weights,
                                  n_terms);
            high[h] = weighted_sum(rows + pairs->seconds[i] * n_features, features,
                                   weights, n_terms);
        }
    }
    return 0;
}

/* Words of codes or masks, word by word: turned[word * n + i]. */
static uint64_t *turned_words(const uint64_t *words, int64_t n, int64_t n_words)
{
    uint64_t *turned = malloc((size_t)(n * n_words + 1) * sizeof *turned);
    for (int64_t i = 0; i < n && turned != NULL; i++)
        for (int64_t word = 0; word < n_words; word++)
            turned[word * n + i] = words[i * n_words + word];
    return turned;
}

/* counts[i] = popcount(code & turned word of i) for start <= i < stop. */
static void count_turned(const uint64_t *turned, int64_t n, int64_t n_words,
                         const uint64_t *code, int64_t start, int64_t stop,
                         int32_t *counts)
{
    for (int64_t i = start; i < stop; i++)
        counts[i] = 0;
    for (int64_t word = 0; word < n_words; word++) {
        const uint64_t *words = turned + word * n, bits = code[word];
        for (int64_t i = start; i < stop; i++)
            counts[i] += (int32_t)count_of_word(words[i] & bits);
    }
}

/* Go on with the two smallest counts of the samples start .. stop - 1. */
static void two_smallest(const int32_t *counts, int64_t start, int64_t stop,
                         int32_t *smallest, int32_t *second, int64_t *setter)
{
    int32_t least = *smallest;
    for (int64_t i = start; i < stop; i++)
        least = counts[i] < least ? counts[i] : least;
    if (least < *smallest) {
        /* What was the smallest so far is the second one, but for what follows. */
        *second = *smallest;
        *smallest = least;
        *setter = -1;
    }
    for (int64_t i = start; i < stop; i++) {
        if (counts[i] == least && *setter < 0)
            *setter = i;
        else if (counts[i] < *second)
            *second = counts[i];
    }
}

static int two_smallest_of_few(const uint64_t *words, const struct classes *samples,
                               int64_t n_words, const uint64_t *masks,
                               const struct classes *neurons, int32_t *smallest,
                               int32_t *second, int64_t *setters)
{
    const int64_t n = samples->starts[samples->n_classes];
    uint64_t *turned = turned_words(words, n, n_words);
    int32_t *counts = malloc((size_t)(n + 1) * sizeof *counts);
    const int failed = turned == NULL || counts == NULL;
    for (int64_t c = 0; c < neurons->n_classes && !failed; c++) {
        const int64_t start = samples->starts[c], stop = samples->starts[c + 1];
        for (int64_t k = neurons->starts[c]; k < neurons->starts[c + 1]; k++) {
            const uint64_t *mask = masks + k * n_words;
            smallest[k] = second[k] = INT32_MAX;
            setters[k] = -1;
            count_turned(turned, n, n_words, mask, 0, start, counts);
            count_turned(turned, n, n_words, mask, stop, n, counts);
            two_smallest(counts, 0, start, smallest + k, second + k, setters + k);
            two_smallest(counts, stop, n, smallest + k, second + k, setters + k);
        }
    }
    free(turned);
    free(counts);
    return failed ? -1 : 0;
}

/* Sums of the largest numbers among some that were counted. */
struct tally {
    int32_t *times, *more; /* how often each number occurs, all zero in between */
    int32_t lowest, highest;
};

/* Two rows of counters take turns: adding one to the same number twice, without a
 * pause, would wait for memory. */
static void count_numbers(struct tally *tally, const int32_t *numbers, int64_t n)
{
    int32_t lowest = INT32_MAX, highest = INT32_MIN;
    for (int64_t k = 0; k < n; k++)
        lowest = numbers[k] < lowest ? numbers[k] : lowest;
    for (int64_t k = 0; k < n; k++)
        highest = numbers[k] > highest ? numbers[k] : highest;
    for (int64_t k = 0; k + 1 < n; k += 2) {
        tally->times[numbers[k]]++;
        tally->more[numbers[k + 1]]++;
    }
    if (n % 2)
        tally->times[numbers[n - 1]]++;
    tally->lowest = lowest;
    tally->highest = highest;
}

static void sum_tally(struct tally *tally, const int64_t *votes, int64_t n_votes,
                      int64_t *sums)
{
    int64_t taken = 0, sum = 0, v = 0;
    for (int32_t number = tally->highest; number >= tally->lowest; number--) {
        const int64_t times = tally->times[number] + tally->more[number];
        tally->times[number] = tally->more[number] = 0;
        while (v < n_votes && taken + times >= votes[v]) {
            sums[v] = sum + (votes[v] - taken) * number;
            v++;
        }
        taken += times;
        sum += times * number;
    }
    for (; v < n_votes; v++)
        sums[v] = sum;
}

/* The neurons that belong to each code: `first[i]`, then `next` of that one, ... */
struct lists {
    int64_t *first, *next;
};

static int list_neurons(struct lists *lists, const int64_t *codes, int64_t n_codes,
                        int64_t n_neurons)
{
    lists->first = malloc((size_t)(n_codes + 1) * sizeof *lists->first);
    lists->next = malloc((size_t)(n_neurons + 1) * sizeof *lists->next);
    if (lists->first == NULL || lists->next == NULL)
        return -1;
    for (int64_t i = 0; i < n_codes; i++)
        lists->first[i] = -1;
    for (int64_t k = 0; k < n_neurons; k++) {
        if (codes[k] < 0)
            continue;
        lists->next[k] = lists->first[codes[k]];
        lists->first[codes[k]] = k;
    }
    return 0;
}

/* What `margin_sums` works on. */
struct margins {
    uint64_t *masks;            /* turned */
    int32_t *bounds, *margins;  /* of all neurons */
    int32_t *times;             /* two rows of counters, see `tally` */
    struct lists made, set;     /* by the codes that are left out */
};

static int start_margins(struct margins *work, const struct neurons *neurons,
                         int64_t n_rows, int64_t n_words,
                         const struct left_out *left_out)
{
    const int64_t n = neurons->n_neurons, room = 64 * n_words + 2;
    work->masks = turned_words(neurons->masks, n, n_words);
    work->bounds = malloc((size_t)(n + 1) * sizeof *work->bounds);
    work->margins = malloc((size_t)(n + 1) * sizeof *work->margins);
    work->times = calloc((size_t)(4 * room), sizeof *work->times);
    if (work->masks == NULL || work->bounds == NULL || work->margins == NULL
        || work->times == NULL)
        return -1;
    for (int64_t k = 0; k < n; k++)
        work->bounds[k] = (int32_t)neurons->bounds[k];
    if (left_out == NULL)
        return 0;
    return list_neurons(&work->made, left_out->centers, n_rows, n)
           || list_neurons(&work->set, left_out->setters, n_rows, n);
}

static void stop_margins(const struct margins *work)
{
    free(work->masks);
    free(work->bounds);
    free(work->margins);
    free(work->times);
    free(work->made.first);
    free(work->made.next);
    free(work->set.first);
    free(work->set.next);
}

/* Compute the margins of all neurons at code i; with the second bound where it is the
 * sample that set the first one. */
static void margins_at(const struct margins *work, int64_t n, const uint64_t *code,
                       int64_t n_words, int64_t i, const struct left_out *left_out)
{
    count_turned(work->masks, n, n_words, code, 0, n, work->margins);
    for (int64_t k = 0; k < n; k++)
        work->margins[k] = work->bounds[k] - work->margins[k];
    if (left_out != NULL)
        for (int64_t k = work->set.first[i]; k >= 0; k = work->set.next[k])
            work->margins[k] += (int32_t)left_out->seconds[k] - work->bounds[k];
}

/* `left_out` is NULL where no sample is left out. */
static int margin_sums_of_few(const uint64_t *words, int64_t n_rows, int64_t n_words,
                       const struct neurons *neurons, const struct classes *classes,
                       const int64_t *votes, int64_t n_votes,
                       const struct left_out *left_out, int64_t *sums)
{
    const int64_t room = 64 * n_words + 2;
    struct margins work = {0};
    const int failed = start_margins(&work, neurons, n_rows, n_words, left_out);
    for (int64_t i = 0; i < n_rows && !failed; i++) {
        margins_at(&work, neurons->n_neurons, words + i * n_words, n_words, i, left_out);
        for (int64_t c = 0; c < classes->n_classes; c++) {
            const int64_t start = classes->starts[c], stop = classes->starts[c + 1];
            struct tally tally = {work.times + room, work.times + 3 * room, 0, 0};
            count_numbers(&tally, work.margins + start, stop - start);
            for (int64_t k = left_out == NULL ? -1 : work.made.first[i]; k >= 0;
                 k = work.made.next[k])
                if (start <= k && k < stop)
                    tally.times[work.margins[k]]--;
            sum_tally(&tally, votes, n_votes, sums + (i * classes->n_classes + c) * n_votes);
        }
    }
    stop_margins(&work);
    return failed ? -1 : 0;
}
