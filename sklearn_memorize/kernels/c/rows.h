/* Rows of numbers: reading, hashing, measuring and multiplying them.
 *
 * Where the order of the operations is part of the answer, it is the one of
 * `_reference.py`, and no multiplication is fused with an addition.
 */
#include <stdlib.h>

/* Store row i of X in double precision. */
static void read_row(const struct matrix *X, int64_t i, double *row)
{
    const char *start = X->data + i * X->row_stride;
    int64_t n = X->n_columns;
    ptrdiff_t step = X->column_stride;
    if (X->is_double) {
        if (step == (ptrdiff_t)sizeof(double))
            memcpy(row, start, (size_t)n * sizeof(double));
        else
            for (int64_t j = 0; j < n; j++)
                row[j] = *(const double *)(start + j * step);
    } else if (step == (ptrdiff_t)sizeof(float)) {
        const float *values = (const float *)start;
        for (int64_t j = 0; j < n; j++)
            row[j] = values[j];
    } else {
        for (int64_t j = 0; j < n; j++)
            row[j] = *(const float *)(start + j * step);
    }
}

static double *room_for_doubles(int64_t n)
{
    return malloc((size_t)(n + 8) * sizeof(double));
}

static int row_hashes(const struct matrix *X, const uint64_t *coefficients,
                      uint64_t *hashes)
{
    int64_t n = X->n_columns;
    double *row = room_for_doubles(n);
    if (row == NULL)
        return -1;
    for (int64_t i = 0; i < X->n_rows; i++) {
        uint64_t total = 0;
        read_row(X, i, row);
        for (int64_t j = 0; j < n; j++) {
            double value = row[j] + 0.0; /* -0.0 is hashed as 0.0 */
            uint64_t bits;
            memcpy(&bits, &value, sizeof bits);
            bits = (bits ^ (bits >> 32)) * coefficients[j];
            total += bits ^ (bits >> 32);
        }
        hashes[i] = total;
    }
    free(row);
    return 0;
}

static int64_t larger_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* So many vectors of points meet so many rows in registers. */
#define VECTORS_OF_POINTS 2
#define POINTS_TOGETHER (VECTORS_OF_POINTS * DOUBLES)
#define ROWS_IN_REGISTERS 4
/* So many rows stay in the cache while all points pass. */
#define ROWS_IN_CACHE 32

/* Store the coordinates of POINTS_TOGETHER points side by side, one coordinate after the
 * other. Where there are fewer points, the last one is taken several times. */
static void turn_points(const struct matrix *points, int64_t first, double *point,
                        double *turned)
{
    const int64_t n = points->n_columns, n_left = points->n_rows - first;
    for (int64_t k = 0; k < POINTS_TOGETHER; k++) {
        if (k < n_left)
            read_row(points, first + k, point);
        for (int64_t j = 0; j < n; j++)
            turned[j * POINTS_TOGETHER + k] = point[j];
    }
}

/* The products of some rows with the points of `turned`, each summed from left to
 * right; that they grow side by side hides the latency of the additions. */
INLINE void products_of_rows(const double *const *rows, const double *turned, int64_t n,
                             double *found)
{
    doubles_t sums[ROWS_IN_REGISTERS][VECTORS_OF_POINTS];
    UNROLL
    for (int r = 0; r < ROWS_IN_REGISTERS; r++)
        for (int v = 0; v < VECTORS_OF_POINTS; v++)
            sums[r][v] = spread_double(0);
    for (int64_t j = 0; j < n; j++) {
        doubles_t points[VECTORS_OF_POINTS];
        UNROLL
        for (int v = 0; v < VECTORS_OF_POINTS; v++)
            points[v] = load_doubles(turned + j * POINTS_TOGETHER + v * DOUBLES);
        UNROLL
        for (int r = 0; r < ROWS_IN_REGISTERS; r++) {
            const doubles_t value = spread_double(rows[r][j]);
            for (int v = 0; v < VECTORS_OF_POINTS; v++)
                sums[r][v] += value * points[v];
        }
    }
    memcpy(found, sums, sizeof sums);
}

/* Where the product of row i and point k is stored: totals[i * row_step + k * step]. */
struct table {
    double *totals;
    int64_t row_step, step;
};

