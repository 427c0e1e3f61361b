/* What the kernels take, and the table through which they are called.
 *
 * Each instruction set has a table of its own: the same files, compiled again. All
 * arrays are contiguous unless a stride is given. A kernel returns 0, or -1 where there
 * is no memory left for what it needs on the way.
 */
#ifndef SKLEARN_MEMORIZE_KERNELS_H
#define SKLEARN_MEMORIZE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* A tile holds 64 samples, and a group of planes 8 tiles. */
#define LANES 64
#define TILES_OF_A_GROUP 8
/* Rows are multiplied with hyperplanes in groups of so many ... */
#define ROWS_OF_A_GROUP 6
/* ... and sums of more terms than this are taken in parts, which are then added. */
#define TERMS_OF_A_PART 512
/* The same for products that are rounded: the tighter their bounds the better. */
#define TERMS_OF_A_ROUNDED_PART 32

/* Counters hold the number of planes in 24 bits. */
#define MOST_PLANES ((1 << 24) - 64)

/* Numbers in single or in double precision, in any order; strides are in bytes. */
struct matrix {
    const char *data;
    int64_t n_rows, n_columns;
    ptrdiff_t row_stride, column_stride;
    int is_double;
};

/* Codes in tiles, `words[tile][word][lane]`; or in planes, `words[group][bit][tile]`.
 */
struct codes {
    uint64_t *words;
    int64_t n_tiles, n_words;
    int are_planes;
};

/* Outputs of ReLU units, `values[lane][hyperplane]`: integers that sum to less than
 * 2**53. Also rounded, `small[tile][hyperplane][lane]`, in units of each lane: the sum
 * of any of them is off by `below` to `above` of these units (see outputs.h). */
struct outputs {
    const double *values;
    const uint16_t *small;
    const float *units, *below, *above;
    int64_t n_tiles, n_hyperplanes;
};

/* Neurons: one that covers a code with popcount(code & mask) < bound. */
struct neurons {
    const uint64_t *masks;
    const int64_t *bounds;
    int64_t n_neurons;
};

/* The neurons starts[c] .. starts[c + 1] - 1 belong to class c. */
struct classes {
    const int64_t *starts;
    int64_t n_classes;
};

/* The tiles start .. stop - 1 hold the samples of a class. */
struct class_tiles {
    int64_t start, stop;
};

/* Neurons of a class: the samples they are made from, their bounds, and how many
 * samples each covers. `covered` says which any covers, one bit for each lane. */
struct cover {
    int64_t *centers, *bounds, *coverage, n;
    uint64_t *covered;
};

/* What is skipped and replaced where samples are left out: for each neuron the code of
 * the sample it was made from, the one of the sample that set its bound (-1 if they are
 * not there), and the bound that it has without this one. */
struct left_out {
    const int64_t *centers, *setters, *seconds;
};

/* Pairs of rows, so many for each hyperplane, which is a sum of weighted features. */
struct row_pairs {
    const int64_t *firsts, *seconds;
    int64_t n_of_each;
};
struct sparse_directions {
    const int64_t *features;
    const double *weights;
    int64_t n_hyperplanes, n_terms;
};

/* An entry of products is p + offset, and in doubt unless its magnitude is above
 * row_bound * column_bound + offset_bound, or that bound is zero. */
struct offsets {
    const float *offsets, *column_bounds, *offset_bounds;
    int64_t n_hyperplanes;
};

/* Where the codes of rows go: row i to `positions[i]` = 64 * tile + lane. */
struct places {
    const float *row_bounds;
    const int64_t *positions;
    int64_t n_rows;
};

/* The entries in doubt, as they are found. */
struct doubts {
    int64_t *rows, *columns;
    int64_t n, room;
};

/* Groups of rows: group g is not zero in the columns starts[g] .. starts[g + 1] - 1,
 * and row k of it, which is row `order[6 * g + k]` of all, has the value
 * `values[place][k]` there. */
