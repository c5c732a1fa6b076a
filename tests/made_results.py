"""Finished results with known answers: claims of three parts, tabular records, a figure."""

import numpy as np
import pandas as pd

from learner_collusion.claims.catalogue import Claim
from learner_collusion.claims.verdict import FAILS, HOLDS, REPORTED, UNDECIDED, as_frame, row
from learner_collusion.publishing import claims
from learner_collusion.records import parquet
from learner_collusion.records.tabular import RECORDS

TITLES = {"abalone": "Abalone", "long": "A data set with a very long title that does not fit"}
RATIO = Claim("C1a", "tabular", "Diversity explodes as beta goes to 1", "Figure 2", "ratio", above=10)
SHARE = Claim(
    "C4b", "tabular", "The share of bias is large only as beta goes to 1", "Figure 3", "difference", above=0.1
)
IDENTITY = Claim("C15", "theory", "DIV is a spread", "Eq. 1", "ambiguity", below=1e-9)
WORST = Claim("C9", "images", "Accuracy is lowest at beta = 1", "Figure 6", "worst_at_one", above=0)


def records(**datasets: dict) -> pd.DataFrame:
    """Two runs of each data set, with the means {(metric, beta): value}."""
    rows = [
        ("tabular", dataset, run, beta, metric, mean * (1 + (0.1, -0.1)[run]))
        for dataset, means in datasets.items() for (metric, beta), mean in means.items() for run in (0, 1)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=RECORDS.names)


def means(growth: float, lost: float, change: float) -> dict:
    """ERR is 1 at beta = 0 and 1 + change at beta = 1; dropping 20 % of the learners costs a tenth of `lost`, and `lost`."""
    return {
        ("div", 0.0): 0.1, ("div", 1.0): 0.1 * growth, ("err", 0.0): 1.0, ("err", 1.0): 1 + change,
        ("increase_0.2", 0.0): lost / 10, ("increase_0.2", 1.0): lost * (1 + change),
        ("increase_0.4", 0.0): 9.0, ("increase_0.4", 1.0): 9.0,
    }  # fmt: skip


def write_results(folder, note: str = "") -> None:
    """Finished results: claims of three parts, tabular records, a figure."""
    tabular = [
        row(RATIO, "abalone", "DIV(1) / DIV(0)", -1.234e-5, -2.345e-05, -1.234e-05, FAILS),
        row(RATIO, "long", "DIV(1) / DIV(0)", 117, 66.5, 216, HOLDS),
        row(SHARE, "abalone", "bias share(1) - bias share(0.5)", 0.2, 0.05, 0.3, UNDECIDED),
        row(SHARE, "long", "bias share(1) - bias share(0.5)", 0.2, np.nan, np.nan, REPORTED),
    ]
    theory = [row(IDENTITY, "random cases", "largest error", 1e-14, verdict=HOLDS)] * 3
    images = [row(WORST, "SVHN", "margin", 1, 0.5, 2, HOLDS), row(WORST, "CIFAR-10", "margin", 1, -1, 2, UNDECIDED)]
    paths = []
    for part, rows in (("theory", theory), ("tabular", tabular), ("images", images)):
        paths.append(folder / f"claims/{part}.parquet")
        claims.write(as_frame(rows), part, note, TITLES, folder / f"claims/{part}.md", paths[-1])
    claims.combine(paths, folder / "claims.md", folder / "claims.parquet")
    parquet.write(folder / "records/tabular.parquet", records(abalone=means(21, 0.5, 0.02)), RECORDS)
    (folder / "figures").mkdir()
    (folder / "figures/fig2_diversity.png").write_text("x")
