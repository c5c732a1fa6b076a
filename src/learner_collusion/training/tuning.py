"""Bayesian optimisation over a grid with scikit-optimize's Gaussian process; plain Python numbers in and out."""

import warnings

import numpy as np
from sklearn.utils import check_random_state

from .. import native
from ..native import process

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from skopt import Optimizer
    from skopt.learning import GaussianProcessRegressor
    from skopt.learning.gaussian_process.kernels import WhiteKernel
    from skopt.space import Categorical

_REAL = ("learning_rate", "weight_decay")


class Optimiser:
    """Asks for points of `grid` (values by name, in the order of its names), and is told the objective of each."""

    def __init__(
        self,
        grid: dict[str, list[int | float]],
        initial_points: int,
        acquisition_points: int,
        acquisition: str,
        random: np.random.Generator,
    ):
        self.names, self.values = list(grid), grid
        self.optimizer = Optimizer(
            [Categorical(values, name=name) for name, values in grid.items()],
            base_estimator="GP",
            n_initial_points=initial_points,
            acq_func=acquisition,
            acq_optimizer="sampling",
            acq_optimizer_kwargs={"n_points": acquisition_points},
            random_state=int(random.integers(2**31)),
        )
        for dimension in self.optimizer.space.dimensions:
            dimension.transformer = _OneHot(dimension.transformer, list(dimension.categories))
        if native.compiled() is not None:
            self.optimizer.base_estimator_ = CategoricalProcess(**self.optimizer.base_estimator_.get_params(deep=False))

    def ask(self) -> dict:
        """The next point."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where it asks for a point again
            self.asked = self.optimizer.ask()
        # plain numbers of one type each, whether they come from scikit-optimize, YAML or a kept trial
        pairs = zip(self.names, self.asked, strict=True)
        return {name: self._plain(name, value) for name, value in pairs}

    def _plain(self, name: str, value):
        if name in _REAL:
            return float(value)
        if isinstance(value, int | np.integer) and not isinstance(value, bool):
            return int(value)
        return next(one for one in self.values[name] if one == value)  # an option of a user's class, as it was written

    def tell(self, value: float) -> None:
        """The objective of the point that was asked for last."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.optimizer.tell(self.asked, value)


class CategoricalProcess(GaussianProcessRegressor):
    """scikit-optimize's Gaussian process over categories, fitted and evaluated by the native library.

    The same model, bounds, starts and random numbers. scikit-optimize's own calls BLAS, whose last bits differ between
    processors; the likelihood is flat in places, so its optimum, and with it the search, then ends elsewhere.
    """

    def fit(self, X, y):
        """Fit to one-hot encoded points (n, columns) and their objectives (n,)."""
        y = np.asarray(y, float)
        self.mean_, spread = y.mean(), y.std()
        self.spread_ = spread if spread > 10 * np.finfo(float).eps else 1.0
        kernel = self.kernel + WhiteKernel()  # as scikit-optimize adds it where noise is "gaussian"
        limits = [np.broadcast_to(part.bounds, (part.n_elements, 2)) for part in kernel.hyperparameters]
        bounds = np.concatenate(limits)
        random = check_random_state(self.random_state)
        starts = [kernel.theta, *(random.random_sample(len(bounds)) for _ in range(self.n_restarts_optimizer))]
        self.fitted_ = process.fit(X, (y - self.mean_) / self.spread_, self.alpha, bounds, np.array(starts))
        return self

    def predict(self, X, return_std=False):
        """Mean, and where it is asked for standard deviation, of the objective at one-hot encoded points (m, columns)."""
        mean, variance = process.predict(self.fitted_, X)
        mean = self.spread_ * mean + self.mean_
        return (mean, np.sqrt(variance * self.spread_**2)) if return_std else mean


class _OneHot:
    """The encoding of a category as scikit-optimize makes it, looked up: its checks take a sixth of the time of a tuning."""

    def __init__(self, encoder, categories: list):
        self.encoder = encoder
        self.rows = dict(zip(categories, encoder.transform(categories), strict=True))

    def transform(self, values: list) -> np.ndarray:
        return np.array([self.rows[value] for value in values])

    def __getattr__(self, name):
        return getattr(self.encoder, name)
