/* The kernels for AVX-512 as processors have it since Skylake. */
#include "kernels.h"

#if HAVE_X86_INSTRUCTION_SETS
#if defined(__clang__)
#include <immintrin.h>
#pragma clang attribute push(                                                          \
    __attribute__((target("avx512bw,avx512dq,avx512vl,fma,popcnt,bmi,bmi2"))),         \
    apply_to = function)
#else
#pragma GCC target("avx512bw,avx512dq,avx512vl,fma,popcnt,bmi,bmi2")
#include <immintrin.h>
#endif

#define VECTORS_512
#define INSTRUCTION_SET avx512_skylake
#include "instruction_set.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
