/* The kernels for AVX-512 with counts of bits, since Ice Lake and Zen 4. */
#include "kernels.h"

#if HAVE_X86_INSTRUCTION_SETS
#if defined(__clang__)
#include <immintrin.h>
#pragma clang attribute push(                                                          \
    __attribute__((                                                                    \
        target("avx512vpopcntdq,avx512bw,avx512dq,avx512vl,fma,popcnt,bmi,bmi2"))),    \
    apply_to = function)
#else
#pragma GCC target("avx512vpopcntdq,avx512bw,avx512dq,avx512vl,fma,popcnt,bmi,bmi2")
#include <immintrin.h>
#endif

#define VECTORS_512
#define COUNTS_OF_WORDS
#define INSTRUCTION_SET avx512
#include "instruction_set.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
