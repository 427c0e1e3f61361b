/* The kernels for AVX2, with fused multiplication and addition. */
#include "kernels.h"

#if HAVE_X86_INSTRUCTION_SETS
#if defined(__clang__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,popcnt,bmi,bmi2"))),      \
                             apply_to = function)
#else
#pragma GCC target("avx2,fma,popcnt,bmi,bmi2")
#include <immintrin.h>
#endif

#define VECTORS_256
#define INSTRUCTION_SET avx2
#include "instruction_set.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
