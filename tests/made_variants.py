"""Claims of a few variants with known answers, as `aggregate` puts them together."""

import pandas as pd

from learner_collusion.claims.catalogue import Claim
from learner_collusion.claims.verdict import FAILS, HOLDS, REPORTED, UNDECIDED, as_frame, row
from learner_collusion.records import parquet
from learner_collusion.records.sensitivity import CHOSEN, SENSITIVITY

EXPLODES = Claim("C1a", "tabular", "Diversity explodes", "Figure 2", "ratio", above=10)
SHARE = Claim("C4b", "tabular", "The share is large only as beta goes to 1", "Figure 3", "difference", above=0.1)
MSE = Claim("C3", "tabular", "The MSE hardly depends on beta", "Figure 2", "difference")
JUDGED = Claim("C3", "tabular", "The MSE hardly depends on beta", "Figure 2", "difference", above=-0.05, below=0.05)
TITLES = {"a": "Apples", "b": "Bananas"}


def _claims(explodes, share, error) -> pd.DataFrame:
    return as_frame(
        [
            row(EXPLODES, "a", "DIV(1) / DIV(0)", *explodes),
            row(EXPLODES, "b", "DIV(1) / DIV(0)", 50, 40, 60, HOLDS),
            row(SHARE, "a", "bias share(1) - bias share(0.5)", *share),
            row(MSE, "a", "ERR(1) - ERR(0)", *error, REPORTED),
            row(JUDGED, "b", "ERR(1) - ERR(0)", 0.01, -0.01, 0.03, HOLDS),
        ]
    )


def write(folder):
    """Chosen, three single variants, a joint one. Row by row, as chosen: C1a of a holds and one variant finds the opposite;
    of b nothing is ever changed; C4b of a is undecided with the joint variant alone; the sign of C3 of a rises, and does not
    show with one variant. `nothing` changes no number."""
    same = ((20, 15, 25, HOLDS), (0.3, 0.2, 0.4, HOLDS), (0.02, 0.01, 0.03))
    variants = {
        (CHOSEN, "as chosen", False): same,
        ("worse", "trained less", False): ((5, 3, 7, FAILS), (0.35, 0.2, 0.5, HOLDS), (0.04, 0.03, 0.05)),
        ("other", "another target", False): ((30, 20, 40, HOLDS), (0.25, 0.2, 0.3, HOLDS), (0.0, -0.01, 0.01)),
        ("nothing", "no change", False): same,
        ("joint1", "worse, other", True): ((25, 20, 30, HOLDS), (0.12, 0.05, 0.19, UNDECIDED), (0.03, 0.01, 0.05)),
    }
    frames = [
        _claims(*numbers).assign(variant=name, shows=shows, joint=joint)
        for (name, shows, joint), numbers in variants.items()
    ]
    parquet.write(folder / "sensitivity.parquet", pd.concat(frames)[SENSITIVITY.names], SENSITIVITY)
    return folder / "sensitivity.parquet"
