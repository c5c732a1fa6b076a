"""On a GPU, a training step as a CUDA graph: one launch in place of thousands of small ones, and the same numbers."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.func import functional_call

from ..models.ensemble import Ensemble, at_once
from .batches import Batch
from .device import aside


def replayed(step: Callable[[Batch], Tensor], optimiser: torch.optim.Optimizer, size: int) -> Callable[[Batch], Tensor]:
    """`step` for batches of `size` examples as a graph, and as it is for a shorter one, the last of an epoch.

    A graph holds the learning rate as a number, so it is captured anew when the schedule changes that. The batch before each
    capture is trained on without one, since a first call sets up what a capture may not. What is returned is overwritten by the
    next call. A model that waits for the device inside a step cannot be captured: it trains without a graph, and that is told.
    """
    graph: torch.cuda.CUDAGraph | None = None
    slots, sums, rates, refused = None, None, None, False

    def advance(batch: Batch) -> Tensor:
        nonlocal graph, slots, sums, rates, refused
        if refused or len(batch.targets) < size:
            return step(batch)
        now = [group["lr"] for group in optimiser.param_groups]
        if now != rates:
            graph, rates = None, now
            return aside(step, batch)
        if graph is None:
            slots = Batch(*(None if part is None else part.clone() for part in batch))
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(graph):
                    sums = step(slots)
            except RuntimeError as error:
                reason = str(error).splitlines()[0]
                print(f"A step of this model is no CUDA graph ({reason}): it trains without one, slower.", flush=True)
                refused = True
                return step(batch)
        for slot, part in zip(slots, batch, strict=True):
            if slot is not None:
                slot.copy_(part)
        graph.replay()
        return sums

    return advance


def compiled(model: Ensemble, size: int) -> Callable[[Tensor], Tensor]:
    """The scores of `model` for training batches of `size` from compiled learners; other batches, and evaluation, are not.

    Learners of one architecture are compiled once, as one function of their parameters and buffers: a program of all of them
    would take PyTorch minutes.
    """
    if len({repr(learner) for learner in model.learners}) > 1:
        return torch.compile(model)
    first = model.learners[0]
    one = torch.compile(lambda states, x: functional_call(first, states, (x,)), dynamic=False)

    def forward(x: Tensor) -> Tensor:
        if not model.training or len(x) != size:
            return model(x)
        states = ({**dict(each.named_parameters()), **dict(each.named_buffers())} for each in model.learners)
        return torch.stack(at_once([partial(one, state, x) for state in states], x.device), 1)

    return forward
