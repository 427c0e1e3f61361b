/* Vectors of bits and of floats: as long as the instruction set has them.
 *
 * `bits_t` holds WORDS words of 64 bits, and `floats_t` FLOATS numbers in single
 * precision. The file that is compiled says which of VECTORS_512, VECTORS_256 and
 * VECTORS_128 it wants; without any of them, a vector is one word or one number, and
 * everything is plain C.
 */
#ifndef SKLEARN_MEMORIZE_VECTORS_H
#define SKLEARN_MEMORIZE_VECTORS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline, unused))
#define MAYBE_UNUSED __attribute__((unused))
#elif defined(_MSC_VER)
#define INLINE static __forceinline
#define MAYBE_UNUSED
#else
#define INLINE static inline
#define MAYBE_UNUSED
#endif

/* Loops over the vectors of an array that is to stay in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 32")
#else
#define UNROLL
#endif

/* Sums that stay in registers: so many vectors for each row of a group. */
#if defined(VECTORS_512)
#define WORDS 8
#define FLOATS 16
#define VECTORS_TOGETHER 4
#elif defined(VECTORS_256)
#define WORDS 4
#define FLOATS 8
#define VECTORS_TOGETHER 2
#elif defined(VECTORS_128)
#define WORDS 2
#define FLOATS 4
#if defined(__aarch64__)
#define VECTORS_TOGETHER 4
#else
#define VECTORS_TOGETHER 2
#endif
#else
#define WORDS 1
#define FLOATS 1
#define VECTORS_TOGETHER 2
#endif

#if WORDS > 1
typedef uint64_t bits_t __attribute__((vector_size(8 * WORDS)));
typedef float floats_t __attribute__((vector_size(4 * FLOATS)));
typedef int32_t flags_t __attribute__((vector_size(4 * FLOATS)));
#else
typedef uint64_t bits_t;
typedef float floats_t;
#endif

/* Bits ---------------------------------------------------------------------------- */

INLINE bits_t load_bits(const void *address)
{
    bits_t bits;
    memcpy(&bits, address, sizeof bits);
    return bits;
}

INLINE void store_bits(void *address, bits_t bits)
{
    memcpy(address, &bits, sizeof bits);
}

INLINE bits_t spread_word(uint64_t word)
{
#if WORDS > 1
    return word - (bits_t){0};
#else
    return word;
#endif
}

#if defined(VECTORS_512)
INLINE bits_t sum_of_three(bits_t a, bits_t b, bits_t c)
{
    return (bits_t)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0x96);
}

/* Replace *a by the sum of three bits, and return their carry. Where b and c differ, a
 * is what the sum is not: so a is not needed any more, and no register is copied. */
INLINE bits_t full_add(bits_t *a, bits_t b, bits_t c)
{
    const bits_t sum = sum_of_three(*a, b, c);
    *a = sum;
    return (bits_t)_mm512_ternarylogic_epi64((__m512i)b, (__m512i)c, (__m512i)sum,
                                             0xD4);
}

/* The majority of a, not b, and c. */
INLINE bits_t majority_without(bits_t a, bits_t b, bits_t c)
{
    return (bits_t)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0xB2);
}

/* a where the mask is set, else b. */
INLINE bits_t choose(bits_t mask, bits_t a, bits_t b)
{
    __m512i bits
        = _mm512_ternarylogic_epi64((__m512i)mask, (__m512i)a, (__m512i)b, 0xCA);
    return (bits_t)bits;
}

INLINE int any_bit(bits_t bits)
{
    return _mm512_test_epi64_mask((__m512i)bits, (__m512i)bits) != 0;
}
#else
/* Replace *a by the sum of three bits, and return their carry. */
INLINE bits_t full_add(bits_t *a, bits_t b, bits_t c)
{
    const bits_t differ = *a ^ b, both = *a & b;
    *a = differ ^ c;
    return both | (differ & c);
}

