"""What the variants of the sensitivity analysis find, row by row of the claims, and which findings stay."""

import numpy as np
import pandas as pd

from ..records.sensitivity import CHOSEN
from .verdict import FAILS, HOLDS, LEFT_OUT, NO_VERDICT, REPORTED, UNDECIDED

# A reported difference whose sign is the finding: ERR at beta = 1 minus that at beta = 0.
SIGNED = "C3"
RISES, FALLS, UNCLEAR = "rises", "falls", "covers 0"
FINDINGS = (HOLDS, UNDECIDED, FAILS, NO_VERDICT, LEFT_OUT, RISES, UNCLEAR, FALLS)
_ROW = ["id", "claim", "dataset", "signed"]


def findings(records: pd.DataFrame) -> pd.DataFrame:
    """The rows of all variants that are judged, and of SIGNED a second one for the sign: where the interval lies against 0.

    `records` has the columns of `records.sensitivity`. Adds `signed`, `finding` (one of FINDINGS), `concerned` (whether the
    variant changes a number of the row) and `differs` (whether its finding is not that of the chosen variant).
    """
    judged = records[records["verdict"] != REPORTED].assign(signed=False, finding=lambda rows: rows["verdict"])
    sign = records[(records["id"] == SIGNED) & records["verdict"].isin([REPORTED, HOLDS, FAILS, UNDECIDED])]
    sign = sign.assign(signed=True, finding=np.select([sign["low"] > 0, sign["high"] < 0], [RISES, FALLS], UNCLEAR))
    found = pd.concat([judged, sign[np.isfinite(sign["low"])]])
    chosen = found[found["variant"] == CHOSEN].drop_duplicates(_ROW).set_index(_ROW)
    keys = pd.MultiIndex.from_frame(found[_ROW])
    own = chosen.reindex(keys)[["value", "low", "high", "finding"]]
    numbers = ["value", "low", "high"]
    same = np.isclose(found[numbers].to_numpy(float), own[numbers].to_numpy(float), rtol=0, atol=0, equal_nan=True)
    found["concerned"] = ~same.all(1)
    found["differs"] = found["finding"].to_numpy() != own["finding"].to_numpy()
    return found[keys.isin(chosen.index)].reset_index(drop=True)


def stability(found: pd.DataFrame) -> pd.DataFrame:
    """A line per row of the claims, in the order of the chosen variant: its finding there, and what becomes of it.

    `found` is from `findings`. Columns: id, claim, dataset, signed, statistic, finding, value (of the chosen variant), lowest
    and highest value of all, `single` and `joint` (variants that concern it), `single_differ` and `joint_differ` (those with
    another finding), `opposite` (those with the opposite one), `hangs_on` (the single ones with another finding, as they are
    shown, and what it is).
    """
    rows = []
    for key, mine in found.groupby(_ROW, sort=False):
        chosen = mine[mine["variant"] == CHOSEN].iloc[0]
        varied = mine[(mine["variant"] != CHOSEN) & mine["concerned"]]
        alone, together = varied[~varied["joint"]], varied[varied["joint"]]
        other = alone[alone["differs"]]
        rows.append(
            dict(zip(_ROW, key, strict=True))
            | {
                "statistic": chosen["statistic"],
                "threshold": chosen["threshold"],
                "finding": chosen["finding"],
                "value": chosen["value"],
                "lowest": mine["value"].min(),
                "highest": mine["value"].max(),
                "single": len(alone),
                "single_differ": len(other),
                "joint": len(together),
                "joint_differ": int(together["differs"].sum()),
                "opposite": int((varied["finding"] == _OPPOSITE.get(chosen["finding"])).sum()),
                "hangs_on": "; ".join(f"{s} ({f})" for s, f in zip(other["shows"], other["finding"], strict=True)),
            }
        )
    return pd.DataFrame(rows)


_OPPOSITE = {HOLDS: FAILS, FAILS: HOLDS, RISES: FALLS, FALLS: RISES}
