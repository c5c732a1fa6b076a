"""RESULTS.md and RESULTS.png from results.json."""

import statistics
from pathlib import Path

WAYS = {"loop": "loop, as in the official code", "vmap": "torch vmap", "bmm": "torch bmm", "jax": "jax scan"}


GPU = """
## GPU

What was measured on an H100, by `python benchmarks/gpu.py`, is in [gpu/](gpu/README.md).
"""


def write(results: dict, folder: Path) -> None:
    """Write both files; parts that were not measured say so."""
    known = results.get("machine", {})
    text = "# Benchmarks\n\nMade by `make bench`; every number is in `results.json`. Shared machines drift, so what counts are the\n"
    text += "ratios: the ways are timed in turns, and the ratio is the median of the ratios within a round.\n\n"
    text += "".join(f"- {name}: {value}\n" for name, value in known.items())
    for part, other in results.get("apart", {}).items():
        text += f"- measured apart, {part}: {', '.join(f'{name} {value}' for name, value in other.items())}\n"
    text += _steps(results) + _training(results) + _run(results) + _sweep(results) + _scaling(results)
    text += _images(results) + _pictures(results) + GPU
    (folder / "RESULTS.md").write_text(text, encoding="utf-8")
    if "step" in results and "scaling" in results:
        _plot(results, folder / "RESULTS.png")


def geometric_means(results: dict) -> dict[str, float]:
    """Over the four shapes that have a target: how many times slower than the native engine each way is."""
    rows = results["step"][: results["targets"]]
    return {
        way: statistics.geometric_mean(row["times_native"][way] for row in rows)
        for way in WAYS
        if all(way in row["times_native"] for row in rows)
    }


def _steps(results: dict) -> str:
    if "step" not in results:
        return "\n## (a) One training step\n\nNot measured.\n"
    text = "\n## (a) One training step, one core\n\n`python benchmarks/step.py --shape LEARNERS HIDDEN LAYERS BATCH`. Milliseconds "
    text += "of one ensemble, and how many times longer than the native engine.\n\n"
    names = [way for way in WAYS if way in results["step"][0]["ms"]]
    text += "| learners, hidden, layers, batch | native, ms | " + " | ".join(WAYS[way] for way in names)
    text += " | GF/s | share of sgemm |\n" + "|---" * (4 + len(names)) + "|\n"
    for row in results["step"]:
        shape = ", ".join(str(row["shape"][key]) for key in ("learners", "hidden", "layers", "batch"))
        cells = [f"{row['ms'][way]:.3g} ({row['times_native'][way]:.1f}x)" for way in names]
        text += f"| {shape} | {row['ms']['native']:.4f} | " + " | ".join(cells)
        text += f" | {row['gflops']:.1f} | {row['share_of_peak']:.0%} |\n"
    means = geometric_means(results)
    text += "\nGeometric mean over the first four shapes, times the native engine: "
    text += ", ".join(f"{WAYS[way]} {mean:.1f}" for way, mean in means.items()) + ".\n"
    text += "(f) The share is of a 1024 x 1024 x 1024 single-precision product of PyTorch on the same core.\n"
    return text


def _training(results: dict) -> str:
    text = "\n## (b) A whole training with early stopping\n\n"
    if "training" not in results:
        return text + "Not measured.\n"
    seconds, epochs = results["training"]["seconds"], results["training"]["epochs"]
    text += "`python benchmarks/training.py native|torch|loop`: the diabetes table, 10 learners of 2 x 20 units, batches of 32, "
    text += "one beta, one core.\n\n| way | seconds | epochs | times native |\n|---|---|---|---|\n"
    for way, value in seconds.items():
        text += f"| {way} | {value:.4f} | {epochs[way]} | {value / seconds['native']:.1f} |\n"
    return text


def _run(results: dict) -> str:
    text = "\n## (c) One (data set, run), process by process\n\n"
    if "run" not in results:
        return text + "Not measured.\n"
    text += "The diabetes table at the paper's settings: 20 trials, 11 betas.\n\n| process | seconds |\n|---|---|\n"
    return text + "".join(f"| {name} | {value:.2f} |\n" for name, value in results["run"].items())


def _sweep(results: dict) -> str:
    text = "\n## (d) Figures 2-4 and the tabular claims, four data sets, paper's settings\n\n"
    if not results.get("sweep"):
        return text + "Not measured: set LEARNER_COLLUSION_MIRROR.\n"
    wall, cpu = results["sweep"]["wall"], results["sweep"]["cpu"]
    text += f"From prepared data, two cores, Snakemake, tuning and plots included: **{wall / 60:.1f} minutes** of wall time, "
    text += f"{cpu / 60:.1f} of processor time.\n"
    loop = results["sweep"]["loop"]
    text += f"The loop of the official code would need **{loop['hours']:.1f} hours** of one core (standard error "
    text += f"{loop['standard_error']:.1f}) for the same {loop['steps'] / 1e6:.1f} million training steps alone: extrapolated from "
    text += f"{loop['sample']} of these trainings, drawn in proportion to their steps and timed; not run whole.\n"
    return text


