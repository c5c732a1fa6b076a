"""What each family of experiments takes from the configuration: a module each, named like its part in `plan.parts`.

Such a module has, with `within` for some of its experiments (none named: all of them):

- `STAGES`: by stage, `function(config, part)` that gives the stage's settings; `fetch(config, name)` and `prepare(config, name)`
  for a data set, of which `datasets(config)` has those that are declared;
- `titles(config, within)`: of data sets and models; `made(config, within)`: what its records must have been made with, as
  `plan.fidelity` reads it; `claims(config)`: what else its judge takes; `of_the_paper(config, paper)`: what the paper's words
  are about;
- `compared(config, paper, within)`: (label, name, our value, the paper's) of all that makes it smaller than the paper's, where
  `plan.parts` names no `settings` for this;
- `made_by_all(config, experiment)`: whether `all` makes the results of an experiment, where `parts` names the family;
- `check(config)`: UserError for what the schema cannot express.
"""

from ...errors import UserError
from . import imagenet, images, tabular

FAMILIES = {"tabular": tabular, "images": images, "imagenet": imagenet}


def of_dataset(config: dict, name: str):
    """The family that declares a data set. UserError where none does."""
    for family in FAMILIES.values():
        if name in family.datasets(config):
            return family
    known = [name for family in FAMILIES.values() for name in family.datasets(config)]
    raise UserError(f"The data set {name!r} is not declared in the configuration: choose from {', '.join(known)}.")


def check(config: dict) -> None:
    """UserError, one sentence, for what the schema cannot express of data sets and experiments."""
    for family in FAMILIES.values():
        family.check(config)
    places: dict[str, str] = {}
    for family in FAMILIES.values():
        for name in family.datasets(config):
            if name in places:
                raise UserError(
                    f"The configuration has {name!r} under {places[name]} and under {family.PLACE}: rename one of them."
                )
            places[name] = family.PLACE


def makes(config: dict, part: str, experiment: str | None) -> bool:
    """Whether `all` makes what a part of the paper, or one of its experiments, shows."""
    family = FAMILIES.get(part)
    return part in config["parts"] and (family is None or family.made_by_all(config, experiment))


def sources(config: dict, figure) -> list[tuple[str, str | None]]:
    """(part, experiment) of what a figure of the registry reads: its own, and what stands `beside` it where `all` makes that.
    Where `all` makes what stands beside it alone, the figure has nothing else."""
    own, beside = (figure.part, figure.experiment), figure.beside
    if beside is None or not makes(config, *beside):
        return [own]
    return [own, beside] if makes(config, *own) else [beside]