struct packed_rows {
    int64_t *order, *starts;
    int32_t *columns;
    float *values;
    int64_t n_rows;
};

/* How rows are prepared: 2**-exponent * (x - shift), in two factors; for each row, the
 * number of entries that are not zero and the sum of their squares. */
struct preparation {
    const double *shift;
    double first, second;
    int64_t *n_terms;
    double *squares;
};

/* What is added to the products of rows and hyperplanes. An output is in doubt where it
 * is nearer to an integer than size * column_bound + relative * |bias| + offset_bound,
 * with the numbers of the row that `rows_to_write` has. */
struct output_offsets {
    const double *biases, *column_bounds, *offset_bounds;
    int64_t n_hyperplanes;
};

/* Where outputs go: those of row i to `values[positions[i]][n_columns]`. They are cut at
 * the cap. */
struct rows_to_write {
    const double *sizes, *relatives;
    const int64_t *positions;
    double *values, cap;
    int64_t n_columns;
};

/* Where outputs go that are only there rounded, as `outputs` has them. They are products
 * times the scale, rounded up and cut at the cap. */
struct rounded_outputs {
    uint16_t *small;
    float *units, *below, *above;
    int64_t n_tiles;
    double scale, cap;
};

/* Pairs of a row and a direction, and two numbers that are added to their product. */
struct pairs {
    const int64_t *columns;
    const double *offsets, *shifts;
    int64_t n_pairs;
};

/* Sums, the sums of the sizes of all terms, and the smallest product that is not
 * zero, or 1. */
struct compensated {
    double *sums, *magnitudes, *smallest;
};

/* Rows of distances and of factors, pairs of them by number, and a position in each; see
 * `hinges.h`. */
struct hinges {
    const float *distances, *factors, *slacks;
    const int64_t *rows, *cells, *positions;
    int64_t n_columns;
    float relative, least, half;
};