/* The products of n_rows rows, one after the other, with the first n_points points of
 * `turned`. Where there are fewer rows, the last one is taken several times. */
static void products_of_tile(const double *rows, int64_t n_rows, const double *turned,
                             int64_t n_points, int64_t n, struct table table)
{
    for (int64_t i = 0; i < n_rows; i += ROWS_IN_REGISTERS) {
        double found[ROWS_IN_REGISTERS * POINTS_TOGETHER];
        const double *starts[ROWS_IN_REGISTERS];
        for (int64_t r = 0; r < ROWS_IN_REGISTERS; r++)
            starts[r] = rows + (i + r < n_rows ? i + r : n_rows - 1) * n;
        products_of_rows(starts, turned, n, found);
        for (int64_t r = 0; r < ROWS_IN_REGISTERS && i + r < n_rows; r++)
            for (int64_t k = 0; k < n_points; k++)
                table.totals[(i + r) * table.row_step + k * table.step]
                    = found[r * POINTS_TOGETHER + k];
    }
}

/* All points are turned, and some rows after the others meet them. */
static int products_with_all_turned(const struct matrix *rows,
                                    const struct matrix *points, struct table table)
{
    const int64_t n = rows->n_columns, n_rows = rows->n_rows;
    const int64_t n_tiles = (points->n_rows + POINTS_TOGETHER - 1) / POINTS_TOGETHER;
    const int64_t size = POINTS_TOGETHER * n;
    double *room = room_for_doubles(n_tiles * size + (ROWS_IN_CACHE + 1) * n);
    if (room == NULL)
        return -1;
    double *point = room + n_tiles * size, *wide = point + n;
    for (int64_t t = 0; t < n_tiles; t++)
        turn_points(points, t * POINTS_TOGETHER, point, room + t * size);
    for (int64_t first = 0; first < n_rows; first += ROWS_IN_CACHE) {
        const int64_t n_here = smaller_of(n_rows - first, ROWS_IN_CACHE);
        for (int64_t r = 0; r < n_here; r++)
            read_row(rows, first + r, wide + r * n);
        for (int64_t t = 0; t < n_tiles; t++) {
            const int64_t k = t * POINTS_TOGETHER;
            const struct table tile
                = {table.totals + first * table.row_step + k * table.step,
                   table.row_step, table.step};
            products_of_tile(wide, n_here, room + t * size,
                             smaller_of(points->n_rows - k, POINTS_TOGETHER), n, tile);
        }
    }
    free(room);
    return 0;
}

/* All rows, which are few, meet some points after the others. */
static int products_with_few_rows(const struct matrix *rows,
                                  const struct matrix *points, struct table table)
{
    const int64_t n = rows->n_columns, n_rows = rows->n_rows;
    double *room = room_for_doubles((n_rows + 1 + POINTS_TOGETHER) * n);
    if (room == NULL)
        return -1;
    double *point = room + n_rows * n, *turned = point + n;
    for (int64_t i = 0; i < n_rows; i++)
        read_row(rows, i, room + i * n);
    for (int64_t k = 0; k < points->n_rows; k += POINTS_TOGETHER) {
        const struct table tile
            = {table.totals + k * table.step, table.row_step, table.step};
        turn_points(points, k, point, turned);
        products_of_tile(room, n_rows, turned,
                         smaller_of(points->n_rows - k, POINTS_TOGETHER), n, tile);
    }
    free(room);
    return 0;
}

/* Sums of so many rows grow side by side. */
#define ROWS_TOGETHER 8

