"""Logarithm and exponential, rounded correctly: the same bits on every machine.

NumPy's differ in the last bit between processors with AVX-512 and without, those of C libraries between all others.
"""

from decimal import Context, Decimal

import numpy as np

_DIGITS = Context(prec=40, traps=[])  # twice what a float64 holds; NaN and infinity pass


def log(numbers) -> np.ndarray:
    """Natural logarithm of non-negative numbers, of any shape; 0 gives minus infinity."""
    return _elementwise(_DIGITS.ln, numbers)


def exp(numbers) -> np.ndarray:
    """Exponential of numbers of any shape; NaN stays NaN."""
    return _elementwise(_DIGITS.exp, numbers)


def _elementwise(function, numbers) -> np.ndarray:
    numbers = np.asarray(numbers, float)
    return np.array([float(function(Decimal(number))) for number in numbers.flat]).reshape(numbers.shape)
