"""A chain of stages as the workflow calls them, in this process: of one table, and of one image cell."""

import yaml
from conftest import ROOT

from learner_collusion import cli
from learner_collusion.plan import configuration, makers
from learner_collusion.plan.settings import as_yaml, take

CELL = "cnn/digits/cnn/m2-probability/drop0/beta1/run0"
TABLE = {
    "fetch": ("--output", "results/datasets/raw/diabetes/diabetes.csv"),
    "prepare": ("--raw", "results/datasets/raw/diabetes/diabetes.csv", "--output", "results/datasets/diabetes.parquet"),
    "tune": (),
    "train_tabular": (),
    "evaluate": (),
}
STAGES = (*TABLE, "aggregate", "figure", "claims")


def configured(**tabular) -> dict:
    """The preset `ci`, with changes to its tabular half."""
    config = configuration.load_all([ROOT / "config.yaml", ROOT / "workflow/presets/ci.yaml"])
    return configuration.overlay(config, {"tabular": tabular})


class Chain:
    """Calls stages in the current folder with the settings and the plan of a configuration."""

    def __init__(self, config: dict):
        self.config, self.paper = config, yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
        self.planned = makers.planner(config, self.paper)

    def arguments(self, stage: str, name: str) -> list[str]:
        """Settings and plan of a job; writes its settings file."""
        part = makers.part_of(stage, name)
        settings = []
        if part is not None:
            from pathlib import Path

            file = Path(f"results/settings/{stage}{'/' * bool(part)}{part}.yaml")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(as_yaml(take(self.config, self.paper, stage, part)))
            settings = ["--settings", str(file)]
        return [*settings, "--planned", *self.planned(stage, name)]

    def run(self, stage: str, name: str, *options: str) -> int:
        return cli.main([stage, *self.arguments(stage, name), *options])

    def table(self, *stages: str) -> None:
        """The stages of the table `diabetes`, all but the last quietly."""
        for stage in stages or TABLE:
            assert self.of_table(stage) == 0, stage

    def of_table(self, stage: str) -> int:
        if stage == "aggregate":
            records = ["--inputs", "results/records/tabular/diabetes.parquet"]
            rest = [*records, "--output", "results/records/tabular.parquet", "--name", "tabular"]
            return self.run(stage, "tabular", "--family", "tabular", *rest)
        if stage == "figure":
            records = ["--records", "results/records/tabular.parquet"]
            return self.run(stage, "fig2_diversity", "--figure", "fig2_diversity", *records)
        if stage == "claims":
            return self.run(stage, "tabular", "--part", "tabular", "--records", "results/records/tabular.parquet")
        processes = ["--processes", "1"] if stage in ("tune", "train_tabular", "evaluate") else []
        return self.run(stage, "diabetes", "--dataset", "diabetes", *TABLE[stage], *processes)
