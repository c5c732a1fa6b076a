"""The optimisers of the image cells: PyTorch's own to the bit, and without its compiler."""

import subprocess
import sys

import pytest
import torch
from image_cells import replaced
from torch import nn

from learner_collusion.training.optimiser import make_optimiser


def network():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def trained(net, optimiser, steps=3):
    for step in range(steps):
        optimiser.zero_grad()
        net(torch.full((4, 3), 1.0 + step)).square().sum().backward()
        optimiser.step()
    return [parameter.detach().clone() for parameter in net.parameters()]


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_steps_and_states_are_those_of_pytorch(protocol, name):
    protocol = replaced(protocol, optimiser=name, learning_rate=0.01, weight_decay=0.1, momentum=0.9)
    own, theirs, resumed = network(), network(), network()
    if name == "sgd":
        known = torch.optim.SGD(theirs.parameters(), 0.01, momentum=0.9, weight_decay=0.1, fused=True)
    else:
        known = torch.optim.Adam(theirs.parameters(), 0.01, weight_decay=0.1, fused=True)
    optimiser = make_optimiser(own, protocol)
    start = trained(network(), torch.optim.SGD(network().parameters(), 0.0))
    first = trained(own, optimiser)
    assert all(map(torch.equal, first, trained(theirs, known))) and not any(map(torch.equal, first, start))
    again = make_optimiser(resumed, protocol)
    again.load_state_dict(optimiser.state_dict())
    resumed.load_state_dict(own.state_dict())
    assert all(map(torch.equal, trained(resumed, again), trained(theirs, known)))


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_the_compiler_is_not_imported(name):
    """Importing it takes as long as importing PyTorch."""
    code = (
        "import sys, torch; from types import SimpleNamespace as Some;"
        "from learner_collusion.training.optimiser import make_optimiser;"
        "net = torch.nn.Linear(3, 2);"
        f"rates = Some(optimiser='{name}', learning_rate=0.1, weight_decay=0.1, momentum=0.9);"
        "optimiser = make_optimiser(net, rates); optimiser.zero_grad(); net(torch.ones(1, 3)).sum().backward();"
        "optimiser.step(); optimiser.load_state_dict(optimiser.state_dict());"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
