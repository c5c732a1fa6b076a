"""What trains a class of the user's, where the configuration names one (`tabular.learner`), in the place of the MLPs.

Reached by name, so that its code is part of no fingerprint of the MLPs; `learner_code` is what a fingerprint needs.
"""

import importlib


def users_learner():
    """The module that makes sweeps of a user's class, trains them and predicts."""
    return importlib.import_module(".torch_learner", __package__)


def loaded(learner: str | None) -> list[str]:
    """The modules that a process loads to train a user's class; none for the MLPs."""
    return [f"{__package__}.torch_learner"] if learner else []


def learner_code(learner: str | None) -> list[str]:
    """What a fingerprint needs to cover how a user's class is trained, and the class itself; nothing for the MLPs."""
    return ["training.torch_learner", f"path:{learner}"] if learner else []