INLINE bits_t majority_without(bits_t a, bits_t b, bits_t c)
{
    return (a & ~b) | (c & ~(a ^ b));
}

INLINE bits_t choose(bits_t mask, bits_t a, bits_t b)
{
    return b ^ (mask & (a ^ b));
}

INLINE int any_bit(bits_t bits)
{
#if defined(VECTORS_256)
    return !_mm256_testz_si256((__m256i)bits, (__m256i)bits);
#elif WORDS > 1
    uint64_t all = 0;
    UNROLL
    for (int k = 0; k < WORDS; k++)
        all |= bits[k];
    return all != 0;
#else
    return bits != 0;
#endif
}
#endif

INLINE int count_of_word(uint64_t word)
{
#if defined(VECTORS_512) || defined(VECTORS_256) || defined(__aarch64__)
    return __builtin_popcountll(word);
#else
    word -= (word >> 1) & 0x5555555555555555;
    word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333);
    word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0F;
    return (int)((word * 0x0101010101010101) >> 56);
#endif
}

INLINE int lowest_bit(uint64_t word)
{
#if defined(__GNUC__)
    return __builtin_ctzll(word);
#else
    return count_of_word((word & (~word + 1)) - 1);
#endif
}

/* The number of bits in each of the words. */
INLINE bits_t counts_of_words(bits_t bits)
{
#if defined(VECTORS_512) && defined(COUNTS_OF_WORDS)
    return (bits_t)_mm512_popcnt_epi64((__m512i)bits);
#elif defined(VECTORS_512)
    const __m512i low = _mm512_set1_epi8(0x0F);
    const __m512i table = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    __m512i upper = _mm512_and_si512(_mm512_srli_epi16((__m512i)bits, 4), low);
    __m512i sums = _mm512_add_epi8(
        _mm512_shuffle_epi8(table, _mm512_and_si512((__m512i)bits, low)),
        _mm512_shuffle_epi8(table, upper));
    return (bits_t)_mm512_sad_epu8(sums, _mm512_setzero_si512());
#elif defined(VECTORS_256)
    const __m256i low = _mm256_set1_epi8(0x0F);
    const __m256i table = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    __m256i upper = _mm256_and_si256(_mm256_srli_epi16((__m256i)bits, 4), low);
    __m256i sums = _mm256_add_epi8(
        _mm256_shuffle_epi8(table, _mm256_and_si256((__m256i)bits, low)),
        _mm256_shuffle_epi8(table, upper));
    return (bits_t)_mm256_sad_epu8(sums, _mm256_setzero_si256());
#elif defined(VECTORS_128) && defined(__aarch64__)
    return (bits_t)vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(vcntq_u8((uint8x16_t)bits))));
#elif defined(VECTORS_128)
    bits -= (bits >> 1) & 0x5555555555555555;
    bits = (bits & 0x3333333333333333) + ((bits >> 2) & 0x3333333333333333);
    bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0F;
    return (bits_t)_mm_sad_epu8((__m128i)bits, _mm_setzero_si128());
#else
    return (bits_t)count_of_word(bits);
#endif
}

INLINE uint64_t word_at(const char *address)
{
    uint64_t word;
    memcpy(&word, address, sizeof word);
    return word;
}

/* Write 64 numbers: bit k of number i is bit i of the word k * stride bytes on. */
INLINE void numbers_of_words(int n_bits, const char *words, size_t stride,
                             int64_t *numbers)
{
#if defined(VECTORS_512)
    for (int first = 0; first < 64; first += 8) {
        __m512i these = _mm512_setzero_si512();
        for (int k = 0; k < n_bits; k++) {
            const __mmask8 lanes = (__mmask8)(word_at(words + k * stride) >> first);
            const __m512i bit = _mm512_set1_epi64((int64_t)1 << k);
            these = _mm512_mask_or_epi64(these, lanes, these, bit);
        }
        _mm512_storeu_si512(numbers + first, these);
    }
#else
    memset(numbers, 0, 64 * sizeof *numbers);
    for (int k = 0; k < n_bits; k++) {
        const uint64_t word = word_at(words + k * stride);
        for (int i = 0; i < 64; i++)
            numbers[i] |= (int64_t)(word >> i & 1) << k;
    }
#endif
}

