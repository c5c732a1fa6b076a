"""Losses and diagnostics of deep ensembles, and the stages that regenerate *Joint Training of Deep Ensembles Fails Due
to Learner Collusion* (Jeffares et al., NeurIPS 2023).

>>> from learner_collusion import AugmentedLoss, decompose, diagnose
"""

import importlib

_CORE = {
    "decompose": "decomposition",
    "Decomposition": "decomposition",
    "AugmentedLoss": "objective",
    "split_learners": "objective",
    "EnsembleDiversity": "metric",
    "debias": "diagnostics",
    "bias_share": "diagnostics",
    "codependence": "diagnostics",
    "diagnose": "diagnosis",
    "Diagnosis": "diagnosis",
}
__all__ = sorted(_CORE)


def __getattr__(name: str):
    # Loaded on first use: the stages that need no torch start without it.
    if name in _CORE:
        return getattr(importlib.import_module(f".{_CORE[name]}", __name__), name)
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("learner-collusion")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*__all__, "__version__"]
