"""Random numbers for compiled rules: one stream per environment, 64 bits of state each.

SplitMix64 (Steele et al., 2014): a counter that advances by a constant, and a mixing function. The
stream of environment e depends on the seed and on e alone, so a batch is a stack of singles.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import UInt64
from numba import njit

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32, _11 = (np.uint64(bits) for bits in (30, 27, 31, 32, 11))


def seeded_streams(seed: int, num_envs: int) -> UInt64[np.ndarray, " E"]:
    """The streams of environments 0 … E-1 under a seed; those of fewer are the first of more."""
    streams = np.empty(num_envs, np.uint64)
    _fill(np.random.SeedSequence(seed).generate_state(1, np.uint64), streams)
    return streams


@njit(cache=True)
@no_type_check
def draw_bits(stream):
    """64 random bits; advances the stream (an array of length one)."""
    stream[0] += _STEP
    z = stream[0]
    z = (z ^ (z >> _30)) * _MIX_1
    z = (z ^ (z >> _27)) * _MIX_2
    return z ^ (z >> _31)


@njit(cache=True)
@no_type_check
def _fill(stream, numbers):
    for e in range(len(numbers)):
        numbers[e] = draw_bits(stream)


@njit(cache=True)
@no_type_check
def draw_below(stream, count):
    """A whole number from 0 to count - 1; the bias is below count / 2^32."""
    return np.int64(((draw_bits(stream) >> _32) * np.uint64(count)) >> _32)


@njit(cache=True)
@no_type_check
def draw_unit(stream):
    """A number in [0, 1)."""
    return np.float64(draw_bits(stream) >> _11) * 2.0**-53


@njit(cache=True)
@no_type_check
def draw_chance(stream, probability):
    """True with a probability."""
    return draw_unit(stream) < probability


@njit(cache=True)
@no_type_check
def shuffle(stream, items):
    """Put an array into a random order, in place."""
    for last in range(len(items) - 1, 0, -1):
        other = draw_below(stream, last + 1)
        items[last], items[other] = items[other], items[last]