/* The products of rows with very few weights, which turning would not pay for. */
static int products_with_few_weights(const struct matrix *rows,
                                     const struct matrix *weights, double *totals)
{
    const int64_t n_rows = rows->n_rows, n_weights = weights->n_rows;
    const int64_t n = rows->n_columns;
    double *room = room_for_doubles((n_weights + ROWS_TOGETHER) * n);
    if (room == NULL)
        return -1;
    double *wide_rows = room + n_weights * n;
    for (int64_t k = 0; k < n_weights; k++)
        read_row(weights, k, room + k * n);
    for (int64_t first = 0; first < n_rows; first += ROWS_TOGETHER) {
        const int64_t n_here = smaller_of(n_rows - first, ROWS_TOGETHER);
        const double *starts[ROWS_TOGETHER];
        /* Where there are fewer rows, the last one is taken several times. */
        for (int64_t r = 0; r < ROWS_TOGETHER; r++)
            starts[r] = wide_rows + (r < n_here ? r : n_here - 1) * n;
        for (int64_t r = 0; r < n_here; r++)
            read_row(rows, first + r, wide_rows + r * n);
        for (int64_t k = 0; k < n_weights; k++) {
            const double *weight = room + k * n;
            double sums[ROWS_TOGETHER] = {0};
            for (int64_t j = 0; j < n; j++) {
                UNROLL
                for (int r = 0; r < ROWS_TOGETHER; r++)
                    sums[r] += starts[r][j] * weight[j];
            }
            for (int64_t r = 0; r < n_here; r++)
                totals[(first + r) * n_weights + k] = sums[r];
        }
    }
    free(room);
    return 0;
}

static int ordered_product(const struct matrix *rows, const struct matrix *weights,
                           double *totals)
{
    const int64_t n_weights = weights->n_rows;
    if (n_weights < ROWS_IN_REGISTERS)
        return products_with_few_weights(rows, weights, totals);
    if (n_weights < POINTS_TOGETHER)
        return products_with_few_rows(weights, rows,
                                      (struct table){totals, 1, n_weights});
    return products_with_all_turned(rows, weights,
                                    (struct table){totals, n_weights, 1});
}

/* The distances of some rows to POINTS_TOGETHER points, of which `turned` has the
 * coordinates one after the other. */
INLINE void differences_of_rows(const double *const *rows, const double *turned,
                                int64_t n, double *found)
{
    doubles_t largest[ROWS_IN_REGISTERS][VECTORS_OF_POINTS];
    UNROLL
    for (int r = 0; r < ROWS_IN_REGISTERS; r++)
        for (int v = 0; v < VECTORS_OF_POINTS; v++)
            largest[r][v] = spread_double(0);
    for (int64_t j = 0; j < n; j++) {
        doubles_t points[VECTORS_OF_POINTS];
        UNROLL
        for (int v = 0; v < VECTORS_OF_POINTS; v++)
            points[v] = load_doubles(turned + j * POINTS_TOGETHER + v * DOUBLES);
        UNROLL
        for (int r = 0; r < ROWS_IN_REGISTERS; r++) {
            const doubles_t value = spread_double(rows[r][j]);
            for (int v = 0; v < VECTORS_OF_POINTS; v++)
                largest[r][v]
                    = larger_sizes(largest[r][v], sizes_of(value - points[v]));
        }
    }
    memcpy(found, largest, sizeof largest);
}

static int largest_differences(const struct matrix *rows, const struct matrix *points,
                               double *table)
{
    const int64_t n_rows = rows->n_rows, n_points = points->n_rows;
    const int64_t n = rows->n_columns;
    double *room = room_for_doubles((n_rows + 1 + POINTS_TOGETHER) * n);
    if (room == NULL)
        return -1;
    double *point = room + n_rows * n, *turned = point + n;
    for (int64_t i = 0; i < n_rows; i++)
        read_row(rows, i, room + i * n);
    for (int64_t first = 0; first < n_points; first += POINTS_TOGETHER) {
        const int64_t n_here = smaller_of(n_points - first, POINTS_TOGETHER);
        turn_points(points, first, point, turned);
        /* Where there are fewer rows, the last one is taken several times. */
        for (int64_t i = 0; i < n_rows; i += ROWS_IN_REGISTERS) {
            double found[ROWS_IN_REGISTERS * POINTS_TOGETHER];
            const double *starts[ROWS_IN_REGISTERS];
            for (int64_t r = 0; r < ROWS_IN_REGISTERS; r++)
                starts[r] = room + (i + r < n_rows ? i + r : n_rows - 1) * n;
            differences_of_rows(starts, turned, n, found);
            for (int64_t r = 0; r < ROWS_IN_REGISTERS && i + r < n_rows; r++)
                memcpy(table + (i + r) * n_points + first, found + r * POINTS_TOGETHER,
                       (size_t)n_here * sizeof *found);
        }
    }
    free(room);
    return 0;
}

