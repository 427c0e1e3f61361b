/* The kernels for what every processor of the platform has: SSE2, NEON, or plain C. */
#if defined(__GNUC__) && !defined(SKLEARN_MEMORIZE_PLAIN)
#if defined(__x86_64__)
#include <emmintrin.h>
#define VECTORS_128
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>
#define VECTORS_128
#endif
#endif

#define INSTRUCTION_SET baseline
#include "instruction_set.h"
