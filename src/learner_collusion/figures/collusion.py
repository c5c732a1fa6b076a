"""Figure 1: learner collusion in an actual small ensemble, trained here in a second."""

import numpy as np

from ..seeds import generator
from ..training.mlp import Network, Settings, Split, epoch_orders, initial_parameters
from ..training.sweep import predict, train_sweep
from .style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, plt, save


def illustrate(settings: dict, seed: int, note: str, pdf: str) -> None:
    """Train the learners on a noisy sine, independently and jointly, and draw them with their ensemble."""
    random = generator(seed, "illustration")
    x = np.sort(random.uniform(-3, 3, settings["rows"])).astype(np.float32)[:, None]
    y = (np.sin(1.5 * x[:, 0]) + 0.15 * random.normal(size=len(x))).astype(np.float32)
    network = Network(1, settings["learners"], settings["hidden"], 1)
    training = Settings(settings["learning_rate"], 0.0, len(x), settings["epochs"], settings["epochs"])
    initial = initial_parameters(network, random)
    orders = epoch_orders(len(x), settings["epochs"], random)
    trained = train_sweep(network, Split(x, y, x, y), training, [0.0, 1.0], initial, orders)
    grid = np.linspace(-3, 3, 241, dtype=np.float32)[:, None]
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.7), sharey=True)
    rows = []
    for panel, result, title in zip(axes, trained, ("Independent training", "Joint training"), strict=True):
        f = predict(network, result.last, grid)
        at_data = predict(network, result.last, x)
        mean = f.mean(1)
        div = float(((at_data - at_data.mean(1, keepdims=True)) ** 2).mean())
        err = float(((at_data.mean(1) - y) ** 2).mean())
        panel.scatter(x[:, 0], y, s=9, color="black", alpha=0.5, linewidth=0, label="data")
        styles = zip((BLUE, VERMILION, ORANGE, PURPLE, SKY, GREEN), ("--", "-.", ":", "--", "-.", ":"), strict=True)
        for j, (colour, style) in zip(range(network.learners), styles, strict=False):
            panel.plot(grid[:, 0], f[:, j], color=colour, linestyle=style, label=f"$f_{j + 1}$")
        panel.plot(grid[:, 0], mean, color="black", linewidth=2.2, label=r"ensemble $\bar f$")
        panel.set_title(rf"{title} ($\beta = {result.beta:g}$)" + f"\nERR {err:.3f}, DIV {div:.3f}")
        panel.set_xlabel("x")
        for i in range(len(grid)):
            learners = {f"f{j + 1}": float(f[i, j]) for j in range(network.learners)}
            rows.append({"beta": result.beta, "x": float(grid[i, 0]), "ensemble": float(mean[i]), **learners})
    axes[0].set_ylabel("prediction")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    foot = (
        f"{network.learners} learners trained from the same weights on the same batches. Trained independently they lie on "
        "their ensemble; trained jointly they move apart in directions that cancel: DIV grows, and the ensemble stays. ERR "
        "and DIV are those of the training data."
    )
    save(figure, pdf, rows, note, foot)