/* Round to an integer, to the even one if two are as near.
 *
 * Numbers from 2**52 on are integers; to a smaller one 2**52 is added and taken away,
 * which leaves no room for a fraction. */
INLINE double rounded(double value)
{
    const double shift = copysign(4503599627370496.0, value);
    double integer = (value + shift) - shift;
    return fabs(value) < 4503599627370496.0 ? integer : value;
}

static int integer_sums(const struct matrix *X, double first, double second,
                        double *sums)
{
    int64_t n = X->n_columns;
    double *row = room_for_doubles(n);
    if (row == NULL)
        return -1;
    for (int64_t j = 0; j < n; j++)
        sums[j] = 0.0;
    for (int64_t i = 0; i < X->n_rows; i++) {
        read_row(X, i, row);
        for (int64_t j = 0; j < n; j++)
            sums[j] += rounded(row[j] * first * second);
    }
    free(row);
    return 0;
}

static int row_norms(const struct matrix *X, const double *center, double scale,
                     double *norms)
{
    double *squares = room_for_doubles(X->n_columns);
    if (squares == NULL)
        return -1;
    for (int64_t i = 0; i < X->n_rows; i++) {
        read_row(X, i, squares);
        for (int64_t j = 0; j < X->n_columns; j++) {
            double difference = (squares[j] - center[j]) * scale;
            squares[j] = difference * difference;
        }
        int64_t width = X->n_columns;
        while (width > 1) {
            int64_t half = (width + 1) / 2;
            for (int64_t j = 0; j < width - half; j++)
                squares[j] += squares[half + j];
            width = half;
        }
        norms[i] = sqrt(squares[0]);
    }
    free(squares);
    return 0;
}

/* Eight sums grow side by side; the order is left open. */
static int pair_sums(const struct matrix *X, const int64_t *rows,
                     const float *directions, const int64_t *columns, int64_t n_pairs,
                     double *sums, double *magnitudes)
{
    int64_t n = X->n_columns, current = -1;
    double *row = room_for_doubles(n);
    if (row == NULL)
        return -1;
    for (int64_t pair = 0; pair < n_pairs; pair++) {
        const float *direction = directions + columns[pair] * n;
        double total[8] = {0}, size[8] = {0};
        if (rows[pair] != current)
            read_row(X, current = rows[pair], row);
        int64_t j = 0;
        for (; j + 8 <= n; j += 8) {
            UNROLL
            for (int lane = 0; lane < 8; lane++) {
                double term = (double)direction[j + lane] * row[j + lane];
                total[lane] += term;
                size[lane] += fabs(term);
            }
        }
        for (; j < n; j++) {
            double term = (double)direction[j] * row[j];
            total[0] += term;
            size[0] += fabs(term);
        }
        for (int step = 4; step; step /= 2) {
            for (int lane = 0; lane < step; lane++) {
                total[lane] += total[lane + step];
                size[lane] += size[lane + step];
            }
        }
        sums[pair] = total[0];
        magnitudes[pair] = size[0];
    }
    free(row);
    return 0;
}

/* A sum, what its roundings lost, and what the roundings of that lost. */
struct digits {
    double total, error, rest;
};

/* a + b is the rounded sum and `lost`, whichever is larger (Knuth). */
INLINE double two_sum(double a, double b, double *lost)
{
    double total = a + b, part = total - a;
    *lost = (a - (total - part)) + (b - part);
    return total;
}

INLINE void add(struct digits *sum, double term)
{
    double lost;
    sum->total = two_sum(sum->total, term, &lost);
    sum->error = two_sum(sum->error, lost, &lost);
    sum->rest += lost;
}

/* The leading 29 bits of each number, and the others. */
static void split(const double *values, int64_t n, double *high, double *low)
{
    for (int64_t j = 0; j < n; j++) {
        uint64_t bits;
        memcpy(&bits, values + j, sizeof bits);
        bits &= ~(((uint64_t)1 << 24) - 1);
        memcpy(high + j, &bits, sizeof bits);
        low[j] = values[j] - high[j];
    }
}

/* The largest absolute difference, and what rounding it has lost: with its sign turned
 * where the difference is negative. Of differences that round to the same number the
 * one that lost most counts. */
