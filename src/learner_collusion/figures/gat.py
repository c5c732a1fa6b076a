"""Figures 8 and 9: the formulas of Appendix D."""

import numpy as np
import pandas as pd

from ..gat import alpha_of_beta, gamma_of_alpha
from .style import BLUE, GREEN, ORANGE, PURPLE, VERMILION, legend, panels, save, sns

# The ensemble sizes of Figure 8; the paper's text does not name them.
SIZES = (2, 3, 5, 10, 100)


def gamma(settings, records, output) -> None:
    """Figure 8: gamma against alpha for several ensemble sizes (Theorem D.3)."""
    step = np.linspace(0, 10, 401)
    plotted = pd.concat(
        [pd.DataFrame({"learners": size, "alpha": step, "gamma": gamma_of_alpha(step, size)}) for size in SIZES]
    )
    figure, [[axes]] = panels(1, width=5.0, height=2.8)
    colours = dict(zip(SIZES, (BLUE, VERMILION, GREEN, ORANGE, PURPLE), strict=True))
    sns.lineplot(
        plotted, x="alpha", y="gamma", hue="learners", style="learners", palette=colours, ax=axes, errorbar=None
    )
    axes.get_legend().remove()
    legend(figure, axes, "Learners M")
    axes.axhline(1, color="black", linewidth=0.8)
    axes.annotate(r"$\beta = 1$: joint training", (9.9, 1), (0, 4), textcoords="offset points", ha="right", fontsize=8)
    axes.set(ylim=(-0.05, 1.35), xlabel=r"Step $\alpha$", ylabel=r"$\gamma$, the weight of DIV")
    foot = "Formula of Theorem D.3: gamma reaches 1 at alpha = M - 1 and falls beyond."
    save(settings, figure, output, plotted, foot)


def alpha(settings, records, output) -> None:
    """Figure 9: alpha against beta (Theorem D.1)."""
    beta = np.linspace(0, 0.999, 500)
    plotted = pd.DataFrame({"beta": beta, "alpha": alpha_of_beta(beta)})
    figure, [[axes]] = panels(1, width=4.4, height=2.6)
    sns.lineplot(plotted, x="beta", y="alpha", color=BLUE, errorbar=None, ax=axes)
    axes.plot(0.75, alpha_of_beta(0.75), "o", color=VERMILION)
    axes.annotate(r"$\alpha = 1$ at $\beta = 0.75$", (0.75, 1), (-8, 12), textcoords="offset points", ha="right")
    axes.set(ylim=(0, 20), xlabel=r"$\beta$", ylabel=r"Step $\alpha$")
    foot = r"$\alpha = (1-\beta)^{-1/2} - 1$: a power law, no exponential (docs/errata.md)."
    save(settings, figure, output, plotted, foot)
