"""The sensitivity of the tabular findings to the open choices: a line per variant, a column per claim and data set."""

import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from ..claims.sensitivity import FALLS, RISES, UNCLEAR, findings
from ..claims.verdict import FAILS, HOLDS, LEFT_OUT, NO_VERDICT, UNDECIDED
from ..records import parquet
from ..records.sensitivity import CHOSEN, SENSITIVITY
from .style import GREY, panels, save

# Colour and sign of each finding: none is told by colour alone.
_LOOKS = {
    HOLDS: ("#9CCBE8", ""),
    UNDECIDED: ("#FBE9A9", "?"),
    FAILS: ("#E8946A", "×"),
    RISES: ("#D9A6C4", "▲"),
    UNCLEAR: ("#F2F2F2", ""),
    FALLS: ("#8FCFB8", "▼"),
    NO_VERDICT: ("#DDDDDD", ""),
    LEFT_OUT: ("#BBBBBB", ""),
}
_WIDTH, _HEIGHT = 0.42, 0.21  # inches of a cell
_COLUMNS = ["variant", "shows", "joint", "id", "dataset", "statistic", "signed", "value", "low", "high", "finding"]


def matrix(settings, records, output) -> None:
    """Variants against claims: the colour says what is found, the number is the statistic's value; a dot where the variant
    changes nothing of the row."""
    found = findings(parquet.read(records, SENSITIVITY, published=True))
    names = ["id", "signed", "claim", "dataset"]
    columns = list(
        found[names].drop_duplicates().sort_values(["id", "signed"], kind="stable").itertuples(index=False, name=None)
    )
    variants = list(found["variant"].unique())
    figure, [[axes]] = panels(1, width=_WIDTH * len(columns) + 3, height=_HEIGHT * len(variants) + 1.6)
    figure.set_dpi(rcParams["savefig.dpi"])  # long labels are laid out as wide as they are saved
    for row in found.to_dict("records"):
        place = (columns.index(tuple(row[name] for name in names)), variants.index(row["variant"]))
        _cell(axes, *place, row, row["variant"] == CHOSEN)
    _frame(axes, columns, found, settings.titles)
    shown = [finding for finding in _LOOKS if (found["finding"] == finding).any()]
    handles = [Patch(color=_LOOKS[f][0], label=" ".join(filter(None, [_LOOKS[f][1], f]))) for f in shown]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    foot = "Numbers: " + "; ".join(_meanings(found)) + ". Dot: the variant changes no number of the row."
    foot += f" {settings.study}" * bool(settings.study)
    save(settings, figure, output, found[_COLUMNS], foot)


def _cell(axes: Axes, x: int, y: int, row: dict, chosen: bool) -> None:
    if not (row["concerned"] or chosen):
        axes.text(x, y, "·", ha="center", va="center", color=GREY, fontsize=8)
        return
    colour, sign = _LOOKS[row["finding"]]
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=1))
    # what differs from the choices as they are stands out without colour, too
    weight = "bold" if row["differs"] else "normal"
    axes.text(x, y, f"{sign}{_short(row['value'])}", ha="center", va="center", fontsize=6.5, fontweight=weight)


def _short(value: float) -> str:
    """At most two digits that count, without a leading zero: .031, -.5, 12, 140; 0 below .00005."""
    if value != value:
        return ""
    if abs(value) < 5e-5:
        return "0"
    text = f"{value:.2g}" if abs(value) < 10 else f"{value:.0f}"
    if "e" in text:
        text = f"{value:.4f}" if abs(value) < 1 else f"{value:.0f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def _frame(axes: Axes, columns: list[tuple], found: pd.DataFrame, titles: dict[str, str]) -> None:
    variants = found.drop_duplicates("variant")
    labels = [
        f"{name}: {shows.count(',') + 1} choices" if joint else shows
        for name, shows, joint in variants[["variant", "shows", "joint"]].itertuples(index=False, name=None)
    ]
    axes.set_yticks(range(len(labels)), labels, fontsize=7.5)
    axes.set_xticks(
        range(len(columns)), [titles.get(dataset, dataset) for *_, dataset in columns], rotation=90, fontsize=7.5
    )
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(labels) - 0.5, -0.5))
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    heads = [f"{id}{' sign' * signed}" for id, signed, *_ in columns]
    for start in (i for i, head in enumerate(heads) if i == 0 or heads[i - 1] != head):
        axes.axvline(start - 0.5, color="black", linewidth=0.8)
        end = start + heads.count(heads[start]) - 1
        axes.text(
            (start + end) / 2, len(labels) - 0.3, heads[start], ha="center", va="top", fontsize=8, fontweight="bold"
        )
    joint = variants["joint"].tolist()
    for border in (1, joint.index(True) if True in joint else 1):
        axes.axhline(border - 0.5, color="black", linewidth=0.8)


def _meanings(found: pd.DataFrame) -> list[str]:
    """What each column's number is, by claim."""
    first = found.drop_duplicates(["id", "signed"]).sort_values(["id", "signed"], kind="stable")
    return [
        f"{row['id']}{' sign' * row['signed']} {row['statistic']}"
        + f" ({row['threshold']})" * bool(row["threshold"] and not row["signed"])
        for row in first.to_dict("records")
    ]
