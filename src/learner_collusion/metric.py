"""ERR, ERR-bar, DIV and the share of constant bias over many batches and processes, as if they were one batch."""

from typing import NamedTuple

import torch
from torch import Tensor

from .decomposition import parts_of, votes
from .inputs import Array, Inputs, Loss, as_tensor, check_names, prepare


class Diversity(NamedTuple):
    """Means over all examples (`err`, `err_bar`, `div`), and the share of the spread that constant biases explain."""

    err: Tensor
    err_bar: Tensor
    div: Tensor
    bias_share: Tensor


class EnsembleDiversity:
    """A metric that accumulates: `update` with each batch, then `compute`; `reset` before the next epoch.

    The result is that of one batch with all examples. (A mean of the batches' own results is not: biases that differ from
    batch to batch by chance would count as constant.) `bias_share` is that of `learner_collusion.bias_share` for what the
    ensemble averages: probabilities, centred scores, votes, or the predictions themselves.

    Where `torch.distributed` is initialised, `compute` must be called by all processes, and gives each of them the result of
    all; `sync_on_compute=False` keeps them apart. `merge` adds what another metric has seen. `state_dict` and
    `load_state_dict` save and restore.

    **Shape**: arguments as in `learner_collusion.decompose`; `weights` (learners,). Sums are float64, on the device of the
    predictions.

    Errors: those of `decompose`; ValueError for a batch with other numbers of learners or outputs than before.

    **Example**
    >>> metric = EnsembleDiversity()
    >>> metric.update(torch.tensor([[1.0, 3.0]]), torch.tensor([1.0]))
    >>> metric.update(torch.tensor([[2.0, 2.0]]), torch.tensor([1.0]))
    >>> metric.compute().div.item()
    0.5
    """

    def __init__(
        self,
        loss: Loss = "squared_error",
        averaging: str = "output",
        weights: Array | None = None,
        inputs: str | None = None,
        ignore_index: int | None = None,
        check: bool = True,
        sync_on_compute: bool = True,
    ):
        check_names(loss, averaging, inputs, ignore_index)
        self.loss, self.averaging, self.inputs, self.ignore_index = loss, averaging, inputs, ignore_index
        self.weights = None if weights is None else as_tensor(weights, "weights")
        if self.weights is not None and self.weights.ndim != 1:
            raise ValueError(f"weights must be (learners,), but have shape {tuple(self.weights.shape)}.")
        self.check, self.sync_on_compute = check, sync_on_compute
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        # count; sums over examples of ERR, ERR-bar, DIV and spread; of f_j - f (learners, outputs); the weights
        self._state: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self, predictions: Array, targets: Array) -> None:
        """Add a batch."""
        given = prepare(
            predictions,
            targets,
            self.loss,
            self.averaging,
            self.weights,
            self.inputs,
            self.ignore_index,
            self.check,
        )
        parts = parts_of(given, self.loss, self.averaging)
        averaged, weights = self._averaged(given).double(), given.weights.double()
        deviation = averaged - torch.einsum("bmk,m->bk", averaged, weights).unsqueeze(1)
        spread = (deviation.square().sum(2) * weights).sum(1)
        values = torch.stack([torch.ones_like(spread), *(part.double() for part in parts), spread])
        if given.counted is not None:
            values, deviation = values[:, given.counted], deviation[given.counted]
        self._add({"sums": values.sum(1), "deviations": deviation.sum(0), "weights": weights})

    def compute(self) -> Diversity:
        """The result of all batches since the last `reset`, float64 scalars."""
        total = self
        if self.sync_on_compute and torch.distributed.is_available() and torch.distributed.is_initialized():
            total = self._of_all_processes()
        if not total._state:
            raise ValueError("EnsembleDiversity has seen no batch: call update(predictions, targets) first.")
        count, *sums, spread = total._state["sums"]
        biases = total._state["deviations"] / count
        explained = (biases.square().sum(1) * total._state["weights"]).sum()
        share = torch.where(spread > 0, explained / (spread / count), 0.0)
        return Diversity(*(value / count for value in sums), share)

    def merge(self, other: "EnsembleDiversity") -> None:
        """Add all that another metric of the same settings has seen."""
        if self._settings() != other._settings():
            raise ValueError(
                f"metrics of different settings cannot be merged: {self._settings()}, {other._settings()}."
            )
        if other._state:
            self._add(other._state)

    def state_dict(self) -> dict[str, Tensor]:
        """What was seen, as tensors; empty before the first batch."""
        return {name: value.clone() for name, value in self._state.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a `state_dict` of the same settings."""
        self._state = {name: value.clone() for name, value in state.items()}

    def _add(self, state: dict[str, Tensor]) -> None:
        if not self._state:
            self._state = {name: value.clone() for name, value in state.items()}
            return
        ours, theirs = (tuple(s["deviations"].shape) for s in (self._state, state))
        if ours != theirs:
            raise ValueError(
                f"a batch has {theirs} (learners, outputs), but those before had {ours}: call reset() first."
            )
        for name in ("sums", "deviations"):
            self._state[name] = self._state[name] + state[name].to(self._state[name].device)

    def _of_all_processes(self) -> "EnsembleDiversity":
        # Objects, not tensors: a process without batches does not know the shape, and has nothing to add.
        states = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(states, {name: value.cpu() for name, value in self._state.items()})
        total = EnsembleDiversity(self.loss, self.averaging, self.weights, self.inputs, self.ignore_index)
        for state in filter(None, states):
            total._add(state)
        return total

    def _averaged(self, given: Inputs) -> Tensor:
        """What the ensemble averages, (batch, learners, outputs)."""
        predictions = given.predictions
        if self.loss == "zero_one" and self.averaging == "output":
            return votes(predictions)
        if self.averaging == "score":
            return predictions - predictions.mean(2, keepdim=True)
        if self.averaging == "probability" or self.loss in ("cross_entropy", "brier"):
            return predictions.softmax(2)
        return predictions

    def _settings(self) -> tuple:
        weights = None if self.weights is None else tuple(self.weights.tolist())
        return self.loss, self.averaging, weights, self.inputs, self.ignore_index
