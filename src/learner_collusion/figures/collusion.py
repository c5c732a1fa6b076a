"""Figure 1: learner collusion in a real small ensemble, trained here in a second."""

import numpy as np
import pandas as pd
import seaborn as sns

from ..data.splits import Split
from ..models.mlp import Network, initial_parameters
from ..seeds import generator
from ..training.sweep import Settings, batch_permutations, predict, train_sweep
from .style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, legend, panels, save

_TITLES = {0.0: "Independent training", 1.0: "Joint training"}
_COLOURS = (BLUE, VERMILION, ORANGE, PURPLE, SKY, GREEN)


def illustrate(settings, records, output) -> None:
    """Train the learners on a noisy sine, independently and jointly, and draw them with their ensemble."""
    x, y, drawn, fits = _train(settings.illustration, settings.seed)
    learners = [name for name in drawn if name.startswith("f")]
    figure, axes = panels(len(_TITLES), width=3.4, height=2.5)
    for panel, (beta, mine) in zip(axes[0], drawn.groupby("beta"), strict=True):
        long = mine.melt("x", learners, "learner", "prediction")
        long["learner"] = long["learner"].str.replace(r"f(\d+)", r"$f_{\1}$", regex=True)
        sns.scatterplot(x=x, y=y, s=9, color="black", alpha=0.5, linewidth=0, label="data", ax=panel)
        sns.lineplot(
            long, x="x", y="prediction", hue="learner", style="learner", palette=_palette(len(learners)),
            dashes=_dashes(long["learner"].unique()), errorbar=None, ax=panel,
        )  # fmt: skip
        sns.lineplot(
            mine, x="x", y="ensemble", color="black", linewidth=2.2, label=r"ensemble $\bar f$", errorbar=None, ax=panel
        )
        panel.get_legend().remove()
        fit = fits.loc[beta]
        panel.set_title(rf"{_TITLES[beta]} ($\beta = {beta:g}$)" + f"\nERR {fit['err']:.3f}, DIV {fit['div']:.3f}")
        panel.set(xlabel="x", ylabel="")
    axes[0, 0].set_ylabel("Prediction")
    axes[0, 1].sharey(axes[0, 0])
    axes[0, 1].tick_params(labelleft=False)
    legend(figure, axes[0, 0])
    foot = (
        f"{len(learners)} learners trained from the same weights on the same batches. Trained independently they lie on "
        "their ensemble; trained jointly they move apart in directions that cancel: DIV grows, and the ensemble stays. ERR "
        "and DIV are those of the training data."
    )
    save(figure, output, drawn, settings.note, foot)


def _train(illustration: dict, seed: int) -> tuple[np.ndarray, np.ndarray, pd.DataFrame, pd.DataFrame]:
    """The data x and y; a row per beta and grid point with the columns beta, x, ensemble, f1, f2, ..; ERR and DIV of the
    training data by beta."""
    random = generator(seed, "illustration")
    x = np.sort(random.uniform(-3, 3, illustration["rows"])).astype(np.float32)[:, None]
    y = (np.sin(1.5 * x[:, 0]) + 0.15 * random.normal(size=len(x))).astype(np.float32)
    network = Network(1, illustration["learners"], illustration["hidden_units"], 1)
    epochs = illustration["epochs"]
    training = Settings(illustration["learning_rate"], 0.0, len(x), epochs, epochs)
    initial = initial_parameters(network, random)
    batches = batch_permutations(len(x), epochs, random)
    grid = np.linspace(-3, 3, 241, dtype=np.float32)[:, None]
    drawn, fits = [], {}
    for trained in train_sweep(network, Split(x, y, x, y), training, list(_TITLES), initial, batches):
        f, at_data = (predict(network, trained.last, inputs) for inputs in (grid, x))
        learners = {f"f{j + 1}": f[:, j].astype(float) for j in range(network.learners)}
        columns = {"beta": trained.beta, "x": grid[:, 0].astype(float), "ensemble": f.mean(1).astype(float)}
        drawn.append(pd.DataFrame(columns | learners))
        div = float(((at_data - at_data.mean(1, keepdims=True)) ** 2).mean())
        fits[trained.beta] = {"err": float(((at_data.mean(1) - y) ** 2).mean()), "div": div}
    return x[:, 0], y, pd.concat(drawn), pd.DataFrame.from_dict(fits, orient="index")


def _palette(learners: int) -> list:
    return list(_COLOURS[:learners]) if learners <= len(_COLOURS) else sns.color_palette("viridis", learners)


def _dashes(learners) -> dict[str, tuple]:
    """No learner's line is solid, as the ensemble's is."""
    styles = ((4, 1.5), (3, 1.25, 1, 1.25), (1, 1))
    return {name: styles[i % len(styles)] for i, name in enumerate(learners)}
