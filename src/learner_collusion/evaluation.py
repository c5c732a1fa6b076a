"""Records from predictions: what Figures 2, 3 and 4 plot and the claims judge, computed by the published core.

Metrics of the tabular records: `err`, `err_bar`, `div` (test, Def. 4.1 and 4.2), `div_debiased` and `bias_share`
(Section 6.1), `increase_<share>` (ERR with a share of the learners dropped, minus ERR), and of the training `learners`,
`epochs`, `best_epoch`, `diverged` (its epoch or 0).
"""

import numpy as np
import torch

from . import records
from .decomposition import decompose
from .diagnostics import bias_share, codependence_curve, debias
from .errors import UserError
from .seeds import generator
from .tabular import read_predictions


def evaluate(dataset: str, predictions: list[str], histories: list[str], settings: dict, output: str) -> None:
    """Write the records of all runs of a data set; `predictions` and `histories` in the order of the runs.

    Errors: UserError where DIV is not ERR-bar - ERR, or a file is damaged.
    """
    torch.set_num_threads(1)
    rows: dict[str, list] = {name: [] for name in ("run", "beta", "metric", "value")}
    metadata = {"runs": []}
    for run, (prediction_path, history_path) in enumerate(zip(predictions, histories, strict=True)):
        history = records.read(history_path, records.HISTORY)
        metadata["runs"].append(records.metadata_of(history))
        betas, values, targets = read_predictions(prediction_path)
        y = torch.from_numpy(targets.astype(np.float64))
        f = torch.from_numpy(values.astype(np.float64))
        draws = torch.Generator().manual_seed(int(generator(settings["seed"], dataset, run, "dropped").integers(2**62)))
        cod = settings["codependence"]
        # one draw serves all betas: paired, and in float32, which halves the time of the only loop that takes any
        increases = codependence_curve(f.float(), y.float(), tuple(cod["drops"]), cod["draws"], cod["per"], draws)
        for i, beta in enumerate(betas):
            metrics = _metrics(f[i], y, f"{dataset}, run {run}, beta {beta:g}")
            metrics |= {f"increase_{drop:g}": float(increases[i, d]) for d, drop in enumerate(cod["drops"])}
            metrics |= _training(history, beta) | {"learners": f.shape[2]}
            rows["run"] += [run] * len(metrics)
            rows["beta"] += [float(beta)] * len(metrics)
            rows["metric"] += list(metrics)
            rows["value"] += [float(v) for v in metrics.values()]
    count = len(rows["run"])
    columns = {"experiment": ["tabular"] * count, "dataset": [dataset] * count, **rows}
    metadata |= {"settings": settings, "provenance": records.provenance("torch")}
    records.write(output, columns, records.RECORDS, metadata)


def _metrics(f: torch.Tensor, y: torch.Tensor, where: str) -> dict[str, float]:
    parts = decompose(f, y)
    if abs(float(parts.err_bar - parts.err - parts.div)) > 1e-9 * max(1.0, float(parts.err_bar)):
        raise UserError(f"DIV is not ERR-bar - ERR in {where}: the predictions are damaged; delete them and run again.")
    return {
        "err": float(parts.err),
        "err_bar": float(parts.err_bar),
        "div": float(parts.div),
        "div_debiased": float(decompose(debias(f), y).div),
        "bias_share": bias_share(f),
    }


def _training(history, beta: float) -> dict[str, int]:
    mine = records.column(history, "beta") == beta
    epoch = records.column(history, "epoch")[mine]

    def at(flag: str) -> int:
        return int(epoch[records.column(history, flag)[mine]].sum())

    return {"epochs": len(epoch), "best_epoch": at("best"), "diverged": at("diverged")}
