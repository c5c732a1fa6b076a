"""Train the small ensemble of Figure 1 at each beta of the slider in the report, and keep what its learners predict.

Example: learner-collusion illustrate --config config.yaml
"""

from dataclasses import dataclass

from ..plan import makers
from ..plan import settings as plan
from ..records.identity import begin


@dataclass(frozen=True)
class Settings:
    """What training takes from the configuration: the toy problem as Figure 1 has it, and the betas of the slider."""

    seed: int
    illustration: dict
    betas: list[int | float]


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("--output", help="default: results/illustration.parquet")
    plan.add_settings_arguments(parser)


def run(options) -> None:
    """Train at every beta."""
    taken = plan.from_options(options, "illustrate")
    job = makers.job(options, "illustrate", "all", taken)
    train(plan.convert(taken, Settings), options.output or plan.results("illustration.parquet"), job)


def train(settings: Settings, output: str, job=None) -> None:
    """Write the data, and what the learners and their ensemble predict at each beta, as `records.illustration` has it."""
    import pandas as pd

    from ..records import parquet
    from ..records.illustration import ILLUSTRATION
    from ..training import illustration

    made, betas = begin(job), sorted(settings.betas)
    x, y, drawn, fits = illustration.train(settings.illustration, settings.seed, betas)
    parts = [pd.DataFrame({"line": "data", "x": x, "value": y})]
    parts += [
        drawn.melt(["beta", "x"], var_name="line"),
        fits.melt(ignore_index=False, var_name="line").reset_index(names="beta"),
    ]
    rows = pd.concat(parts, ignore_index=True).reindex(columns=ILLUSTRATION.names)
    metadata = {"seed": settings.seed, "settings": settings.illustration, "provenance": parquet.provenance("torch")}
    parquet.write(output, rows.astype({"x": float, "value": float}), ILLUSTRATION, metadata, made)
    print(f"{len(betas)} betas: {output}")
