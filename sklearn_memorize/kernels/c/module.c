/* The binding: arrays in, arrays filled, without the interpreter lock.
 *
 * It uses the limited API of Python 3.11 (setup.py says so), so that one file serves
 * all later versions, and the buffer protocol, so that NumPy is not needed to build it.
 * Callers hand over contiguous arrays of the right type (`_compiled.py` sees to that);
 * types, sizes and indices are checked here once more, so that no mistake reads or
 * writes elsewhere.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "control.h"
#include "kernels.h"
#include "processor.h"

#include <stdlib.h>
#include <string.h>

/* Which kernels ------------------------------------------------------------------- */

#define MOST_TABLES 4
/* Filled when the module is imported, the fastest last. */
static const struct kernels *tables[MOST_TABLES];
static int n_tables;
static const struct kernels *active;

static void fill_tables(void)
{
    n_tables = 0;
    tables[n_tables++] = &kernels_baseline;
#if HAVE_X86_INSTRUCTION_SETS
    const struct kernels *more[]
        = {&kernels_avx2, &kernels_avx512_skylake, &kernels_avx512};
    const int n_more = instruction_set_level();
    for (int i = 0; i < n_more; i++)
        tables[n_tables++] = more[i];
#endif
    active = tables[n_tables - 1];
}

static PyObject *instruction_sets(PyObject *self, PyObject *arguments)
{
    PyObject *names = PyTuple_New(n_tables);
    (void)self, (void)arguments;
    for (int i = 0; names != NULL && i < n_tables; i++) {
        PyObject *name = PyUnicode_FromString(tables[i]->name);
        if (name == NULL || PyTuple_SetItem(names, i, name) < 0) {
            Py_DECREF(names);
            return NULL;
        }
    }
    return names;
}

static PyObject *use(PyObject *self, PyObject *name)
{
    PyObject *bytes = PyUnicode_AsASCIIString(name);
    const char *wanted = bytes == NULL ? NULL : PyBytes_AsString(bytes);
    int is_known = 0;
    (void)self;
    for (int i = 0; wanted != NULL && i < n_tables; i++) {
        if (strcmp(tables[i]->name, wanted) == 0) {
            active = tables[i];
            is_known = 1;
        }
    }
    Py_XDECREF(bytes);
    if (!is_known) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "no such instruction set here");
        return NULL;
    }
    Py_RETURN_NONE;
}

/* The control word of this thread's arithmetic, which other libraries change. */
static PyObject *get_control(PyObject *self, PyObject *arguments)
{
    (void)self, (void)arguments;
    return PyLong_FromUnsignedLongLong(read_control());
}

static PyObject *set_control(PyObject *self, PyObject *word)
{
    uint64_t wanted = PyLong_AsUnsignedLongLong(word);
    (void)self;
    if (PyErr_Occurred())
        return NULL;
    write_control(wanted);
    Py_RETURN_NONE;
}

/* Arguments ----------------------------------------------------------------------- */

#define MOST_ARRAYS 12

/* One call: the arrays it holds, and whether an argument was refused. */
struct call {
    PyObject *const *arguments;
    Py_buffer views[MOST_ARRAYS];
    int n_views, n_taken, is_refused;
};

static void refuse(struct call *call, PyObject *kind, const char *text)
{
    call->is_refused = 1;
    if (!PyErr_Occurred())
        PyErr_Format(kind, "argument %d: %s", call->n_taken, text);
}

/* The kind of a number: 'f', 'i' or 'u', or 0. */
static char kind_of(const Py_buffer *view)
{
    const char *format = view->format == NULL ? "B" : view->format;
    if (*format == '@' || *format == '=')
        format++;
    if (format[0] == 0 || format[1] != 0)
        return 0;
    if (strchr("fd", *format))
        return 'f';
    if (strchr("bhilqn", *format))
        return 'i';
    if (strchr("BHILQN", *format))
        return 'u';
    return 0;
}

static Py_buffer *take(struct call *call, int flags)
{
    PyObject *argument = call->arguments[call->n_taken++];
    Py_buffer *view = call->views + call->n_views;
    if (call->is_refused)
        return NULL;
    if (PyObject_GetBuffer(argument, view, flags | PyBUF_FORMAT) < 0) {
        call->is_refused = 1;
        return NULL;
    }
    call->n_views++;
    return view;
}

static int64_t size_of(const Py_buffer *view)
{
    return view->itemsize ? view->len / view->itemsize : 0;
}

/* Return an array of `n` numbers (any number if negative) of a kind and size. */
static void *contiguous(struct call *call, char kind, int size, int64_t n, int flags)
{
    Py_buffer *view = take(call, PyBUF_C_CONTIGUOUS | flags);
    if (view == NULL)
        return NULL;
    if (kind_of(view) != kind || view->itemsize != size)
        refuse(call, PyExc_TypeError, "an array of another type is wanted");
    else if (n >= 0 && size_of(view) != n)
        refuse(call, PyExc_ValueError, "an array of another size is wanted");
    return view->buf;
}

static const float *floats(struct call *call, int64_t n)
{
    return contiguous(call, 'f', 4, n, 0);
}

static const double *doubles(struct call *call, int64_t n)
{
    return contiguous(call, 'f', 8, n, 0);
}

static double *doubles_out(struct call *call, int64_t n)
{
    return contiguous(call, 'f', 8, n, PyBUF_WRITABLE);
}

static const uint64_t *words_in(struct call *call, int64_t n)
{
    return contiguous(call, 'u', 8, n, 0);
}

static uint64_t *words_out(struct call *call, int64_t n)
{
    return contiguous(call, 'u', 8, n, PyBUF_WRITABLE);
}

static const int64_t *integers(struct call *call, int64_t n)
{
    return contiguous(call, 'i', 8, n, 0);
}

static int64_t *integers_out(struct call *call, int64_t n)
{
    return contiguous(call, 'i', 8, n, PyBUF_WRITABLE);
}

/* The size of the array that was taken last. */
static int64_t last_size(const struct call *call)
{
    return call->is_refused ? 0 : size_of(call->views + call->n_views - 1);
}

/* Its dimensions; what it has not counts as one. */
static int64_t last_shape(const struct call *call, int dimension)
{
    if (call->is_refused)
        return 0;
    const Py_buffer *view = call->views + call->n_views - 1;
    return dimension < view->ndim ? view->shape[dimension] : 1;
}