INLINE uint64_t sum_of_words(bits_t words)
{
#if defined(VECTORS_512)
    return (uint64_t)_mm512_reduce_add_epi64((__m512i)words);
#elif WORDS > 1
    uint64_t sum = 0;
    UNROLL
    for (int k = 0; k < WORDS; k++)
        sum += words[k];
    return sum;
#else
    return words;
#endif
}

/* Floats -------------------------------------------------------------------------- */

INLINE floats_t load_floats(const float *address)
{
    floats_t floats;
    memcpy(&floats, address, sizeof floats);
    return floats;
}

INLINE void store_floats(float *address, floats_t floats)
{
    memcpy(address, &floats, sizeof floats);
}

INLINE floats_t spread_float(float number)
{
#if WORDS > 1
    return number - (floats_t){0};
#else
    return number;
#endif
}

/* a * b + c, rounded once where the processor does that. */
INLINE floats_t multiply_add(floats_t a, floats_t b, floats_t c)
{
#if defined(VECTORS_512)
    return (floats_t)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(VECTORS_256)
    return (floats_t)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(VECTORS_128) && defined(__aarch64__)
    return (floats_t)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

INLINE floats_t magnitudes_of(floats_t floats)
{
#if WORDS > 1
    return (floats_t)((flags_t)floats & 0x7FFFFFFF);
#else
    return fabsf(floats);
#endif
}

/* Numbers in double precision: half as many in a vector. */
#if WORDS > 1
#define DOUBLES WORDS
typedef double doubles_t __attribute__((vector_size(8 * DOUBLES)));
#else
#define DOUBLES 1
typedef double doubles_t;
#endif

INLINE doubles_t load_doubles(const double *address)
{
    doubles_t doubles;
    memcpy(&doubles, address, sizeof doubles);
    return doubles;
}

INLINE doubles_t spread_double(double number)
{
#if WORDS > 1
    return number - (doubles_t){0};
#else
    return number;
#endif
}

INLINE doubles_t sizes_of(doubles_t doubles)
{
#if WORDS > 1
    return (doubles_t)((bits_t)doubles & 0x7FFFFFFFFFFFFFFF);
#else
    return fabs(doubles);
#endif
}

/* The larger ones of numbers that are not negative. */
INLINE doubles_t larger_sizes(doubles_t a, doubles_t b)
{
#if defined(VECTORS_512)
    return (doubles_t)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif defined(VECTORS_256)
    return (doubles_t)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif defined(VECTORS_128) && defined(__aarch64__)
    return (doubles_t)vmaxq_f64((float64x2_t)a, (float64x2_t)b);
#elif defined(VECTORS_128)
    return (doubles_t)_mm_max_pd((__m128d)a, (__m128d)b);
#else
    return a > b ? a : b;
#endif
}

/* The larger ones of two numbers each, or b where one of them is no number. */
INLINE floats_t larger_floats(floats_t a, floats_t b)
{
#if defined(VECTORS_512)
    return (floats_t)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(VECTORS_256)
    return (floats_t)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(VECTORS_128) && defined(__aarch64__)
    const uint32x4_t above = vcgtq_f32((float32x4_t)a, (float32x4_t)b);
    return (floats_t)vbslq_f32(above, (float32x4_t)a, (float32x4_t)b);
#elif defined(VECTORS_128)
    return (floats_t)_mm_max_ps((__m128)a, (__m128)b);
#else
    return a > b ? a : b;
#endif
}

/* The smaller ones of two numbers each, or b where one of them is no number. */
INLINE floats_t smaller_floats(floats_t a, floats_t b)
{
#if defined(VECTORS_512)
    return (floats_t)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(VECTORS_256)
    return (floats_t)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(VECTORS_128) && defined(__aarch64__)
    const uint32x4_t below = vcltq_f32((float32x4_t)a, (float32x4_t)b);
    return (floats_t)vbslq_f32(below, (float32x4_t)a, (float32x4_t)b);
#elif defined(VECTORS_128)
    return (floats_t)_mm_min_ps((__m128)a, (__m128)b);
#else
    return a < b ? a : b;
#endif
}

/* The bits [a > b], the lowest one for the first of the numbers. */
INLINE uint64_t bits_above(floats_t a, floats_t b)
{
#if defined(VECTORS_512)
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ);
#elif defined(VECTORS_256)
    __m256 flags = _mm256_cmp_ps((__m256)a, (__m256)b, _CMP_GT_OQ);
    return (uint32_t)_mm256_movemask_ps(flags);
#elif defined(VECTORS_128) && defined(__aarch64__)
    const uint32x4_t weights = {1, 2, 4, 8};
    uint32x4_t flags = vcgtq_f32((float32x4_t)a, (float32x4_t)b);
    return vaddvq_u32(vandq_u32(flags, weights));
#elif defined(VECTORS_128)
    return (uint32_t)_mm_movemask_ps(_mm_cmpgt_ps((__m128)a, (__m128)b));
#else
    return a > b;
#endif
}

