"""Bayesian optimisation over a grid with scikit-optimize's Gaussian process; plain Python numbers in and out."""

import warnings

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from skopt import Optimizer
    from skopt.learning import GaussianProcessRegressor
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
        self.names = list(grid)
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
        # the same process with the same parameters, quicker to evaluate
        self.optimizer.base_estimator_ = CategoricalProcess(**self.optimizer.base_estimator_.get_params(deep=False))

    def ask(self) -> dict:
        """The next point."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where it asks for a point again
            self.asked = self.optimizer.ask()
        # plain numbers of one type each, whether they come from scikit-optimize, YAML or a kept trial
        pairs = zip(self.names, self.asked, strict=True)
        return {name: (float if name in _REAL else int)(value) for name, value in pairs}

    def tell(self, value: float) -> None:
        """The objective of the point that was asked for last."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.optimizer.tell(self.asked, value)


class CategoricalProcess(GaussianProcessRegressor):
    """scikit-optimize's Gaussian process over categories, with the same numbers, bit for bit, in a sixth of the time.

    Fitting evaluates the likelihood thousands of times on matrices of 20 rows: nearly all of scikit-learn's time goes into
    rebuilding the kernel's lists of hyper-parameters and into checks. Here the same NumPy and LAPACK calls are made, in the
    same order, for the kernel that scikit-optimize uses where all dimensions are categories: a constant times a Hamming kernel,
    plus white noise.
    """

    def log_marginal_likelihood(self, theta=None, eval_gradient=False, clone_kernel=True):
        """As in scikit-learn; `theta` are the logarithms of the constant, the length scales, and the noise level."""
        if theta is None or not eval_gradient or clone_kernel or self.X_train_.shape[1] < 2 or self.y_train_.ndim != 1:
            return super().log_marginal_likelihood(theta, eval_gradient, clone_kernel)
        x, n = self.X_train_, len(self.X_train_)
        if getattr(self, "differs_", None) is None:  # the same for every theta
            self.differs_ = np.expand_dims(x, axis=1) != x
            self.weight_ = np.array(self.differs_, dtype=np.float32)
            self.eye_, self.diagonal_ = np.eye(n), np.arange(n) * (n + 1)
        constant, scale, noise = np.exp(theta[0]), np.exp(theta[1:-1]), np.exp(theta[-1])
        hamming = np.exp(-np.add.reduce(scale * self.differs_, axis=2))
        slope = -hamming[:, :, np.newaxis] * self.weight_
        slope *= scale
        gradient = np.empty((n, n, len(theta)))
        product = gradient[..., 0] = constant * hamming
        np.multiply(slope, constant, out=gradient[..., 1:-1])
        white = gradient[..., -1] = noise * self.eye_
        kernel = product + white
        kernel.reshape(-1)[self.diagonal_] += self.alpha
        lower, info = dpotrf(kernel, lower=True, overwrite_a=False, clean=True)
        if info > 0:  # not positive definite
            return -np.inf, np.zeros_like(theta)
        y = self.y_train_[:, np.newaxis]
        alpha, _ = dpotrs(lower, y, lower=True)
        likelihood = -0.5 * np.einsum("ik,ik->k", y, alpha)
        likelihood -= np.log(lower.diagonal()).sum()
        likelihood -= n / 2 * np.log(2 * np.pi)
        inner = alpha[:, np.newaxis] * alpha
        inverse, _ = dpotrs(lower, self.eye_, lower=True)
        inner -= inverse[..., np.newaxis]
        slopes = 0.5 * np.einsum("ijl,jik->kl", inner, gradient)
        return likelihood[0], slopes[:, 0]


class _OneHot:
    """The encoding of a category as scikit-optimize makes it, looked up: its checks take a sixth of the time of a tuning."""

    def __init__(self, encoder, categories: list):
        self.encoder = encoder
        self.rows = dict(zip(categories, encoder.transform(categories), strict=True))

    def transform(self, values: list) -> np.ndarray:
        return np.array([self.rows[value] for value in values])

    def __getattr__(self, name):
        return getattr(self.encoder, name)
