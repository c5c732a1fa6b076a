"""Figure 7: the paper's argument as a diagram, drawn in code."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, panels, save

STEPS = (
    ("Section 2", "Background", "Ensembles are trained independently,\naware of each other, or jointly", "", GREY),
    ("Section 3", "Joint training fails", "Trained for the very loss that it is tested\nby, the ensemble does worse", "Table 1", VERMILION),
    ("Section 4", "Unified diversity", "DIV = ERR-bar - ERR, for every loss: the\ngap between the two objectives", "Theorems 4.3, 4.5", BLUE),
    ("Section 5", "Augmented objective", "(1 - beta) ERR-bar + beta ERR goes from\nindependent (0) to joint (1), and no further", "Theorem 5.1, Appendix D", GREEN),
    ("Section 6.1", "Learner collusion", "Learners inflate DIV by biases that cancel:\nexplosion, bias, codependence", "Figures 2, 3, 4", ORANGE),
    ("Section 6.2", "It does not generalise", "What lowers the training loss by collusion\nis lost on unseen data", "Figures 5, 10-12", ORANGE),
    ("Section 6.3", "It matters in practice", "Joint training is worst on CIFAR,\nSVHN and ImageNet", "Figures 6, 13-18", PURPLE),
)  # fmt: skip
ADVICE = "So: train base learners independently.\nCollusion sets in as beta approaches 1;\nvalues in between may be worth a try."
# Column and row of each step's box, row 0 at the bottom; an arrow leads from each to the next.
PLACES = ((0, 2), (1, 2), (2, 2), (2, 1), (1, 1), (0, 1), (0, 0))
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 2.75, 1.0, 0.35, 0.3


def diagram(settings, records, output) -> None:
    """Boxes in the order of the argument, an arrow from each to the next."""
    figure, [[axes]] = panels(1, width=9.2, height=3.8)
    corners = [(column * (_WIDTH + _GAP_X), row * (_HEIGHT + _GAP_Y)) for column, row in PLACES]
    for step, corner in zip(STEPS, corners, strict=True):
        _box(axes, corner, *step)
    for start, end in zip(corners[:-1], corners[1:], strict=True):
        tail, head = _ends(start, end)
        axes.add_patch(
            FancyArrowPatch(tail, head, arrowstyle="-|>", mutation_scale=12, color="black", shrinkA=2, shrinkB=2)
        )
    axes.text(_WIDTH + _GAP_X + 0.05, _HEIGHT / 2, ADVICE, fontsize=9, va="center", style="italic")
    axes.set_xlim(-0.1, 3 * _WIDTH + 2 * _GAP_X + 0.1)
    axes.set_ylim(-0.1, 3 * _HEIGHT + 2 * _GAP_Y + 0.1)
    axes.axis("off")
    texts = pd.DataFrame([step[:4] for step in STEPS], columns=["section", "title", "text", "shown"])
    foot = "What the paper states, not what was run here: Table 1 and ImageNet were not; claims.md has what was, and its verdicts."
    save(settings, figure, output, texts, foot)


def _box(axes: Axes, corner: tuple[float, float], section: str, title: str, text: str, shown: str, colour: str) -> None:
    x, y = corner
    style = "round,pad=0,rounding_size=0.08"
    axes.add_patch(FancyBboxPatch(corner, _WIDTH, _HEIGHT, boxstyle=style, fc="white", ec=colour, lw=1.8))
    axes.text(x + 0.1, y + _HEIGHT - 0.09, title, weight="bold", fontsize=9.5, va="top", color=colour)
    axes.text(x + _WIDTH - 0.1, y + _HEIGHT - 0.1, section, fontsize=7.5, va="top", ha="right", color=GREY)
    axes.text(x + 0.1, y + _HEIGHT - 0.36, text, fontsize=8, va="top", linespacing=1.25)
    axes.text(x + 0.1, y + 0.08, shown, fontsize=7.5, va="bottom", color=GREY, style="italic")


def _ends(start: tuple[float, float], end: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the arrow from one box to the next one leaves and arrives: at their sides, or below and above."""
    (x0, y0), (x1, y1) = start, end
    if y0 != y1:
        return (x0 + _WIDTH / 2, y0), (x1 + _WIDTH / 2, y1 + _HEIGHT)
    rightwards = x0 < x1
    return (x0 + _WIDTH * rightwards, y0 + _HEIGHT / 2), (x1 + _WIDTH * (not rightwards), y1 + _HEIGHT / 2)
