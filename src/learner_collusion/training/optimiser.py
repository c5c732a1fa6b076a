"""The optimisers of the image cells, PyTorch's own without its compiler, and the schedule of their learning rate."""

import functools
import inspect
import math
from collections.abc import Sequence

import torch
from torch import nn

from .picture_protocol import PictureProtocol
from .protocol import Protocol

# What PyTorch wraps so that its compiler leaves it alone. Each wrapper imports the compiler when it is first called, which
# takes as long as importing PyTorch; the steps of a cell are never compiled, with or without `hardware.compile`.
_WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def make_optimiser(model: nn.Module, protocol: Protocol | PictureProtocol) -> torch.optim.Optimizer:
    """The protocol's optimiser of all parameters. Fused, so that a step is a few calls for all of them."""
    rate, decay = protocol.learning_rate, protocol.weight_decay
    if protocol.optimiser == "sgd":
        momentum = protocol.momentum
        return _plain(torch.optim.SGD)(model.parameters(), rate, momentum=momentum, weight_decay=decay, fused=True)
    graphs = next(model.parameters()).is_cuda  # keep Adam's count on the device, where a graph can hold it
    return _plain(torch.optim.Adam)(model.parameters(), rate, weight_decay=decay, fused=True, capturable=graphs)


@functools.cache
def _plain(kind: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """The optimiser `kind` with the functions inside the wrappers; a version of PyTorch without wrappers has the same."""
    functions = {name: inspect.unwrap(getattr(kind, name)) for name in _WRAPPED}
    functions["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), functions)


def rate(protocol: Protocol | PictureProtocol, epoch: int, errors: Sequence[float] = ()) -> float:
    """The learning rate of an epoch (from 1), after evaluations with these validation ERRs: times `decay` after each of the
    milestones (Appendix B), and after each `rate_patience` evaluations in a row without a new lowest ERR."""
    passed = sum(epoch > milestone for milestone in protocol.milestones)
    lowest, waited = math.inf, 0
    for error in errors if protocol.rate_patience is not None else ():
        waited = waited + 1 if error >= lowest else 0
        lowest = min(lowest, error)
        if waited == protocol.rate_patience:
            passed, waited = passed + 1, 0
    return protocol.learning_rate * protocol.decay**passed
