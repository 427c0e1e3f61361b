"""Affine dependence of points, decided in the integers modulo primes."""

import math

import numpy as np

# Products of two residues, and their differences, fit a 64-bit integer.
_LARGEST = 2**31
# No more primes are tried, whatever Hadamard's bound.
_MOST_PRIMES = 16


def in_affine_hull(points, others) -> np.ndarray:
    """Return which of the others lie in the affine hull of some points, exactly.

    Doubles are integers in units of a power of two, and so are the minors that decide.
    One that is not 0 modulo a prime is not 0. One that is 0 modulo all primes tried is
    0 if their product exceeds Hadamard's bound of it; for so many dimensions that this
    takes more than 16 primes, a minor that is not 0 would have to be divisible by each
    of these 16.

    >>> from sklearn_memorize.exact._rank import in_affine_hull
    >>> line = np.array([[0.0, 0.0], [3.0, 3.0]])
    >>> in_affine_hull(line, np.array([[0.1, 0.1], [0.1, 0.1 + 2**-56]]))
    array([ True, False])
    """
    together = np.vstack([points, others]).astype(np.float64)
    n_spanning = len(points) - 1
    best, inside = -1, np.zeros(len(others), dtype=bool)
    for prime in _primes(_n_primes(together, n_spanning + 1)):
        rank, dependent = _reduced(_differences(together, prime), n_spanning, prime)
        # The rank modulo a prime is at most the rank, and seldom less.
        if rank > best:
            best, inside = rank, dependent
        elif rank == best:
            inside = inside & dependent
        if best == n_spanning and not inside.any():
            break
    return inside


def _n_primes(points, order: int) -> int:
    """Return how many primes of 31 bits exceed any minor of that order."""
    sizes = np.abs(points[points != 0])
    if len(sizes) == 0:
        return 1
    exponents = np.frexp(sizes)[1]
    # Differences in units of 2**(lowest - 53).
    n_bits = int(exponents.max()) - int(exponents.min()) + 54
    hadamard = order * (n_bits + math.log2(points.shape[1]) / 2)
    return min(_MOST_PRIMES, math.ceil((hadamard + 1) / 30.9))


def _primes(n_primes: int):
    """Yield the largest primes below 2**31."""
    number = _LARGEST - 1
    divisors = np.arange(3, math.isqrt(_LARGEST) + 1, 2)
    while n_primes:
        if (number % divisors).all():
            yield number
            n_primes -= 1
        number -= 2


def _differences(points, prime: int) -> np.ndarray:
    """Return the differences from the first point, modulo a prime."""
    fractions, exponents = np.frexp(points)
    mantissas = np.ldexp(fractions, 53).astype(np.int64) % prime
    lowest, place = np.unique(exponents, return_inverse=True)
    powers = np.array([pow(2, int(e) - 53, prime) for e in lowest], dtype=np.int64)
    residues = mantissas * powers[place.reshape(exponents.shape)] % prime
    return (residues[1:] - residues[0]) % prime


def _reduced(rows, n_spanning: int, prime: int) -> tuple[int, np.ndarray]:
    """Return the rank of the first rows, and which of the others depend on them."""
    rank = 0
    for number in range(n_spanning):
        used = np.flatnonzero(rows[number])
        if len(used) == 0:
            continue
        rank += 1
        inverse = pow(int(rows[number, used[0]]), -1, prime)
        pivot = rows[number] * inverse % prime
        below = rows[number + 1 :]
        below -= below[:, used[:1]] * pivot
        below %= prime
    return rank, ~rows[n_spanning:].any(axis=1)
