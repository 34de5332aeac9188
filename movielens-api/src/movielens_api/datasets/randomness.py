"""Random numbers as polars expressions: the same ones for the same seed in every run, on every machine.

A number is a function of its place, not of what was drawn before (SplitMix64, whole-number arithmetic modulo 2^64),
so columns of any size can be drawn piece by piece.
"""

import math

import polars as pl

GOLDEN = 0x9E3779B97F4A7C15
MODULUS = 1 << 64
BITS_OF_A_FRACTION = 53


class Randomness:
    """Streams of random numbers.

    Args:
        seed: another seed gives other numbers.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def uniform(self, place: pl.Expr, stream: int) -> pl.Expr:
        """Return numbers above 0 and below 1, evenly spread.

        Args:
            place: whole numbers from 0; equal ones get equal random numbers.
            stream: another stream gives other numbers.
        """
        fraction = (self._bits(place, stream) // _u64(1 << 64 - BITS_OF_A_FRACTION)).cast(pl.Float64)
        return (fraction + 0.5) / (1 << BITS_OF_A_FRACTION)

    def normal(self, place: pl.Expr, stream: int) -> pl.Expr:
        """Return numbers with the standard normal distribution (Box and Muller's method)."""
        bits = self._bits(place, stream)
        radius, angle = (half.cast(pl.Float64) for half in (bits // _u64(1 << 32), bits % _u64(1 << 32)))
        return (-2 * ((radius + 0.5) / (1 << 32)).log()).sqrt() * (angle * (2 * math.pi / (1 << 32))).cos()

    def _bits(self, place: pl.Expr, stream: int) -> pl.Expr:
        start = _mix(self._seed * GOLDEN + stream)
        bits = place.cast(pl.UInt64) * _u64(GOLDEN) + _u64(start)
        bits = (bits ^ (bits // _u64(1 << 30))) * _u64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits // _u64(1 << 27))) * _u64(0x94D049BB133111EB)
        return bits ^ (bits // _u64(1 << 31))


def _mix(number: int) -> int:
    bits = number % MODULUS
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 % MODULUS
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB % MODULUS
    return bits ^ (bits >> 31)


def _u64(number: int) -> pl.Expr:
    return pl.lit(number, dtype=pl.UInt64)
