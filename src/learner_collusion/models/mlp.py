"""Multilayer perceptrons of the tabular experiments: their shapes and initial weights, in NumPy alone."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Network:
    """An ensemble of `learners` MLPs with ReLU: `features` inputs, `layers` hidden layers of `hidden_units`, one output."""

    features: int
    learners: int
    hidden_units: int
    layers: int

    def shapes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each linear layer; the parameters of a learner are these weights and biases in turn."""
        widths = [self.features] + [self.hidden_units] * self.layers + [1]
        return list(zip(widths[:-1], widths[1:], strict=True))

    @property
    def parameters(self) -> int:
        """Number of parameters of one learner."""
        return sum((inputs + 1) * outputs for inputs, outputs in self.shapes())


def initial_parameters(network: Network, generator: np.random.Generator) -> np.ndarray:
    """(learners, parameters) float32, as PyTorch's nn.Linear draws them: uniform within 1/sqrt(inputs)."""
    parts = []
    for inputs, outputs in network.shapes():
        bound = 1 / np.sqrt(inputs)
        parts.append(generator.uniform(-bound, bound, (network.learners, (inputs + 1) * outputs)))
    return np.concatenate(parts, axis=1).astype(np.float32)
