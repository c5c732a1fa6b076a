"""Figure 1: learner collusion in a real small ensemble, trained here in a second."""

import pandas as pd
from matplotlib.axes import Axes

from ..training.illustration import train
from .style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, legend, panels, save, sns

_TITLES = {0.0: "Independent training", 1.0: "Joint training"}
_COLOURS = (BLUE, VERMILION, ORANGE, PURPLE, SKY, GREEN)
_INPUTS = (-1.0, 1.0)  # on the grid; the predictions at these two are the axes of the output space


def illustrate(settings, records, output) -> None:
    """Train the learners on a noisy sine, independently and jointly, and draw them with their ensemble: in output space, as
    the paper does, and against the input."""
    x, y, drawn, fits = train(settings.illustration, settings.seed, list(_TITLES))
    learners = [name for name in drawn if name.startswith("f")]
    colours = dict(zip(learners, _palette(len(learners)), strict=True))
    figure, axes = panels(1 + len(_TITLES), width=3.1, height=2.5)
    _output_space(axes[0, 0], drawn, colours)
    for panel, (beta, mine) in zip(axes[0, 1:], drawn.groupby("beta"), strict=True):
        long = mine.melt("x", learners, "learner", "prediction")
        long["learner"] = long["learner"].map(_symbol)
        sns.scatterplot(x=x, y=y, s=9, color="black", alpha=0.5, linewidth=0, label="data", ax=panel)
        sns.lineplot(
            long, x="x", y="prediction", hue="learner", style="learner", palette=list(colours.values()),
            dashes=_dashes(long["learner"].unique()), errorbar=None, ax=panel,
        )  # fmt: skip
        sns.lineplot(
            mine, x="x", y="ensemble", color="black", linewidth=2.2, label=r"ensemble $\bar f$", errorbar=None, ax=panel
        )
        panel.get_legend().remove()
        fit = fits.loc[beta]
        panel.set_title(rf"{_TITLES[beta]} ($\beta = {beta:g}$)" + f"\nERR {fit['err']:.3f}, DIV {fit['div']:.3f}")
        panel.set(xlabel="x", ylabel="")
    axes[0, 1].set_ylabel("Prediction")
    axes[0, 2].sharey(axes[0, 1])
    axes[0, 2].tick_params(labelleft=False)
    legend(figure, axes[0, 1])
    foot = (
        f"{len(learners)} learners trained from the same weights on the same batches; ERR and DIV of the training data."
    )
    save(settings, figure, output, drawn, foot)


def _output_space(panel: Axes, drawn: pd.DataFrame, colours: dict[str, str]) -> None:
    """Each learner a point, its predictions at two inputs; an arrow leads from independent to joint training."""
    points = {
        beta: mine.set_index(mine["x"].round(3)).loc[list(_INPUTS), [*colours, "ensemble"]]
        for beta, mine in drawn.groupby("beta")
    }
    before, after = (points[beta] for beta in _TITLES)
    for learner, colour in colours.items():
        start, end = before[learner], after[learner]
        panel.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 3})
        panel.plot(*end, "o", color=colour, markersize=6)
        side = 1 if end.iloc[0] >= start.iloc[0] else -1  # beyond the arrow's head
        panel.annotate(
            _symbol(learner), end, (7 * side, 0), textcoords="offset points", va="center",
            ha="left" if side > 0 else "right", color=colour,
        )  # fmt: skip
    panel.plot(*before["ensemble"], "o", color="black", markersize=10, fillstyle="none")
    panel.plot(*after["ensemble"], "o", color="black", markersize=5)
    panel.annotate(r"$\bar f$", after["ensemble"], (9, -4), textcoords="offset points", va="top")
    panel.set_title("Output space: the learners move,\nthe mean (ring: before) stays")
    panel.margins(0.18)
    panel.set(
        xlabel=f"Prediction at x = {_INPUTS[0]:g}".replace("-", "\N{MINUS SIGN}"),
        ylabel=f"Prediction at x = {_INPUTS[1]:g}",
    )


def _symbol(learner: str) -> str:
    return f"$f_{{{learner[1:]}}}$"


def _palette(learners: int) -> list:
    return list(_COLOURS[:learners]) if learners <= len(_COLOURS) else sns.color_palette("viridis", learners)


def _dashes(learners) -> dict[str, tuple]:
    """No learner's line is solid, as the ensemble's is."""
    styles = ((4, 1.5), (3, 1.25, 1, 1.25), (1, 1))
    return {name: styles[i % len(styles)] for i, name in enumerate(learners)}