/* Indices from 0 to `limit` - 1. */
static const int64_t *indices(struct call *call, int64_t n, int64_t limit)
{
    const int64_t *numbers = integers(call, n);
    uint64_t is_outside = 0;
    if (call->is_refused)
        return NULL;
    n = last_size(call);
    for (int64_t i = 0; i < n; i++)
        is_outside |= (uint64_t)numbers[i] >= (uint64_t)limit;
    if (is_outside)
        refuse(call, PyExc_IndexError, "an index is out of bounds");
    return numbers;
}

static int64_t integer(struct call *call)
{
    PyObject *argument = call->arguments[call->n_taken++];
    int64_t number;
    if (call->is_refused)
        return 0;
    number = PyLong_AsLongLong(argument);
    if (number == -1 && PyErr_Occurred())
        call->is_refused = 1;
    return number;
}

static int64_t integer_between(struct call *call, int64_t lowest, int64_t highest)
{
    int64_t number = integer(call);
    if (!call->is_refused && (number < lowest || number > highest))
        refuse(call, PyExc_ValueError, "a number is out of bounds");
    return number;
}

static double real(struct call *call)
{
    double number = PyFloat_AsDouble(call->arguments[call->n_taken++]);
    if (number == -1.0 && PyErr_Occurred())
        call->is_refused = 1;
    return number;
}

static struct matrix matrix(struct call *call)
{
    struct matrix X = {0};
    Py_buffer *view = take(call, PyBUF_STRIDES);
    if (view == NULL)
        return X;
    if (view->ndim != 2 || kind_of(view) != 'f'
        || (view->itemsize != 4 && view->itemsize != 8)) {
        refuse(call, PyExc_TypeError, "a matrix of floats is wanted");
        return X;
    }
    X.data = view->buf;
    X.n_rows = view->shape[0];
    X.n_columns = view->shape[1];
    X.row_stride = view->strides[0];
    X.column_stride = view->strides[1];
    X.is_double = view->itemsize == 8;
    return X;
}

/* Codes in tiles, of shape (n_tiles, n_words, 64), or in planes, of shape (n_groups,
 * 64 * n_words, 8). */
static struct codes codes_of(struct call *call, int flags)
{
    struct codes codes = {0};
    codes.words = contiguous(call, 'u', 8, -1, flags);
    if (call->is_refused)
        return codes;
    codes.n_tiles = last_shape(call, 0);
    codes.n_words = last_shape(call, 1);
    codes.are_planes = last_shape(call, 2) == TILES_OF_A_GROUP;
    if (codes.are_planes) {
        codes.n_tiles *= TILES_OF_A_GROUP;
        codes.n_words /= 64;
    }
    if (codes.n_tiles * codes.n_words * LANES != last_size(call))
        refuse(call, PyExc_ValueError, "neither tiles nor planes");
    return codes;
}

/* Two arguments: masks and, if wanted, bounds. */
static struct neurons neurons_of(struct call *call, const struct codes *codes,
                                 int have_bounds)
{
    struct neurons neurons = {0};
    neurons.masks = words_in(call, -1);
    neurons.n_neurons = last_shape(call, 0);
    if (last_size(call) != neurons.n_neurons * codes->n_words)
        refuse(call, PyExc_ValueError, "as many words are wanted as codes have");
    if (have_bounds)
        neurons.bounds = integers(call, neurons.n_neurons);
    return neurons;
}

/* Five arguments: values, small, units, below, above. */
static struct outputs outputs_of(struct call *call)
{
    struct outputs outputs = {0};
    outputs.values = doubles(call, -1);
    int64_t n_lanes = last_shape(call, 0);
    outputs.n_tiles = n_lanes / LANES;
    outputs.n_hyperplanes = last_shape(call, 1);
    if (outputs.n_tiles * LANES * outputs.n_hyperplanes != last_size(call)
        || outputs.n_hyperplanes > UINT32_MAX)
        refuse(call, PyExc_ValueError, "no tiles of outputs");
    outputs.small = contiguous(call, 'u', 2, n_lanes * outputs.n_hyperplanes, 0);
    outputs.units = floats(call, n_lanes);
    outputs.below = floats(call, n_lanes);
    outputs.above = floats(call, n_lanes);
    return outputs;
}

/* The codes that have as many words as masks of outputs. */
static struct codes as_codes(const struct outputs *outputs)
{
    struct codes codes = {NULL, 0, (outputs->n_hyperplanes + 63) / 64, 0};
    return codes;
}

/* Masks name hyperplanes that are there. */
static void check_masks(struct call *call, const struct neurons *neurons,
                        int64_t n_hyperplanes)
{
    const int64_t n_words = (n_hyperplanes + 63) / 64, n_last = n_hyperplanes % 64;
    uint64_t is_outside = 0;
    if (call->is_refused || n_last == 0)
        return;
    for (int64_t i = 0; i < neurons->n_neurons; i++)
        is_outside |= neurons->masks[(i + 1) * n_words - 1] >> n_last;
    if (is_outside)
        refuse(call, PyExc_ValueError, "masks name hyperplanes that are not there");
}

static struct classes classes_of(struct call *call, int64_t n_neurons)
{
    struct classes classes = {0};
    classes.starts = indices(call, -1, n_neurons + 1);
    classes.n_classes = last_size(call) - 1;
    if (!call->is_refused && classes.n_classes < 0)
        refuse(call, PyExc_ValueError, "no start of a class");
    for (int64_t c = 0; !call->is_refused && c < classes.n_classes; c++)
        if (classes.starts[c] > classes.starts[c + 1])
            refuse(call, PyExc_ValueError, "starts of classes decrease");
    return classes;
}

/* The last class ends where all of them do. */
static void check_last_start(struct call *call, const struct classes *classes, int64_t n)
{
    if (!call->is_refused && classes->starts[classes->n_classes] != n)
        refuse(call, PyExc_ValueError, "the classes do not end with the last one");
}

/* Three arguments: offsets, column_bounds, offset_bounds. */
static struct offsets offsets_of(struct call *call, int64_t n_hyperplanes)
{
    struct offsets offsets = {0};
    offsets.offsets = floats(call, n_hyperplanes);
    offsets.n_hyperplanes = last_size(call);
    offsets.column_bounds = floats(call, offsets.n_hyperplanes);
    offsets.offset_bounds = floats(call, offsets.n_hyperplanes);
    return offsets;
}

/* Leaving a call ------------------------------------------------------------------- */

static void let_go(struct call *call)
{
    while (call->n_views > 0)
        PyBuffer_Release(call->views + --call->n_views);
}

