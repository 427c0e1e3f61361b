/* What the processor and the operating system can do. */
#ifndef SKLEARN_MEMORIZE_PROCESSOR_H
#define SKLEARN_MEMORIZE_PROCESSOR_H

#include "kernels.h"

#if HAVE_X86_INSTRUCTION_SETS
#include <cpuid.h>

static int has_bits(unsigned word, unsigned bits)
{
    return (word & bits) == bits;
}

/* Return how many of the tables after the baseline can be used: AVX2 with what came
 * along with it, the AVX-512 of Skylake, and that with counts of bits. */
static int instruction_set_level(void)
{
    unsigned eax, ebx, ecx, edx, saved, unused;
    const unsigned fma = 1u << 12, popcnt = 1u << 23, osxsave = 1u << 27,
                   avx = 1u << 28;
    const unsigned bmi1 = 1u << 3, avx2 = 1u << 5, bmi2 = 1u << 8;
    /* The foundation, and the parts DQ, BW and VL. */
    const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)
        || !has_bits(ecx, fma | popcnt | osxsave | avx))
        return 0;
    /* Which registers the operating system saves: xmm and ymm; masks and zmm. */
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(unused) : "c"(0));
    if (!has_bits(saved, 0x6) || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)
        || !has_bits(ebx, bmi1 | avx2 | bmi2))
        return 0;
    if (!has_bits(saved, 0xE6) || !has_bits(ebx, avx512))
        return 1;
    return has_bits(ecx, 1u << 14) ? 3 : 2;
}
#endif

#endif
