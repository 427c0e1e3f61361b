/* The sum of the smallest of many numbers for each lane, the numbers bit by bit.
 *
 * The v-th smallest number t is found from its highest bit down: those that agree with t
 * so far, and have a zero next, are counted. If they are fewer than are still wanted,
 * the next bit of t is one, and they are wanted no more. With t, of n numbers a,
 *
 *     sum of the v smallest a  =  sum of min(a, t)  -  (n - v) t.
 */

/* Numbers are added so many at a time, by a tree of adders with a carry of this level. */
#define NUMBERS_TOGETHER 16
#define LEVEL_OF_CARRY 4
/* Bits of a sum of numbers. */
#define MOST_SUM_BITS 56

/* Numbers of `n_bits` bits: bit k of all of them follows bit k - 1 of all. There are
 * `n_numbers` of them; the other ones, up to n_places, a multiple of NUMBERS_TOGETHER,
 * have all bits set. `agree` has a vector for each place. */
struct numbers {
    bits_t *bits, *agree;
    int64_t n_numbers, n_places;
    int n_bits;
};

/* The number of bits of a number. */
static int length_of(int64_t number)
{
    int n_bits = 0;
    for (; number > 0; number >>= 1)
        n_bits++;
    return n_bits;
}

static int64_t n_places_for(int64_t n_numbers)
{
    return (n_numbers + NUMBERS_TOGETHER - 1) / NUMBERS_TOGETHER * NUMBERS_TOGETHER;
}

/* The number of bits of a sum of all places. */
static int n_sum_bits_of(const struct numbers *numbers)
{
    return numbers->n_bits + length_of(numbers->n_places);
}

/* Add planes to counters, of which LEVEL_OF_CARRY at least are there. The planes are
 * lost. */
INLINE void add_together(bits_t *counters, int n_bits, bits_t *planes)
{
    bits_t a = add_these(counters, planes);
    bits_t b = add_these(counters, planes + NUMBERS_TOGETHER / 2);
    bits_t carry = full_add(counters + LEVEL_OF_CARRY - 1, a, b);
    for (int k = LEVEL_OF_CARRY; k < n_bits; k++)
        carry = half_add(counters + k, carry);
}

/* Take b from a in some lanes, where a >= b. */
static void take_away(int n_bits, bits_t *a, const bits_t *b, bits_t lanes)
{
    bits_t borrow = spread_word(0);
    for (int k = 0; k < n_bits; k++) {
        const bits_t other = b[k] & lanes, differ = a[k] ^ other;
        const bits_t next = choose(differ, other, borrow);
        a[k] = differ ^ borrow;
        borrow = next;
    }
}

/* Write the bits of the v-th smallest number of each lane, 1 <= v <= n_numbers. */
static void select_number(const struct numbers *numbers, int64_t v, bits_t *selected)
{
    const int n_bits = length_of(numbers->n_places);
    bits_t wanted[MOST_SUM_BITS], zeros[MOST_SUM_BITS];
    bits_t differ = spread_word(0);
    for (int k = 0; k < n_bits; k++)
        wanted[k] = spread_word(v >> k & 1 ? ~(uint64_t)0 : 0);
    for (int64_t i = 0; i < numbers->n_places; i++)
        numbers->agree[i] = spread_word(~(uint64_t)0);
    for (int bit = numbers->n_bits - 1; bit >= 0; bit--) {
        const bits_t *these = numbers->bits + bit * numbers->n_places;
        /* A number still agrees if its bit before is that of t. */
        const int is_first = bit == numbers->n_bits - 1;
        const bits_t *before = is_first ? these : these + numbers->n_places;
        for (int k = 0; k < n_bits + LEVEL_OF_CARRY; k++)
            zeros[k] = spread_word(0);
        for (int64_t i = 0; i < numbers->n_places; i += NUMBERS_TOGETHER) {
            bits_t planes[NUMBERS_TOGETHER];
            UNROLL
            for (int k = 0; k < NUMBERS_TOGETHER; k++) {
                bits_t agrees = numbers->agree[i + k];
                if (!is_first)
                    agrees &= before[i + k] ^ differ;
                numbers->agree[i + k] = agrees;
                planes[k] = agrees & ~these[i + k];
            }
            add_together(zeros, n_bits, planes);
        }
        const bits_t fewer = lanes_below(n_bits, zeros, wanted);
        selected[bit] = fewer;
        take_away(n_bits, wanted, zeros, fewer);
        differ = ~fewer;
    }
}

/* Add up the smaller one of each number and a limit. Return in which lanes a number is
 * below `least`. The sum has room for LEVEL_OF_CARRY bits more than it has. */
static bits_t sum_limited(const struct numbers *numbers, const bits_t *limit,
                          int64_t least, bits_t *sum)
{
    const int n_bits = numbers->n_bits, n_sum_bits = n_sum_bits_of(numbers);
    const int64_t highest = ((int64_t)1 << n_bits) - 1;
    bits_t any_below = spread_word(0), leasts[MOST_BITS];
    spread_number(MOST_BITS, leasts, smaller_of(least, highest));
    for (int k = 0; k < n_sum_bits + LEVEL_OF_CARRY; k++)
        sum[k] = spread_word(0);
    for (int64_t i = 0; i < numbers->n_places; i += NUMBERS_TOGETHER) {
        const bits_t *bits = numbers->bits + i;
        bits_t below[NUMBERS_TOGETHER], below_least[NUMBERS_TOGETHER];
        for (int k = 0; k < NUMBERS_TOGETHER; k++)
            below[k] = below_least[k] = spread_word(0);
        for (int bit = 0; bit < n_bits; bit++) {
            UNROLL
            for (int k = 0; k < NUMBERS_TOGETHER; k++)
                below[k] = majority_without(
                    below[k], bits[bit * numbers->n_places + k], limit[bit]);
        }
        for (int bit = 0; bit < n_bits && least > 0; bit++) {
            UNROLL
            for (int k = 0; k < NUMBERS_TOGETHER; k++)
                below_least[k] = majority_without(
                    below_least[k], bits[bit * numbers->n_places + k], leasts[bit]);
        }
        for (int k = 0; k < NUMBERS_TOGETHER; k++)
            any_below |= below_least[k];
        for (int bit = 0; bit < n_bits; bit++) {
            bits_t planes[NUMBERS_TOGETHER];
            UNROLL
            for (int k = 0; k < NUMBERS_TOGETHER; k++)
                planes[k] = choose(below[k], bits[bit * numbers->n_places + k],
                                   limit[bit]);
            add_together(sum + bit, n_sum_bits - bit, planes);
        }
    }
    return any_below;
}

/* Sum the v smallest numbers of each lane, or all if there are no more. Return in which
 * lanes a number is below `least`. */
static bits_t sum_smallest(const struct numbers *numbers, int64_t v, int64_t least,
                           bits_t *sum)
{
    const int n_sum_bits = n_sum_bits_of(numbers);
    const int64_t n_above = numbers->n_places - smaller_of(v, numbers->n_numbers);
    bits_t limit[MOST_SUM_BITS];
    for (int k = 0; k < MOST_SUM_BITS; k++)
        limit[k] = spread_word(k < numbers->n_bits ? ~(uint64_t)0 : 0);
    if (v < numbers->n_numbers)
        select_number(numbers, v, limit);
    const bits_t any_below = sum_limited(numbers, limit, least, sum);
    for (int bit = 0; n_above >> bit; bit++)
        if (n_above >> bit & 1)
            take_away(n_sum_bits - bit, sum + bit, limit, spread_word(~(uint64_t)0));
    return any_below;
}