static int differences_of_pairs(const struct matrix *left, const int64_t *left_rows,
                                const struct matrix *right, const int64_t *right_rows,
                                int64_t n_pairs, double *high, double *low)
{
    const int64_t n = left->n_columns, width = (n + DOUBLES - 1) / DOUBLES * DOUBLES;
    double *room = room_for_doubles(2 * width);
    if (room == NULL)
        return -1;
    double *a = room, *b = room + width;
    memset(room, 0, (size_t)(2 * width) * sizeof *room);
    for (int64_t pair = 0; pair < n_pairs; pair++) {
        if (pair == 0 || left_rows[pair] != left_rows[pair - 1])
            read_row(left, left_rows[pair], a);
        read_row(right, right_rows[pair], b);
        doubles_t largest = spread_double(0);
        for (int64_t j = 0; j < width; j += DOUBLES)
            largest = larger_sizes(
                largest, sizes_of(load_doubles(a + j) - load_doubles(b + j)));
        double found[DOUBLES], size = 0, most = -INFINITY;
        memcpy(found, &largest, sizeof largest);
        for (int lane = 0; lane < DOUBLES; lane++)
            size = found[lane] > size ? found[lane] : size;
        for (int64_t j = 0; j < n && size < INFINITY; j++) {
            if (fabs(a[j] - b[j]) == size) {
                double error;
                const double difference = two_sum(a[j], -b[j], &error);
                error = difference < 0 ? -error : error;
                most = error > most ? error : most;
            }
        }
        high[pair] = size;
        low[pair] = n > 0 && size < INFINITY ? most + 0.0 : 0; /* not -0.0 */
    }
    free(room);
    return 0;
}

/* Eight sums grow side by side, and then go into one. The products are exact, for a
 * direction has 24 bits. */
static int compensated_sums(const struct matrix *X, const int64_t *rows,
                            const float *directions, const struct pairs *pairs,
                            struct compensated *found)
{
    int64_t n = X->n_columns, current = -1;
    int64_t width = (n + 7) / 8 * 8;
    double *room = room_for_doubles(4 * width);
    if (room == NULL)
        return -1;
    memset(room, 0, (size_t)(4 * width) * sizeof *room);
    double *row = room, *high = room + width, *low = room + 2 * width;
    double *direction = room + 3 * width;
    for (int64_t pair = 0; pair < pairs->n_pairs; pair++) {
        const float *weights = directions + pairs->columns[pair] * n;
        if (rows[pair] != current) {
            read_row(X, current = rows[pair], row);
            split(row, n, high, low);
        }
        for (int64_t j = 0; j < n; j++)
            direction[j] = weights[j];
        struct digits sums[8] = {{0}};
        double size[8] = {0}, smallest[8];
        UNROLL
        for (int lane = 0; lane < 8; lane++)
            smallest[lane] = 1;
        for (int64_t j = 0; j < width; j += 8) {
            UNROLL
            for (int lane = 0; lane < 8; lane++) {
                double w = direction[j + lane], x = row[j + lane];
                double product = fabs(w) * fabs(x);
                double least = w != 0 && x != 0 ? product : 1;
                smallest[lane] = least < smallest[lane] ? least : smallest[lane];
                size[lane] += product;
                add(&sums[lane], w * high[j + lane]);
                add(&sums[lane], w * low[j + lane]);
            }
        }
        struct digits sum = {pairs->offsets[pair], 0, 0};
        add(&sum, pairs->shifts[pair]);
        double magnitude = fabs(pairs->offsets[pair]) + fabs(pairs->shifts[pair]);
        double least = 1;
        for (int lane = 0; lane < 8; lane++) {
            double lost;
            add(&sum, sums[lane].total);
            sum.error = two_sum(sum.error, sums[lane].error, &lost);
            sum.rest += lost + sums[lane].rest;
            magnitude += size[lane];
            least = smallest[lane] < least ? smallest[lane] : least;
        }
        double error, total = two_sum(sum.total, sum.error, &error);
        found->sums[pair] = total + (error + sum.rest);
        found->magnitudes[pair] = magnitude;
        found->smallest[pair] = least;
    }
    free(room);
    return 0;
}
