"""The image records, asked by cell: learning curves, and test metrics at the best epoch of each run."""

import numpy as np

from . import records

MODELS = {
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "cnn": "CNN",
    "vgg": "VGG",
}  # as figures and claims print them


class ImageRecords:
    """The records at `path`. `missing`: data sets that could not be had, each with the reason."""

    def __init__(self, path: str):
        table = records.read(path, records.IMAGES)
        self.missing: dict[str, str] = records.metadata_of(table).get("missing", {})
        self.fields = {name: records.column(table, name) for name in records.IMAGES.names}

    def _chosen(self, **where) -> np.ndarray:
        chosen = np.ones(len(self.fields["run"]), bool)
        for name, value in where.items():
            same = np.isclose(self.fields[name], value) if isinstance(value, float) else self.fields[name] == value
            chosen &= same
        return chosen

    def curve(self, split: str, metric: str, **cell) -> np.ndarray:
        """(runs, epochs) of the ensemble's own metric; runs that stopped early end in NaN."""
        chosen = self._chosen(split=split, metric=metric, learner=-1, **cell)
        run, epoch, value = (self.fields[name][chosen] for name in ("run", "epoch", "value"))
        runs, place = np.unique(run, return_inverse=True)
        values = np.full((len(runs), epoch.max(initial=0)), np.nan)
        values[place, epoch - 1] = value
        return values

    def best(self, metric: str, by: str, of_learners: bool = False, **cell) -> tuple[np.ndarray, np.ndarray]:
        """Levels (k,) of the column `by`, and the test metric (runs, k) at each run's epoch of lowest validation ERR.

        Only runs that have all levels count. With `of_learners` the mean over the learners in place of the ensemble's own.
        """
        mine = {name: values[self._chosen(**cell)] for name, values in self.fields.items()}
        levels = np.unique(mine[by])
        best, found = mine["metric"] == "best", {}
        epochs = dict(zip(zip(mine["run"][best], mine[by][best], strict=True), mine["epoch"][best], strict=True))
        wanted = (mine["split"] == "test") & (mine["metric"] == metric)
        wanted &= (mine["learner"] >= 0) if of_learners else (mine["learner"] == -1)
        columns = (mine[name][wanted] for name in ("run", by, "epoch", "value"))
        for run, level, epoch, value in zip(*columns, strict=True):
            if epochs.get((run, level)) == epoch:
                found.setdefault((run, level), []).append(value)
        runs = [run for run in np.unique(mine["run"]) if all((run, level) in found for level in levels)]
        values = [[np.mean(found[run, level]) for level in levels] for run in runs]
        return levels, np.array(values).reshape(len(runs), len(levels))
