/* Sums of the positive parts of affine functions of distances, in single precision.
 *
 * For a pair of a row of distances d and a row of factors v, and a position i,
 *
 *     sum_{j: v_j > 0} max(0, h + v_j (x_j + s + |x_j| (r v_j + e))),  x_j = d_i - d_j,
 *
 * where s, r and e bound rounding errors: all of one sign. The order is left open.
 */

/* Sums in single precision are handed on to doubles after so many vectors. */
#define VECTORS_OF_A_SUM 64

INLINE floats_t positive_parts(floats_t floats, floats_t factors)
{
#if WORDS > 1
    return (floats_t)((flags_t)floats & (floats > 0) & (factors > 0));
#else
    return floats > 0 && factors > 0 ? floats : 0;
#endif
}

INLINE floats_t hinge(const struct hinges *of, floats_t own, floats_t slack,
                      floats_t distances, floats_t factors)
{
    const floats_t x = own - distances;
    const floats_t relative = multiply_add(factors, spread_float(of->relative),
                                           spread_float(of->least));
    const floats_t moved = x + multiply_add(magnitudes_of(x), relative, slack);
    return positive_parts(multiply_add(moved, factors, spread_float(of->half)),
                          factors);
}

INLINE double sum_of_floats(floats_t floats)
{
    float parts[FLOATS];
    double sum = 0;
    memcpy(parts, &floats, sizeof parts);
    for (int k = 0; k < FLOATS; k++)
        sum += parts[k];
    return sum;
}

static int hinge_sums(const struct hinges *of, int64_t n_pairs, double *sums)
{
    const int64_t n = of->n_columns;
    for (int64_t pair = 0; pair < n_pairs; pair++) {
        const float *distances = of->distances + of->rows[pair] * n;
        const float *factors = of->factors + of->cells[pair] * n;
        const floats_t own = spread_float(distances[of->positions[pair]]);
        const floats_t slack = spread_float(of->slacks[pair]);
        double total = 0;
        int64_t j = 0;
        while (j < n) {
            floats_t sum[2] = {spread_float(0), spread_float(0)};
            for (int k = 0; k < VECTORS_OF_A_SUM && j + 2 * FLOATS <= n; k++) {
                UNROLL
                for (int v = 0; v < 2; v++, j += FLOATS)
                    sum[v] += hinge(of, own, slack, load_floats(distances + j),
                                    load_floats(factors + j));
            }
            total += sum_of_floats(sum[0]) + sum_of_floats(sum[1]);
            if (j + 2 * FLOATS > n)
                break;
        }
        for (; j < n; j += FLOATS) {
            /* What is beyond the end has the factor 0, and counts for nothing. */
            float rest[2][FLOATS] = {{0}};
            const int64_t n_left = n - j < FLOATS ? n - j : FLOATS;
            memcpy(rest[0], distances + j, (size_t)n_left * sizeof(float));
            memcpy(rest[1], factors + j, (size_t)n_left * sizeof(float));
            total += sum_of_floats(
                hinge(of, own, slack, load_floats(rest[0]), load_floats(rest[1])));
        }
        sums[pair] = total;
    }
    return 0;
}
