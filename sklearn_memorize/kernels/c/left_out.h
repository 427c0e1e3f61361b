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

static int two_smallest_counts(const uint64_t *words, const struct classes *samples,
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
    int32_t *times; /* how often each number occurs, all zero in between */
    int32_t lowest, highest;
};

static void sum_tally(struct tally *tally, const int64_t *votes, int64_t n_votes,
                      int64_t *sums)
{
    int64_t taken = 0, sum = 0, v = 0;
    for (int32_t number = tally->highest; number >= tally->lowest; number--) {
        const int64_t times = tally->times[number];
        tally->times[number] = 0;
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

/* `left_out` is NULL where no sample is left out. */
static int margin_sums(const uint64_t *words, int64_t n_rows, int64_t n_words,
                       const struct neurons *neurons, const struct classes *classes,
                       const int64_t *votes, int64_t n_votes,
                       const struct left_out *left_out, int64_t *sums)
{
    const int64_t n = neurons->n_neurons;
    const int32_t room = (int32_t)(64 * n_words + 2);
    uint64_t *turned = turned_words(neurons->masks, n, n_words);
    int32_t *counts = malloc((size_t)(n + 1) * sizeof *counts);
    int32_t *times = calloc((size_t)(2 * room), sizeof *times);
    const int failed = turned == NULL || counts == NULL || times == NULL;
    for (int64_t i = 0; i < n_rows && !failed; i++) {
        count_turned(turned, n, n_words, words + i * n_words, 0, n, counts);
        for (int64_t k = 0; k < n; k++)
            counts[k] = (int32_t)neurons->bounds[k] - counts[k];
        if (left_out != NULL)
            for (int64_t k = 0; k < n; k++)
                if (left_out->setters[k] == left_out->rows[i])
                    counts[k]
                        += (int32_t)(left_out->seconds[k] - neurons->bounds[k]);
        for (int64_t c = 0; c < classes->n_classes; c++) {
            struct tally tally = {times + room, room - 1, -room};
            for (int64_t k = classes->starts[c]; k < classes->starts[c + 1]; k++) {
                if (left_out != NULL && left_out->centers[k] == left_out->rows[i])
                    continue;
                tally.times[counts[k]]++;
                tally.lowest = counts[k] < tally.lowest ? counts[k] : tally.lowest;
                tally.highest = counts[k] > tally.highest ? counts[k] : tally.highest;
            }
            sum_tally(&tally, votes, n_votes, sums + (i * classes->n_classes + c) * n_votes);
        }
    }
    free(turned);
    free(counts);
    free(times);
    return failed ? -1 : 0;
}