/* The bits [a != b]: also where one of them is no number. */
INLINE uint64_t bits_unequal(floats_t a, floats_t b)
{
#if defined(VECTORS_512)
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_NEQ_UQ);
#elif defined(VECTORS_256)
    __m256 flags = _mm256_cmp_ps((__m256)a, (__m256)b, _CMP_NEQ_UQ);
    return (uint32_t)_mm256_movemask_ps(flags);
#elif defined(VECTORS_128) && defined(__aarch64__)
    const uint32x4_t weights = {1, 2, 4, 8};
    uint32x4_t flags = vceqq_f32((float32x4_t)a, (float32x4_t)b);
    return vaddvq_u32(vbicq_u32(weights, flags));
#elif defined(VECTORS_128)
    return (uint32_t)_mm_movemask_ps(_mm_cmpneq_ps((__m128)a, (__m128)b));
#else
    return a != b;
#endif
}

/* Put the bits of several vectors together, 64 at the most. */
INLINE uint64_t bits_of_vectors(const uint64_t *bits, const int n_vectors)
{
#if defined(VECTORS_512)
    if (n_vectors == 4) {
        __mmask32 low = _mm512_kunpackw((__mmask32)bits[1], (__mmask32)bits[0]);
        __mmask32 high = _mm512_kunpackw((__mmask32)bits[3], (__mmask32)bits[2]);
        return _cvtmask64_u64(_mm512_kunpackd((__mmask64)high, (__mmask64)low));
    }
#endif
    uint64_t all = 0;
    UNROLL
    for (int v = 0; v < n_vectors; v++)
        all |= bits[v] << (v * FLOATS);
    return all;
}

/* a * b + c, rounded once where the processor does that. */
INLINE doubles_t multiply_add_doubles(doubles_t a, doubles_t b, doubles_t c)
{
#if defined(VECTORS_512)
    return (doubles_t)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(VECTORS_256)
    return (doubles_t)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(VECTORS_128) && defined(__aarch64__)
    return (doubles_t)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
    return a * b + c;
#endif
}