struct kernels {
    const char *name;
    /* rows.h */
    int (*row_hashes)(const struct matrix *, const uint64_t *coefficients,
                      uint64_t *hashes);
    int (*ordered_product)(const struct matrix *rows, const struct matrix *weights,
                           double *totals);
    int (*largest_differences)(const struct matrix *rows, const struct matrix *points,
                               double *table);
    int (*differences_of_pairs)(const struct matrix *left, const int64_t *left_rows,
                                const struct matrix *right, const int64_t *right_rows,
                                int64_t n_pairs, double *high, double *low);
    int (*integer_sums)(const struct matrix *, double first, double second,
                        double *sums);
    int (*row_norms)(const struct matrix *, const double *center, double scale,
                     double *norms);
    int (*pair_sums)(const struct matrix *, const int64_t *rows,
                     const float *directions, const int64_t *columns, int64_t n_pairs,
                     double *sums, double *magnitudes);
    int (*compensated_sums)(const struct matrix *, const int64_t *rows,
                            const float *directions, const struct pairs *,
                            struct compensated *);
    /* hinges.h */
    int (*hinge_sums)(const struct hinges *, int64_t n_pairs, double *sums);
    /* signs.h */
    int (*pack_signs)(const float *products, const struct offsets *,
                      const struct places *, int64_t first_word, const struct codes *,
                      struct doubts *);
    int (*pack_rows)(const struct matrix *, const int64_t *rows, struct packed_rows *,
                     const struct preparation *);
    int (*pack_signs_of_rows)(const struct packed_rows *, const float *directions,
                              int64_t n_features, const struct offsets *,
                              const struct places *, const struct codes *,
                              struct doubts *);
    int (*tiles_of_rows)(const struct matrix *, const int64_t *rows,
                         const int64_t *lanes, int64_t n_rows, float *tiles,
                         const struct preparation *);
    int (*signs_in_planes)(const float *tiles, const float *directions,
                           int64_t n_features, const struct offsets *,
                           const struct places *, const struct codes *,
                           struct doubts *);
    /* layouts.h */
    int (*arrange)(const struct codes *);
    int (*words_at)(const struct codes *, const int64_t *positions, int64_t n_positions,
                    uint64_t *words);
    /* tiles.h and planes.h */
    int (*smallest_counts)(const struct codes *, const struct neurons *,
                           int64_t skip_start, int64_t skip_stop, int32_t *smallest);
    int (*covers)(const struct codes *, const struct neurons *, int64_t start,
                  int64_t stop, uint64_t *fires);
    int (*classes_that_fire)(const struct codes *, const struct neurons *,
                             const struct classes *, int64_t n_samples,
                             uint64_t *fired);
    int (*largest_margins)(const struct codes *, const struct neurons *,
                           const struct classes *, int64_t n_samples, int64_t n_votes,
                           int64_t *totals, uint64_t *fired);
    int (*margins_of_rows)(const uint64_t *words, int64_t n_rows, int64_t n_coverings,
                           int64_t n_words, const struct neurons *,
                           const struct classes *, int64_t n_votes, int64_t *totals,
                           uint64_t *fired);
    /* ceilings.h */
    int (*read_groups)(const struct matrix *, const int64_t *rows,
                       const struct packed_rows *, const struct preparation *,
                       double *values);
    int (*ceilings_of_rows)(const struct packed_rows *, const double *values,
                            const float *directions, int64_t n_features,
                            const struct output_offsets *, const struct rows_to_write *,
                            struct doubts *);
    /* outputs.h and races.h */
    int (*round_outputs)(const double *values, int64_t n_tiles, int64_t n_hyperplanes,
                         uint16_t *small, float *units, float *below, float *above);
    int (*smallest_sums)(const struct outputs *, const struct neurons *,
                         int64_t skip_start, int64_t skip_stop, double *smallest);
    int (*sums_below)(const struct outputs *, const struct neurons *, int64_t start,
                      int64_t stop, uint64_t *below);
    int (*classes_with_sums_below)(const struct outputs *, const struct neurons *,
                                   const struct classes *, int64_t n_samples,
                                   uint64_t *fired);
    int (*largest_margins_of_sums)(const struct outputs *, const struct neurons *,
                                   const struct classes *, int64_t n_samples,
                                   int64_t n_votes, double *totals, uint64_t *fired);
    /* rounded.h */
    int (*round_outputs_of_rows)(const struct packed_rows *, const float *directions,
                                 int64_t n_features, const struct offsets *,
                                 const struct places *,
                                 const struct rounded_outputs *);
    int (*rounded_margins)(const struct outputs *, const struct neurons *,
                           const struct classes *, int64_t n_samples, int64_t n_votes,
                           double *totals, float *largest);
    /* covering.h */
    int (*cover_in_order)(const struct codes *, const struct class_tiles *,
                          const uint64_t *in_use, const int64_t *order,
                          int64_t n_samples, struct cover *);
    /* left_out.h */
    int (*first_apart)(const double *rows, int64_t n_features, const struct row_pairs *,
                       const struct sparse_directions *, double *low, double *high);
    int (*gini_gains)(const double *columns, const struct classes *,
                      const int64_t *features, const double *weights, int64_t n_terms,
                      const double *thresholds, int64_t n_hyperplanes, double *gains);
    int (*two_smallest_counts)(const uint64_t *words, const struct classes *samples,
                               int64_t n_words, const uint64_t *masks,
                               const struct classes *neurons, int32_t *smallest,
                               int32_t *second, int64_t *setters);
    int (*margin_sums)(const uint64_t *words, int64_t n_rows, int64_t n_words,
                       const struct neurons *, const struct classes *,
                       const int64_t *votes, int64_t n_votes, const struct left_out *,
                       int64_t *sums);
};

extern const struct kernels kernels_baseline;
#if defined(__GNUC__) && defined(__x86_64__) && !defined(SKLEARN_MEMORIZE_PLAIN)
#define HAVE_X86_INSTRUCTION_SETS 1
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512_skylake;
extern const struct kernels kernels_avx512;
#else
#define HAVE_X86_INSTRUCTION_SETS 0
#endif

#endif
