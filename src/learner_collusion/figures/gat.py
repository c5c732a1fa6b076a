"""Figures 8 and 9: the formulas of Appendix D."""

import numpy as np

from ..gat import alpha_of_beta, gamma_of_alpha
from .style import BLUE, GREEN, ORANGE, PURPLE, VERMILION, plt, save

# The ensemble sizes of Figure 8; the paper's text does not name them.
SIZES = (2, 3, 5, 10, 100)


def gamma(pdf: str) -> None:
    """Figure 8: gamma against alpha for several ensemble sizes (Theorem D.3)."""
    figure, axes = plt.subplots(figsize=(5.4, 3.0))
    alpha = np.linspace(0, 10, 401)
    rows = []
    styles = ("-", "--", "-.", ":", (0, (5, 1)))
    for size, colour, style in zip(SIZES, (BLUE, VERMILION, GREEN, ORANGE, PURPLE), styles, strict=True):
        value = gamma_of_alpha(alpha, size)
        axes.plot(alpha, value, color=colour, linestyle=style, label=f"M = {size}")
        rows += [{"learners": size, "alpha": float(a), "gamma": float(g)} for a, g in zip(alpha, value, strict=True)]
    axes.axhline(1, color="black", linewidth=0.8)
    axes.annotate(r"$\beta = 1$: joint training", (9.9, 1), (0, 3), textcoords="offset points", ha="right", fontsize=8)
    axes.set_ylim(-0.05, 1.35)
    axes.set_xlabel(r"Step $\alpha$")
    axes.set_ylabel(r"$\gamma$, the weight of DIV")
    figure.legend(loc="outside right center")
    foot = (
        "Formula of Theorem D.3. Gamma reaches 1, joint training, at alpha = M - 1 and falls beyond: smaller ensembles "
    )
    foot += "give more weight to DIV only up to there (docs/errata.md)."
    save(figure, pdf, rows, foot=foot)


def alpha(pdf: str) -> None:
    """Figure 9: alpha against beta (Theorem D.1)."""
    figure, axes = plt.subplots(figsize=(4.2, 2.8))
    beta = np.linspace(0, 0.999, 500)
    value = alpha_of_beta(beta)
    axes.plot(beta, value, color=BLUE)
    axes.plot(0.75, alpha_of_beta(0.75), "o", color=VERMILION)
    axes.annotate(r"$\alpha = 1$ at $\beta = 0.75$", (0.75, 1), (-8, 12), textcoords="offset points", ha="right")
    axes.set_xlabel(r"$\beta$")
    axes.set_ylabel(r"Step $\alpha$")
    axes.set_ylim(0, 20)
    rows = [{"beta": float(b), "alpha": float(a)} for b, a in zip(beta, value, strict=True)]
    save(
        figure,
        pdf,
        rows,
        foot=r"$\alpha = (1-\beta)^{-1/2} - 1$: a power law, not the exponential of the paper's caption.",
    )