#if !defined(VECTORS_512)
#define ALL (~(uint64_t)0)
/* Words of ones for the bits of a number. */
MAYBE_UNUSED static const uint64_t words_of_bits[16][4] = {
    {0, 0, 0, 0},     {ALL, 0, 0, 0},     {0, ALL, 0, 0},     {ALL, ALL, 0, 0},
    {0, 0, ALL, 0},   {ALL, 0, ALL, 0},   {0, ALL, ALL, 0},   {ALL, ALL, ALL, 0},
    {0, 0, 0, ALL},   {ALL, 0, 0, ALL},   {0, ALL, 0, ALL},   {ALL, ALL, 0, ALL},
    {0, 0, ALL, ALL}, {ALL, 0, ALL, ALL}, {0, ALL, ALL, ALL}, {ALL, ALL, ALL, ALL},
};
#undef ALL
#endif

/* The numbers whose bits are set in the lowest bits of a word, and zeros. */
INLINE doubles_t chosen_doubles(uint64_t bits, const double *address)
{
#if defined(VECTORS_512)
    return (doubles_t)_mm512_maskz_loadu_pd((__mmask8)bits, address);
#else
    const bits_t used = load_bits(words_of_bits[bits & ((1 << DOUBLES) - 1)])
                        & load_bits(address);
    doubles_t doubles;
    memcpy(&doubles, &used, sizeof doubles);
    return doubles;
#endif
}

/* Integers of 16 bits ------------------------------------------------------------- */

#if WORDS > 1
#define SHORTS (4 * WORDS)
typedef uint16_t shorts_t __attribute__((vector_size(8 * WORDS)));
typedef uint16_t half_shorts_t __attribute__((vector_size(4 * WORDS)));
#else
#define SHORTS 1
typedef uint16_t shorts_t;
#endif

INLINE shorts_t load_shorts(const uint16_t *address)
{
    shorts_t shorts;
    memcpy(&shorts, address, sizeof shorts);
    return shorts;
}

INLINE void store_shorts(uint16_t *address, shorts_t shorts)
{
    memcpy(address, &shorts, sizeof shorts);
}

/* The bits [a < b], the lowest one for the first of the numbers. */
INLINE uint64_t bits_below(shorts_t a, shorts_t b)
{
#if defined(VECTORS_512)
    return _mm512_cmplt_epu16_mask((__m512i)a, (__m512i)b);
#elif defined(VECTORS_256)
    const __m256i left = _mm256_subs_epu16((__m256i)b, (__m256i)a);
    const __m256i not_below = _mm256_cmpeq_epi16(left, _mm256_setzero_si256());
    const __m256i packed = _mm256_permute4x64_epi64(
        _mm256_packs_epi16(not_below, _mm256_setzero_si256()), 0xD8);
    return (uint32_t)_mm256_movemask_epi8(packed) ^ 0xFFFF;
#elif defined(VECTORS_128) && !defined(__aarch64__)
    const __m128i left = _mm_subs_epu16((__m128i)b, (__m128i)a);
    const __m128i not_below = _mm_cmpeq_epi16(left, _mm_setzero_si128());
    const __m128i packed = _mm_packs_epi16(not_below, _mm_setzero_si128());
    return (uint32_t)_mm_movemask_epi8(packed) ^ 0xFF;
#elif WORDS > 1
    uint64_t below = 0;
    for (int k = 0; k < SHORTS; k++)
        below |= (uint64_t)(a[k] < b[k]) << k;
    return below;
#else
    return a < b;
#endif
}

/* Floats from 0 to 65535, without what comes after the point. */
INLINE void store_as_shorts(uint16_t *address, floats_t floats)
{
#if WORDS > 1
    const flags_t integers = __builtin_convertvector(floats, flags_t);
    const half_shorts_t shorts = __builtin_convertvector(integers, half_shorts_t);
    memcpy(address, &shorts, sizeof shorts);
#else
    *address = (uint16_t)(int32_t)floats;
#endif
}

INLINE floats_t load_as_floats(const uint16_t *address)
{
#if WORDS > 1
    half_shorts_t shorts;
    memcpy(&shorts, address, sizeof shorts);
    return __builtin_convertvector(__builtin_convertvector(shorts, flags_t), floats_t);
#else
    return *address;
#endif
}

#endif
