"""Bayesian optimisation over a grid with scikit-optimize's Gaussian process; plain Python numbers in and out."""

import warnings

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from skopt import Optimizer
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
