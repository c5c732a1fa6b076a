"""One panel of an image experiment: which cells it has, and what the records hold of them."""

from typing import NamedTuple

import pandas as pd

from ..records import images


class Panel(NamedTuple):
    """`cell` names the panel's cells up to drop rate, beta and run; the lists ascend. `experiments`: all that are enabled."""

    cell: dict
    betas: list[float]
    drop_rates: list[float]
    runs: range
    records: pd.DataFrame
    experiments: dict

    def at_best(self, metric: str, by: str = "beta", of_learners: bool = False) -> pd.DataFrame:
        """The test metric at each run's best evaluation, by beta without dropping or by drop rate at beta = 1: a row per run
        of the experiment, a column per level, NaN where there is none."""
        levels, fixed = (self.betas, {"drop_rate": 0.0}) if by == "beta" else (self.drop_rates, {"beta": 1.0})
        found = images.at_best(self.records, metric, by, of_learners, levels, complete=False, **fixed, **self.cell)
        return self._of_the_experiment(found)

    def curve(self, split: str, metric: str, beta: float) -> pd.DataFrame:
        """The ensemble's own metric over training without dropping: a row per run of the experiment, a column per
        evaluation, NaN where there is none."""
        found = images.curve(self.records, split, metric, beta=float(beta), drop_rate=0.0, **self.cell)
        return self._of_the_experiment(found)

    def diverged(self, by: str = "beta") -> list[tuple[int, float, int]]:
        """(run, beta, evaluation) of the runs of the experiment whose training diverged; by drop rate those of beta = 1."""
        levels, fixed = (self.betas, {"drop_rate": 0.0}) if by == "beta" else (self.drop_rates, {"beta": 1.0})
        found = images.diverged(self.records, by, **fixed, **self.cell)
        return [one for one in found if one[0] in self.runs and one[1] in levels]

    def name_diverged(self, left_out: dict[int, str], by: str = "beta") -> dict[int, str]:
        """Why runs do not count, where a number is missing because training diverged before its first evaluation ended."""
        for run, level, when in self.diverged(by):
            at = f"at {by.replace('_', ' ')} {level:g}"
            if left_out.get(run, "").endswith(at):
                left_out[run] = f"diverged {at}, evaluation {when}"
        return left_out

    def other(self, experiment: str) -> "Panel | str":
        """The panel of another experiment with the same data set, model and protocol; or why there is none."""
        known = self.experiments.get(experiment)
        if known is None:
            return f"the experiment {experiment!r} is not enabled"
        for key, name in (("datasets", "dataset"), ("models", "model")):
            if self.cell[name] not in known[key]:
                return f"the experiment {experiment!r} does not have {self.cell[name]}"
        if known["protocol"] != self.cell["protocol"]:
            return f"the experiment {experiment!r} is trained by another protocol"
        if len(known["learners"]) > 1:
            return f"the experiment {experiment!r} has ensembles of several sizes"
        cell = self.cell | {"learners": known["learners"][0], "averaging": known["averaging"]}
        return self._replace(cell=cell, betas=sorted(map(float, known["betas"])), runs=range(known["runs"]))

    def _of_the_experiment(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Cells that experiments share may have more runs than this one."""
        return frame[frame.index.isin(self.runs)]