/* Run a kernel without the interpreter lock, in standard arithmetic. */
#define RUN(failed, expression)                                                        \
    do {                                                                               \
        Py_BEGIN_ALLOW_THREADS                                                         \
        uint64_t before = read_control();                                              \
        write_control(STANDARD_ARITHMETIC);                                            \
        failed = (expression);                                                         \
        write_control(before);                                                         \
        Py_END_ALLOW_THREADS                                                           \
    } while (0)

static PyObject *finish(struct call *call, int failed)
{
    let_go(call);
    if (call->is_refused)
        return NULL;
    if (failed)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* Return the doubtful entries as two strings of 64-bit numbers. */
static PyObject *finish_doubts(struct call *call, int failed, struct doubts *doubts)
{
    PyObject *rows = NULL, *columns = NULL, *both = NULL;
    let_go(call);
    if (call->is_refused || failed) {
        if (failed && !call->is_refused)
            PyErr_NoMemory();
    } else {
        Py_ssize_t size = (Py_ssize_t)(doubts->n * (int64_t)sizeof(int64_t));
        rows = PyBytes_FromStringAndSize((const char *)doubts->rows, size);
        columns = PyBytes_FromStringAndSize((const char *)doubts->columns, size);
        if (rows != NULL && columns != NULL)
            both = PyTuple_Pack(2, rows, columns);
    }
    Py_XDECREF(rows);
    Py_XDECREF(columns);
    free(doubts->rows);
    free(doubts->columns);
    return both;
}

/* A function of the module with so many arguments, which are taken one by one. */
#define FUNCTION(name, n)                                                              \
    static PyObject *call_##name(struct call *call);                                   \
    static PyObject *name(PyObject *self, PyObject *const *arguments,                  \
                          Py_ssize_t given)                                            \
    {                                                                                  \
        struct call call;                                                              \
        (void)self;                                                                    \
        if (given != n) {                                                              \
            PyErr_SetString(PyExc_TypeError, #name " takes " #n " arguments");         \
            return NULL;                                                               \
        }                                                                              \
        call.arguments = arguments;                                                    \
        call.n_views = call.n_taken = call.is_refused = 0;                             \
        return call_##name(&call);                                                     \
    }                                                                                  \
    static PyObject *call_##name(struct call *call)

/* The kernels --------------------------------------------------------------------- */

FUNCTION(row_hashes, 3)
{
    int failed = 0;
    struct matrix X = matrix(call);
    const uint64_t *coefficients = words_in(call, X.n_columns);
    uint64_t *hashes = words_out(call, X.n_rows);
    if (!call->is_refused)
        RUN(failed, active->row_hashes(&X, coefficients, hashes));
    return finish(call, failed);
}

FUNCTION(ordered_product, 3)
{
    int failed = 0;
    struct matrix rows = matrix(call), weights = matrix(call);
    if (!call->is_refused && rows.n_columns != weights.n_columns)
        refuse(call, PyExc_ValueError, "rows and weights differ in length");
    double *totals = doubles_out(call, rows.n_rows * weights.n_rows);
    if (!call->is_refused)
        RUN(failed, active->ordered_product(&rows, &weights, totals));
    return finish(call, failed);
}

FUNCTION(largest_differences, 3)
{
    int failed = 0;
    struct matrix rows = matrix(call), points = matrix(call);
    if (!call->is_refused && rows.n_columns != points.n_columns)
        refuse(call, PyExc_ValueError, "rows and points differ in length");
    double *table = doubles_out(call, rows.n_rows * points.n_rows);
    if (!call->is_refused)
        RUN(failed, active->largest_differences(&rows, &points, table));
    return finish(call, failed);
}

FUNCTION(differences_of_pairs, 6)
{
    int failed = 0;
    struct matrix left = matrix(call);
    const int64_t *left_rows = indices(call, -1, left.n_rows);
    int64_t n_pairs = last_size(call);
    struct matrix right = matrix(call);
    if (!call->is_refused && left.n_columns != right.n_columns)
        refuse(call, PyExc_ValueError, "rows differ in length");
    const int64_t *right_rows = indices(call, n_pairs, right.n_rows);
    double *high = doubles_out(call, n_pairs), *low = doubles_out(call, n_pairs);
    if (!call->is_refused)
        RUN(failed, active->differences_of_pairs(&left, left_rows, &right, right_rows,
                                                 n_pairs, high, low));
    return finish(call, failed);
}

FUNCTION(integer_sums, 4)
{
    int failed = 0;
    struct matrix X = matrix(call);
    double first = real(call), second = real(call);
    double *sums = doubles_out(call, X.n_columns);
    if (!call->is_refused)
        RUN(failed, active->integer_sums(&X, first, second, sums));
    return finish(call, failed);
}

FUNCTION(row_norms, 4)
{
    int failed = 0;
    struct matrix X = matrix(call);
    const double *center = doubles(call, X.n_columns);
    double scale = real(call);
    double *norms = doubles_out(call, X.n_rows);
    if (!call->is_refused)
        RUN(failed, active->row_norms(&X, center, scale, norms));
    return finish(call, failed);
}

FUNCTION(pair_sums, 6)
{
    int failed = 0;
    struct matrix X = matrix(call);
    const int64_t *rows = indices(call, -1, X.n_rows);
    int64_t n_pairs = last_size(call);
    const float *directions = floats(call, -1);
    int64_t n_directions = last_shape(call, 0);
    if (!call->is_refused && last_size(call) != n_directions * X.n_columns)
        refuse(call, PyExc_ValueError, "rows and directions differ in length");
    const int64_t *columns = indices(call, n_pairs, n_directions);
    double *sums = doubles_out(call, n_pairs);
    double *magnitudes = doubles_out(call, n_pairs);
    if (!call->is_refused)
        RUN(failed, active->pair_sums(&X, rows, directions, columns, n_pairs, sums,
                                      magnitudes));
    return finish(call, failed);
}

FUNCTION(compensated_sums, 9)
{
    int failed = 0;
    struct matrix X = matrix(call);
    const int64_t *rows = indices(call, -1, X.n_rows);
    int64_t n_pairs = last_size(call);
    const float *directions = floats(call, -1);
    int64_t n_directions = last_shape(call, 0);
    if (!call->is_refused && last_size(call) != n_directions * X.n_columns)
        refuse(call, PyExc_ValueError, "rows and directions differ in length");
    struct pairs pairs = {indices(call, n_pairs, n_directions), NULL, NULL, n_pairs};
    pairs.offsets = doubles(call, n_pairs);
    pairs.shifts = doubles(call, n_pairs);
    struct compensated found = {0};
    found.sums = doubles_out(call, n_pairs);
    found.magnitudes = doubles_out(call, n_pairs);
    found.smallest = doubles_out(call, n_pairs);
    if (!call->is_refused)
        RUN(failed, active->compensated_sums(&X, rows, directions, &pairs, &found));
    return finish(call, failed);
}

FUNCTION(hinge_sums, 10)
{
    int failed = 0;
    struct hinges hinges = {0};
    hinges.distances = floats(call, -1);
    const int64_t n_rows = last_shape(call, 0);
    hinges.n_columns = n_rows ? last_size(call) / n_rows : 0;
    hinges.rows = indices(call, -1, n_rows);
    const int64_t n_pairs = last_size(call);
    hinges.factors = floats(call, -1);
    const int64_t n_cells = last_shape(call, 0);
    if (!call->is_refused && last_size(call) != n_cells * hinges.n_columns)
        refuse(call, PyExc_ValueError, "distances and factors differ in length");
    hinges.cells = indices(call, n_pairs, n_cells);
    hinges.positions = indices(call, n_pairs, hinges.n_columns);
    hinges.slacks = floats(call, n_pairs);
    hinges.relative = (float)real(call);
    hinges.least = (float)real(call);
    hinges.half = (float)real(call);
    double *sums = doubles_out(call, n_pairs);
    if (!call->is_refused)
        RUN(failed, active->hinge_sums(&hinges, n_pairs, sums));
    return finish(call, failed);
}

FUNCTION(pack_signs, 8)
{
    int failed = 0;
    struct doubts doubts = {0};
    const float *products = floats(call, -1);
    int64_t n_rows = last_shape(call, 0), n_columns = last_shape(call, 1);
    struct offsets offsets = offsets_of(call, n_columns);
    struct places places = {floats(call, n_rows), NULL, n_rows};
    int64_t first_word = integer(call);
    struct codes codes = codes_of(call, PyBUF_WRITABLE);
    places.positions = indices(call, n_rows, codes.n_tiles * LANES);
    if (!call->is_refused
        && (codes.are_planes || first_word < 0
            || first_word + (n_columns + 63) / 64 > codes.n_words))
        refuse(call, PyExc_ValueError, "tiles of more words are wanted");
    if (!call->is_refused)
        RUN(failed, active->pack_signs(products, &offsets, &places, first_word, &codes,
                                       &doubts));
    return finish_doubts(call, failed, &doubts);
}

/* Three arguments: shift or None, and two factors; then n_terms and squares. */
static struct preparation preparation_of(struct call *call, int64_t n_features,
                                         int64_t n_rows)
{
    struct preparation preparation = {0};
    PyObject *shift = call->arguments[call->n_taken];
    if (shift == Py_None)
        call->n_taken++;
    else
        preparation.shift = doubles(call, n_features);
    preparation.first = real(call);
    preparation.second = real(call);
    preparation.n_terms = integers_out(call, n_rows);
    preparation.squares = doubles_out(call, n_rows);
    return preparation;
}

static int64_t groups_of(int64_t n_rows)
{
    return (n_rows + ROWS_OF_A_GROUP - 1) / ROWS_OF_A_GROUP;
}

FUNCTION(pack_rows, 11)
{
    int failed = 0;
    struct matrix X = matrix(call);
    const int64_t *rows = indices(call, -1, X.n_rows);
    struct packed_rows packed = {.n_rows = last_size(call)};
    struct preparation preparation = preparation_of(call, X.n_columns, packed.n_rows);
    int64_t n_groups = groups_of(packed.n_rows);
    packed.order = integers_out(call, packed.n_rows);
    packed.starts = integers_out(call, n_groups + 1);
    packed.columns
        = contiguous(call, 'i', 4, n_groups * X.n_columns + 1, PyBUF_WRITABLE);
    packed.values = contiguous(call, 'f', 4, n_groups * X.n_columns * ROWS_OF_A_GROUP,
                               PyBUF_WRITABLE);
    if (!call->is_refused)
        RUN(failed, active->pack_rows(&X, rows, &packed, &preparation));
    return finish(call, failed);
}

/* Four arguments: order, starts, columns, values. */
static struct packed_rows packed_rows_of(struct call *call)
{
    struct packed_rows packed = {0};
    packed.order = (int64_t *)indices(call, -1, INT64_MAX);
    packed.n_rows = last_size(call);
    packed.starts = (int64_t *)integers(call, -1);
    const int64_t n_groups = last_size(call) - 1;
    packed.columns = contiguous(call, 'i', 4, -1, 0);
    packed.values = contiguous(call, 'f', 4, -1, 0);
    const int64_t n_values = last_size(call);
    if (!call->is_refused && groups_of(packed.n_rows) != n_groups)
        refuse(call, PyExc_ValueError, "packed rows do not fit");
    for (int64_t i = 0; !call->is_refused && i < packed.n_rows; i++)
        if (packed.order[i] >= packed.n_rows)
            refuse(call, PyExc_IndexError, "the order of rows has another length");
    for (int64_t g = 0; !call->is_refused && g < n_groups; g++)
        if (packed.starts[g] < 0 || packed.starts[g] > packed.starts[g + 1]
            || packed.starts[g + 1] > n_values / ROWS_OF_A_GROUP)
            refuse(call, PyExc_ValueError, "starts of groups do not fit");
    return packed;
}

FUNCTION(pack_signs_of_rows, 11)
{
    int failed = 0;
    struct doubts doubts = {0};
    struct packed_rows packed = packed_rows_of(call);
    const float *directions = floats(call, -1);
    int64_t n_directions = last_shape(call, 0), n_features = last_shape(call, 1);
    struct offsets offsets = offsets_of(call, n_directions);
    struct places places = {floats(call, packed.n_rows), NULL, packed.n_rows};
    struct codes codes = codes_of(call, PyBUF_WRITABLE);
    places.positions = indices(call, packed.n_rows, codes.n_tiles * LANES);
    if (!call->is_refused
        && (codes.are_planes || (n_directions + 63) / 64 > codes.n_words))
        refuse(call, PyExc_ValueError, "directions or codes do not fit");
    if (!call->is_refused)
        RUN(failed, active->pack_signs_of_rows(&packed, directions, n_features,
                                               &offsets, &places, &codes, &doubts));
    return finish_doubts(call, failed, &doubts);
}

FUNCTION(tiles_of_rows, 9)
{
    int failed = 0;
    struct matrix X = matrix(call);
    const int64_t *rows = indices(call, -1, X.n_rows);
    int64_t n_rows = last_size(call);
    struct preparation preparation = preparation_of(call, X.n_columns, n_rows);
    float *tiles = contiguous(call, 'f', 4, -1, PyBUF_WRITABLE);
    int64_t n_tiles = last_shape(call, 0);
    if (!call->is_refused && last_size(call) != n_tiles * X.n_columns * LANES)
        refuse(call, PyExc_ValueError, "tiles of another shape are wanted");
    const int64_t *lanes = indices(call, n_rows, n_tiles * LANES);
    if (!call->is_refused)
        RUN(failed,
            active->tiles_of_rows(&X, rows, lanes, n_rows, tiles, &preparation));
    return finish(call, failed);
}

FUNCTION(signs_in_planes, 8)
{
    int failed = 0;
    struct doubts doubts = {0};
    const float *tiles = contiguous(call, 'f', 4, -1, 0);
    int64_t n_tiles = last_shape(call, 0), n_features = last_shape(call, 1);
    const float *directions = floats(call, -1);
    int64_t n_directions = last_shape(call, 0);
    if (!call->is_refused && last_shape(call, 1) != n_features)
        refuse(call, PyExc_ValueError, "rows and directions differ in length");
    struct offsets offsets = offsets_of(call, n_directions);
    struct places places = {floats(call, -1), NULL, 0};
    places.n_rows = last_size(call);
    struct codes planes = codes_of(call, PyBUF_WRITABLE);
    places.positions = indices(call, places.n_rows, n_tiles * LANES);
    if (!call->is_refused
        && (!planes.are_planes || planes.n_tiles != n_tiles
            || n_directions > 64 * planes.n_words))
        refuse(call, PyExc_ValueError, "planes of another shape are wanted");
    if (!call->is_refused)
        RUN(failed, active->signs_in_planes(tiles, directions, n_features, &offsets,
                                            &places, &planes, &doubts));
    return finish_doubts(call, failed, &doubts);
}

FUNCTION(arrange, 1)
{
    int failed = 0;
    struct codes codes = codes_of(call, PyBUF_WRITABLE);
    if (!call->is_refused && (codes.are_planes || codes.n_tiles % TILES_OF_A_GROUP))
        refuse(call, PyExc_ValueError, "tiles in groups of eight are wanted");
    if (!call->is_refused)
        RUN(failed, active->arrange(&codes));
    return finish(call, failed);
}

FUNCTION(words_at, 3)
{
    int failed = 0;
    struct codes codes = codes_of(call, 0);
    const int64_t *positions = indices(call, -1, codes.n_tiles * LANES);
    int64_t n_positions = last_size(call);
    uint64_t *words = words_out(call, n_positions * codes.n_words);
    if (!call->is_refused)
        RUN(failed, active->words_at(&codes, positions, n_positions, words));
    return finish(call, failed);
}

FUNCTION(smallest_counts, 5)
{
    int failed = 0;
    struct codes codes = codes_of(call, 0);
    struct neurons neurons = neurons_of(call, &codes, 0);
    int64_t skip_start = integer(call), skip_stop = integer(call);
    int32_t *smallest = contiguous(call, 'i', 4, neurons.n_neurons, PyBUF_WRITABLE);
    if (!call->is_refused)
        RUN(failed,
            active->smallest_counts(&codes, &neurons, skip_start, skip_stop, smallest));
    return finish(call, failed);
}

FUNCTION(covers, 6)
{
    int failed = 0;
    struct codes codes = codes_of(call, 0);
    struct neurons neurons = neurons_of(call, &codes, 1);
    int64_t start = integer_between(call, 0, codes.n_tiles);
    int64_t stop = integer_between(call, start, codes.n_tiles);
    uint64_t *fires = words_out(call, neurons.n_neurons * (stop - start));
    if (!call->is_refused)
        RUN(failed, active->covers(&codes, &neurons, start, stop, fires));
    return finish(call, failed);
}

FUNCTION(classes_that_fire, 6)
{
    int failed = 0;
    struct codes codes = codes_of(call, 0);
    struct neurons neurons = neurons_of(call, &codes, 1);
    struct classes classes = classes_of(call, neurons.n_neurons);
    int64_t n_samples = integer_between(call, 0, codes.n_tiles * LANES);
    uint64_t *fired = words_out(call, codes.n_tiles * classes.n_classes);
    if (!call->is_refused)
        RUN(failed,
            active->classes_that_fire(&codes, &neurons, &classes, n_samples, fired));
    return finish(call, failed);
}

FUNCTION(largest_margins, 8)
{
    int failed = 0;
    struct codes codes = codes_of(call, 0);
    struct neurons neurons = neurons_of(call, &codes, 1);
    struct classes classes = classes_of(call, neurons.n_neurons);
    int64_t n_samples = integer_between(call, 0, codes.n_tiles * LANES);
    int64_t n_votes = integer_between(call, 1, (int64_t)1 << 31);
    int64_t *totals = integers_out(call, codes.n_tiles * LANES * classes.n_classes);
    uint64_t *fired = words_out(call, codes.n_tiles * classes.n_classes);
    if (!call->is_refused)
        RUN(failed, active->largest_margins(&codes, &neurons, &classes, n_samples,
                                            n_votes, totals, fired));
    return finish(call, failed);
}

FUNCTION(margins_of_rows, 7)
{
    int failed = 0;
    const uint64_t *words = words_in(call, -1);
    int64_t n_rows = last_shape(call, 0), n_coverings = last_shape(call, 1);
    struct codes codes = {NULL, 0, last_shape(call, 2), 0};
    struct neurons neurons = neurons_of(call, &codes, 1);
    struct classes classes = classes_of(call, neurons.n_neurons);
    if (!call->is_refused && (n_coverings < 1 || classes.n_classes % n_coverings))
        refuse(call, PyExc_ValueError, "coverings have the same classes");
    int64_t n_votes = integer_between(call, 1, (int64_t)1 << 31);
    int64_t *totals = integers_out(call, n_rows * classes.n_classes);
    uint64_t *fired = words_out(call, n_rows * classes.n_classes);
    if (!call->is_refused)
        RUN(failed, active->margins_of_rows(words, n_rows, n_coverings, codes.n_words,
                                            &neurons, &classes, n_votes, totals,
                                            fired));
    return finish(call, failed);
}

/* Three arguments: order, starts and columns of packed rows. */
static struct packed_rows groups_of_rows(struct call *call, int64_t n_features)
{
    struct packed_rows packed = {0};
    packed.order = (int64_t *)integers(call, -1);
    packed.n_rows = last_size(call);
    const int64_t n_groups = groups_of(packed.n_rows);
    packed.starts = (int64_t *)integers(call, n_groups + 1);
    packed.columns = contiguous(call, 'i', 4, -1, 0);
    const int64_t n_places = last_size(call);
    for (int64_t i = 0; !call->is_refused && i < packed.n_rows; i++)
        if (packed.order[i] < 0 || packed.order[i] >= packed.n_rows)
            refuse(call, PyExc_IndexError, "the order of rows has another length");
    for (int64_t g = 0; !call->is_refused && g < n_groups; g++)
        if (packed.starts[g] < 0 || packed.starts[g] > packed.starts[g + 1]
            || packed.starts[g + 1] > n_places)
            refuse(call, PyExc_ValueError, "starts of groups do not fit");
    const int64_t n_used = call->is_refused ? 0 : packed.starts[n_groups];
    for (int64_t place = 0; place < n_used && !call->is_refused; place++)
        if (packed.columns[place] < 0 || packed.columns[place] >= n_features)
            refuse(call, PyExc_IndexError, "a column is out of bounds");
    return packed;
}

static int64_t values_of_groups(const struct call *call,
                                const struct packed_rows *packed)
{
    if (call->is_refused)
        return 0;
    return packed->starts[groups_of(packed->n_rows)] * ROWS_OF_A_GROUP;
}

FUNCTION(read_groups, 9)
{
    int failed = 0;
    struct matrix X = matrix(call);
    const int64_t *rows = indices(call, -1, X.n_rows);
    const int64_t n_rows = last_size(call);
    struct preparation preparation = {0};
    PyObject *shift = call->arguments[call->n_taken];
    if (shift == Py_None)
        call->n_taken++;
    else
        preparation.shift = doubles(call, X.n_columns);
    preparation.first = real(call);
    preparation.second = real(call);
    struct packed_rows packed = groups_of_rows(call, X.n_columns);
    if (!call->is_refused && packed.n_rows != n_rows)
        refuse(call, PyExc_ValueError, "as many rows are wanted as are packed");
    double *values = doubles_out(call, values_of_groups(call, &packed));
    if (!call->is_refused)
        RUN(failed, active->read_groups(&X, rows, &packed, &preparation, values));
    return finish(call, failed);
}

FUNCTION(ceilings_of_rows, 13)
{
    int failed = 0;
    struct doubts doubts = {0};
    const float *directions = floats(call, -1);
    const int64_t n_directions = last_shape(call, 0), n_features = last_shape(call, 1);
    struct output_offsets offsets = {.n_hyperplanes = n_directions};
    offsets.biases = doubles(call, n_directions);
    offsets.column_bounds = doubles(call, n_directions);
    offsets.offset_bounds = doubles(call, n_directions);
    struct packed_rows packed = groups_of_rows(call, n_features);
    const double *values = doubles(call, values_of_groups(call, &packed));
    struct rows_to_write to_write = {0};
    to_write.sizes = doubles(call, packed.n_rows);
    to_write.relatives = doubles(call, packed.n_rows);
    to_write.cap = real(call);
    to_write.values = doubles_out(call, -1);
    const int64_t n_positions = last_shape(call, 0);
    to_write.n_columns = last_shape(call, 1);
    to_write.positions = indices(call, packed.n_rows, n_positions);
    if (!call->is_refused && n_directions > to_write.n_columns)
        refuse(call, PyExc_ValueError, "room for more outputs is wanted");
    if (!call->is_refused)
        RUN(failed,
            active->ceilings_of_rows(&packed, values, directions, n_features, &offsets,
                                     &to_write, &doubts));
    return finish_doubts(call, failed, &doubts);
}

FUNCTION(round_outputs, 5)
{
    int failed = 0;
    const double *values = doubles(call, -1);
    int64_t n_lanes = last_shape(call, 0), n_hyperplanes = last_shape(call, 1);
    if (!call->is_refused
        && (n_lanes % LANES || n_lanes * n_hyperplanes != last_size(call)))
        refuse(call, PyExc_ValueError, "no tiles of outputs");
    uint16_t *small
        = contiguous(call, 'u', 2, n_lanes * n_hyperplanes, PyBUF_WRITABLE);
    float *units = contiguous(call, 'f', 4, n_lanes, PyBUF_WRITABLE);
    float *below = contiguous(call, 'f', 4, n_lanes, PyBUF_WRITABLE);
    float *above = contiguous(call, 'f', 4, n_lanes, PyBUF_WRITABLE);
    if (!call->is_refused)
        RUN(failed, active->round_outputs(values, n_lanes / LANES, n_hyperplanes, small,
                                          units, below, above));
    return finish(call, failed);
}

FUNCTION(smallest_sums, 9)
{
    int failed = 0;
    struct outputs outputs = outputs_of(call);
    struct codes codes = as_codes(&outputs);
    struct neurons neurons = neurons_of(call, &codes, 0);
    check_masks(call, &neurons, outputs.n_hyperplanes);
    int64_t skip_start = integer(call), skip_stop = integer(call);
    double *smallest = doubles_out(call, neurons.n_neurons);
    if (!call->is_refused)
        RUN(failed, active->smallest_sums(&outputs, &neurons, skip_start, skip_stop,
                                          smallest));
    return finish(call, failed);
}

FUNCTION(sums_below, 10)
{
    int failed = 0;
    struct outputs outputs = outputs_of(call);
    struct codes codes = as_codes(&outputs);
    struct neurons neurons = neurons_of(call, &codes, 1);
    check_masks(call, &neurons, outputs.n_hyperplanes);
    int64_t start = integer_between(call, 0, outputs.n_tiles);
    int64_t stop = integer_between(call, start, outputs.n_tiles);
    uint64_t *below = words_out(call, neurons.n_neurons * (stop - start));
    if (!call->is_refused)
        RUN(failed, active->sums_below(&outputs, &neurons, start, stop, below));
    return finish(call, failed);
}

FUNCTION(classes_with_sums_below, 10)
{
    int failed = 0;
    struct outputs outputs = outputs_of(call);
    struct codes codes = as_codes(&outputs);
    struct neurons neurons = neurons_of(call, &codes, 1);
    check_masks(call, &neurons, outputs.n_hyperplanes);
    struct classes classes = classes_of(call, neurons.n_neurons);
    int64_t n_samples = integer_between(call, 0, outputs.n_tiles * LANES);
    uint64_t *fired = words_out(call, outputs.n_tiles * classes.n_classes);
    if (!call->is_refused)
        RUN(failed, active->classes_with_sums_below(&outputs, &neurons, &classes,
                                                    n_samples, fired));
    return finish(call, failed);
}

FUNCTION(largest_margins_of_sums, 12)
{
    int failed = 0;
    struct outputs outputs = outputs_of(call);
    struct codes codes = as_codes(&outputs);
    struct neurons neurons = neurons_of(call, &codes, 1);
    check_masks(call, &neurons, outputs.n_hyperplanes);
    struct classes classes = classes_of(call, neurons.n_neurons);
    int64_t n_samples = integer_between(call, 0, outputs.n_tiles * LANES);
    int64_t n_votes = integer_between(call, 1, (int64_t)1 << 31);
    double *totals = doubles_out(call, outputs.n_tiles * LANES * classes.n_classes);
    uint64_t *fired = words_out(call, outputs.n_tiles * classes.n_classes);
    if (!call->is_refused)
        RUN(failed, active->largest_margins_of_sums(&outputs, &neurons, &classes,
                                                    n_samples, n_votes, totals, fired));
    return finish(call, failed);
}

FUNCTION(round_outputs_of_rows, 14)
{
    int failed = 0;
    struct packed_rows packed = packed_rows_of(call);
    const float *directions = floats(call, -1);
    int64_t n_directions = last_shape(call, 0), n_features = last_shape(call, 1);
    struct offsets offsets = offsets_of(call, n_directions);
    struct places places = {floats(call, packed.n_rows), NULL, packed.n_rows};
    struct rounded_outputs rounded = {0};
    rounded.scale = real(call);
    rounded.cap = real(call);
    rounded.small = contiguous(call, 'u', 2, -1, PyBUF_WRITABLE);
    rounded.n_tiles = last_shape(call, 0);
    const int64_t n_lanes = rounded.n_tiles * LANES;
    if (!call->is_refused && n_lanes * n_directions != last_size(call))
        refuse(call, PyExc_ValueError, "tiles of another shape are wanted");
    rounded.units = contiguous(call, 'f', 4, 3 * n_lanes, PyBUF_WRITABLE);
    places.positions = indices(call, packed.n_rows, n_lanes);
    if (!call->is_refused) {
        rounded.below = rounded.units + n_lanes;
        rounded.above = rounded.below + n_lanes;
        RUN(failed, active->round_outputs_of_rows(&packed, directions, n_features,
                                                  &offsets, &places, &rounded));
    }
    return finish(call, failed);
}

/* Four arguments: small, units, below, above. */
static struct outputs rounded_outputs_of(struct call *call)
{
    struct outputs outputs = {0};
    outputs.small = contiguous(call, 'u', 2, -1, 0);
    outputs.n_tiles = last_shape(call, 0);
    outputs.n_hyperplanes = last_shape(call, 1);
    const int64_t n_lanes = outputs.n_tiles * LANES;
    if (n_lanes * outputs.n_hyperplanes != last_size(call))
        refuse(call, PyExc_ValueError, "no tiles of outputs");
    outputs.units = floats(call, n_lanes);
    outputs.below = floats(call, n_lanes);
    outputs.above = floats(call, n_lanes);
    return outputs;
}

FUNCTION(rounded_margins, 11)
{
    int failed = 0;
    struct outputs outputs = rounded_outputs_of(call);
    struct codes codes = as_codes(&outputs);
    struct neurons neurons = neurons_of(call, &codes, 1);
    check_masks(call, &neurons, outputs.n_hyperplanes);
    struct classes classes = classes_of(call, neurons.n_neurons);
    int64_t n_samples = integer_between(call, 0, outputs.n_tiles * LANES);
    int64_t n_votes = integer_between(call, 1, (int64_t)1 << 31);
    const int64_t n_totals = outputs.n_tiles * LANES * classes.n_classes;
    double *totals = doubles_out(call, n_totals);
    float *largest = contiguous(call, 'f', 4, n_totals, PyBUF_WRITABLE);
    if (!call->is_refused)
        RUN(failed, active->rounded_margins(&outputs, &neurons, &classes, n_samples,
                                            n_votes, totals, largest));
    return finish(call, failed);
}

FUNCTION(cover_in_order, 9)
{
    int failed = 0;
    struct codes codes = codes_of(call, 0);
    struct class_tiles tiles;
    tiles.start = integer_between(call, 0, codes.n_tiles);
    tiles.stop = integer_between(call, tiles.start, codes.n_tiles);
    const uint64_t *in_use = words_in(call, codes.n_words);
    const int64_t *order = indices(call, -1, (tiles.stop - tiles.start) * LANES);
    const int64_t n_samples = last_size(call);
    struct cover cover = {0};
    cover.centers = integers_out(call, n_samples);
    cover.bounds = integers_out(call, n_samples);
    cover.coverage = integers_out(call, n_samples);
    cover.covered = words_out(call, tiles.stop - tiles.start);
    if (!call->is_refused)
        RUN(failed, active->cover_in_order(&codes, &tiles, in_use, order, n_samples,
                                           &cover));
    for (int64_t i = cover.n; !call->is_refused && !failed && i < n_samples; i++)
        cover.centers[i] = -1;
    return finish(call, failed);
}

FUNCTION(first_apart, 7)
{
    int failed = 0;
    struct row_pairs pairs = {0};
    struct sparse_directions directions = {0};
    const double *rows = doubles(call, -1);
    int64_t n_rows = last_shape(call, 0), n_features = last_shape(call, 1);
    pairs.firsts = indices(call, -1, n_rows);
    directions.n_hyperplanes = last_shape(call, 0);
    pairs.n_of_each = last_shape(call, 1);
    pairs.seconds = indices(call, last_size(call), n_rows);
    directions.features = indices(call, -1, n_features);
    directions.n_terms = last_shape(call, 1);
    if (!call->is_refused && last_shape(call, 0) != directions.n_hyperplanes)
        refuse(call, PyExc_ValueError, "as many directions are wanted as pairs");
    directions.weights
        = doubles(call, directions.n_hyperplanes * directions.n_terms);
    double *low = doubles_out(call, directions.n_hyperplanes);
    double *high = doubles_out(call, directions.n_hyperplanes);
    if (!call->is_refused)
        RUN(failed,
            active->first_apart(rows, n_features, &pairs, &directions, low, high));
    return finish(call, failed);
}

FUNCTION(gini_gains, 6)
{
    int failed = 0;
    const double *columns = doubles(call, -1);
    int64_t n_features = last_shape(call, 0), n_rows = last_shape(call, 1);
    struct classes classes = classes_of(call, n_rows);
    const int64_t *features = indices(call, -1, n_features);
    int64_t n_hyperplanes = last_shape(call, 0), n_terms = last_shape(call, 1);
    const double *weights = doubles(call, n_hyperplanes * n_terms);
    const double *thresholds = doubles(call, n_hyperplanes);
    double *gains = doubles_out(call, n_hyperplanes);
    check_last_start(call, &classes, n_rows);
    if (!call->is_refused)
        RUN(failed, active->gini_gains(columns, &classes, features, weights, n_terms,
                                       thresholds, n_hyperplanes, gains));
    return finish(call, failed);
}

FUNCTION(two_smallest_counts, 7)
{
    int failed = 0;
    const uint64_t *words = words_in(call, -1);
    int64_t n_samples = last_shape(call, 0), n_words = last_shape(call, 1);
    struct classes samples = classes_of(call, n_samples);
    const uint64_t *masks = words_in(call, -1);
    int64_t n_neurons = last_shape(call, 0);
    if (!call->is_refused && last_size(call) != n_neurons * n_words)
        refuse(call, PyExc_ValueError, "as many words are wanted as codes have");
    struct classes neurons = classes_of(call, n_neurons);
    int32_t *smallest = contiguous(call, 'i', 4, n_neurons, PyBUF_WRITABLE);
    int32_t *second = contiguous(call, 'i', 4, n_neurons, PyBUF_WRITABLE);
    int64_t *setters = integers_out(call, n_neurons);
    check_last_start(call, &samples, n_samples);
    check_last_start(call, &neurons, n_neurons);
    if (!call->is_refused && samples.n_classes != neurons.n_classes)
        refuse(call, PyExc_ValueError, "samples and neurons are of other classes");
    if (!call->is_refused)
        RUN(failed, active->two_smallest_counts(words, &samples, n_words, masks, &neurons,
                                                smallest, second, setters));
    return finish(call, failed);
}

FUNCTION(margin_sums, 9)
{
    int failed = 0;
    const uint64_t *words = words_in(call, -1);
    struct codes codes = {NULL, 0, last_shape(call, 1), 0};
    int64_t n_rows = last_shape(call, 0);
    struct neurons neurons = neurons_of(call, &codes, 1);
    struct classes classes = classes_of(call, neurons.n_neurons);
    const int64_t *votes = integers(call, -1);
    int64_t n_votes = last_size(call);
    struct left_out left_out = {0};
    int leaves_out = 0;
    left_out.centers = integers(call, -1);
    if (last_size(call)) {
        leaves_out = 1;
        if (last_size(call) != neurons.n_neurons)
            refuse(call, PyExc_ValueError, "one code is wanted for each neuron");
    }
    int64_t n = leaves_out ? neurons.n_neurons : 0;
    left_out.setters = integers(call, n);
    left_out.seconds = integers(call, n);
    for (int64_t k = 0; !call->is_refused && k < n; k++)
        if (left_out.centers[k] >= n_rows || left_out.setters[k] >= n_rows)
            refuse(call, PyExc_IndexError, "an index is out of bounds");
    for (int64_t k = 0; !call->is_refused && k < neurons.n_neurons; k++)
        if (neurons.bounds[k] < 0 || neurons.bounds[k] > 64 * codes.n_words + 1
            || (leaves_out && (left_out.seconds[k] < 0
                               || left_out.seconds[k] > 64 * codes.n_words + 1)))
            refuse(call, PyExc_ValueError, "bounds beyond all counts");
    for (int64_t v = 1; !call->is_refused && v < n_votes; v++)
        if (votes[v] < votes[v - 1])
            refuse(call, PyExc_ValueError, "numbers of votes decrease");
    int64_t *sums = integers_out(call, n_rows * classes.n_classes * n_votes);
    if (!call->is_refused)
        RUN(failed, active->margin_sums(words, n_rows, codes.n_words, &neurons, &classes,
                                        votes, n_votes, leaves_out ? &left_out : NULL,
                                        sums));
    return finish(call, failed);
}

/* The module ---------------------------------------------------------------------- */

#define METHOD(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL}

static PyMethodDef methods[] = {
    {"instruction_sets", instruction_sets, METH_NOARGS,
     "Return the names of what the processor has, the fastest last."},
    {"use", use, METH_O, "Run the kernels of an instruction set from now on."},
    {"get_control", get_control, METH_NOARGS, "Return the control word."},
    {"set_control", set_control, METH_O, "Set the control word."},
    METHOD(row_hashes),
    METHOD(ordered_product),
    METHOD(largest_differences),
    METHOD(differences_of_pairs),
    METHOD(integer_sums),
    METHOD(row_norms),
    METHOD(pair_sums),
    METHOD(compensated_sums),
    METHOD(hinge_sums),
    METHOD(pack_signs),
    METHOD(pack_rows),
    METHOD(pack_signs_of_rows),
    METHOD(tiles_of_rows),
    METHOD(signs_in_planes),
    METHOD(arrange),
    METHOD(words_at),
    METHOD(smallest_counts),
    METHOD(covers),
    METHOD(classes_that_fire),
    METHOD(largest_margins),
    METHOD(margins_of_rows),
    METHOD(read_groups),
    METHOD(ceilings_of_rows),
    METHOD(round_outputs),
    METHOD(smallest_sums),
    METHOD(sums_below),
    METHOD(classes_with_sums_below),
    METHOD(largest_margins_of_sums),
    METHOD(round_outputs_of_rows),
    METHOD(rounded_margins),
    METHOD(cover_in_order),
    METHOD(first_apart),
    METHOD(gini_gains),
    METHOD(two_smallest_counts),
    METHOD(margin_sums),
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    fill_tables();
    if (PyModule_AddIntConstant(module, "STANDARD_CONTROL", STANDARD_ARITHMETIC) < 0)
        return -1;
    return PyModule_AddIntConstant(module, "MOST_PLANES", MOST_PLANES);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_c",
    .m_doc = "Bit kernels in C; `sklearn_memorize.kernels` is the way to call them.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__c(void)
{
    return PyModuleDef_Init(&definition);
}
