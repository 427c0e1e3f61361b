/* The arithmetic that the kernels rely on, whatever another library has switched on:
 * rounding to nearest, denormal numbers kept, no traps. */
#ifndef SKLEARN_MEMORIZE_CONTROL_H
#define SKLEARN_MEMORIZE_CONTROL_H

#include <stdint.h>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#define STANDARD_ARITHMETIC 0x1F80
static inline uint64_t read_control(void)
{
    return _mm_getcsr();
}
static inline void write_control(uint64_t word)
{
    _mm_setcsr((unsigned)word);
}
#elif defined(__aarch64__) && defined(__GNUC__)
#define STANDARD_ARITHMETIC 0
static inline uint64_t read_control(void)
{
    uint64_t word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word;
}
static inline void write_control(uint64_t word)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(word) : "memory");
}
#else
#define STANDARD_ARITHMETIC 0
static inline uint64_t read_control(void)
{
    return 0;
}
static inline void write_control(uint64_t word)
{
    (void)word;
}
#endif

#endif
