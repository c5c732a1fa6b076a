"""ctypes binding of the Gaussian process that tuning uses: the same bytes on every machine."""

import ctypes
from typing import NamedTuple

import numpy as np

from .. import compiled


class Fitted(NamedTuple):
    """A fitted process: logarithms of constant, scales and noise, and what a prediction needs of the training rows."""

    x: np.ndarray  # (n, columns) uint8
    theta: np.ndarray  # (columns + 2,)
    alpha: np.ndarray  # (n,)
    inverse: np.ndarray  # (n, n), of the kernel's lower triangle
    value: float  # negative logarithm of the marginal likelihood


def fit(x: np.ndarray, y: np.ndarray, jitter: float, bounds: np.ndarray, starts: np.ndarray) -> Fitted:
    """The process of the largest marginal likelihood among the optima that the starts lead to.

    `x` (n, columns) of zeros and ones, `y` (n,) normalised; `bounds` (columns + 2, 2) of constant, scales and noise, not
    logarithms; `starts` (starts, columns + 2), the first in logarithms, the others as shares of the way between the bounds.
    Errors: ValueError for shapes that do not fit, and where no start has a positive definite kernel.
    """
    x, y = np.ascontiguousarray(x, np.uint8), np.ascontiguousarray(y, np.float64)
    bounds, starts = np.ascontiguousarray(bounds, np.float64), np.ascontiguousarray(starts, np.float64)
    n, columns = x.shape
    if not n or y.shape != (n,) or bounds.shape != (columns + 2, 2) or starts.shape[1:] != (columns + 2,):
        raise ValueError(
            f"x {x.shape}, y {y.shape}, bounds {bounds.shape} and starts {starts.shape} do not fit together."
        )
    theta, alpha, inverse = np.empty(columns + 2), np.empty(n), np.empty((n, n))
    function = compiled().collusion_process_fit
    function.restype = ctypes.c_double
    value = function(
        n, columns, x.ctypes, y.ctypes, ctypes.c_double(jitter), bounds.ctypes, len(starts), starts.ctypes,
        theta.ctypes, alpha.ctypes, inverse.ctypes,
    )  # fmt: skip
    if not np.isfinite(value):
        raise ValueError("No kernel within the bounds is positive definite: y or x is not finite.")
    return Fitted(x, theta, alpha, inverse, value)


def predict(fitted: Fitted, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (points,) of the process, without noise, in units of the normalised y; `points` (points, columns)."""
    points = np.ascontiguousarray(points, np.uint8)
    n, columns = fitted.x.shape
    if points.ndim != 2 or points.shape[1] != columns:
        raise ValueError(f"points has shape {points.shape}, but the process has {columns} columns.")
    mean, variance = np.empty(len(points)), np.empty(len(points))
    compiled().collusion_process_predict(
        n, columns, fitted.x.ctypes, fitted.theta.ctypes, fitted.alpha.ctypes, fitted.inverse.ctypes,
        ctypes.c_int64(len(points)), points.ctypes, mean.ctypes, variance.ctypes,
    )  # fmt: skip
    return mean, variance