def _scaling(results: dict) -> str:
    text = "\n## (e) Cost against size\n\n"
    if "scaling" not in results:
        return text + "Not measured.\n"
    text += "Exponents of a straight line through the logarithms (10 learners, 2 x 20 units, 2,000 rows, batches of 32 unless "
    text += "varied). Learners and width start below 1, where lanes are empty and fixed costs count.\n\n"
    text += "| against | from | to | exponent |\n|---|---|---|---|\n"
    for name, values in results["scaling"].items():
        points = values["points"]
        text += f"| {name} | {points[0]} | {points[-1]} | {values['exponent']:.2f} |\n"
    return text + "\n![Steps and scaling](RESULTS.png)\n"


def _images(results: dict) -> str:
    text = "\n## (g) Images\n\n"
    if "images" not in results:
        return text + "Not measured.\n"
    known = results["images"]
    text += "`python benchmarks/images.py`: on one core, against the way of the official code (Pillow transforms image by image; "
    text += "learners one after the other, channels first, a stem each).\n\n"
    text += "| what | official | here | times faster |\n|---|---|---|---|\n"
    times = known["augmentation"]["microseconds"]
    text += f"| augmentation of an image, us | {times['official']:.0f} | {times['ours']:.0f} "
    text += f"| {known['augmentation']['ratio']:.1f} |\n"
    titles = {"resnet18": "ResNet-18", "resnet18_narrow": "ResNet-18 a sixteenth as wide", "cnn": "CNN of Table 3"}
    for model, title in titles.items():
        row = known[model]
        times = row["milliseconds"]
        text += (
            f"| step of 5 learners, {title}, {row['batch']} images, ms | {times['official']:.0f} | {times['ours']:.0f} "
        )
        text += f"| {row['ratio']:.2f} |\n"
    text += "\nA ResNet's step is all convolutions, by the same library either way; a narrow one's (the `laptop` and `ci` presets) "
    return text + "has layers so small that one call for all learners pays.\n"


def _pictures(results: dict) -> str:
    text = "\n## (h) Pictures of ImageNet\n\n"
    if "pictures" not in results:
        return text + "Not measured.\n"
    known = results["pictures"]
    rates, times = known["pictures_per_second"], known["core_milliseconds"]
    titles = {
        "torchvision": "torchvision's ImageFolder and DataLoader",
        "exact": "here, the same pixels (the default)",
        "scaled": "here, with JPEG's reduced scales (`scaled`)",
        "kept": "here, decoded once and kept (`cache: 256`)",
    }
    text += f"`python benchmarks/pictures.py`: {known['pictures']}, a random crop of {known['size']} pixels, normalised batches on the "
    text += f"device ({known['device']}), {known['workers']} workers on {known['cores']} cores.\n\n"
    text += "| way | pictures a second | ms of a core for a picture |\n|---|---|---|\n"
    text += "".join(f"| {title} | {rates[way]:.0f} | {times[way]:.2f} |\n" for way, title in titles.items())
    return (
        text + f"\nThe same pixels come {known['ratio']:.2f} times as fast as from torchvision, for "
        f"1 / {known['core_ratio']:.2f} of the time of the cores (medians of the ratios within a round; the table has medians).\n"
    )


def _plot(results: dict, path: Path) -> None:
    from learner_collusion.figures.style import BLUE, GREEN, ORANGE, PURPLE, VERMILION, plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.4))
    rows = results["step"]
    labels = ["{learners}, {hidden}, {layers}, {batch}".format(**row["shape"]) for row in rows]
    colours = {"native": BLUE, "jax": GREEN, "bmm": ORANGE, "vmap": PURPLE, "loop": VERMILION}
    marks = {"native": "o", "jax": "s", "bmm": "^", "vmap": "D", "loop": "v"}
    for way, colour in colours.items():
        if all(way in row["ms"] for row in rows):
            left.plot(
                [row["ms"][way] for row in rows], range(len(rows)), marks[way], color=colour, label=way, markersize=5
            )
    left.set_yticks(range(len(rows)), labels, fontsize=7)
    left.invert_yaxis()
    left.set_xscale("log")
    left.set_xlabel("ms per step, one core")
    left.set_title("learners, hidden units, layers, batch", fontsize=9)
    left.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=5, fontsize=7, columnspacing=0.8, handletextpad=0.2
    )
    styles = zip(results["scaling"].items(), (BLUE, VERMILION, GREEN, ORANGE), "os^D", strict=True)
    for (name, values), colour, mark in styles:
        sizes = [point / values["points"][0] for point in values["points"]]
        costs = [ms / values["ms"][0] for ms in values["ms"]]
        right.plot(
            sizes, costs, mark, linestyle="-", color=colour, markersize=4, label=f"{name}: {values['exponent']:.2f}"
        )
    right.set_xscale("log", base=2)
    right.set_yscale("log", base=2)
    right.set_xlabel("size, relative to the smallest")
    right.set_ylabel("time, relative")
    right.set_title("fitted exponents", fontsize=9)
    right.legend(fontsize=8)
    figure.savefig(path)
    plt.close(figure)
