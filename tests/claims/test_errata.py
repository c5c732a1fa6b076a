"""Errata of the paper that are about training and its limits; the others stand in tests/test_theory.py."""

import pytest
import torch

from learner_collusion.models.ensemble import ensemble
from learner_collusion.objective import AugmentedLoss
from learner_collusion.training.loop import objective


@pytest.mark.parametrize(("momentum", "decay", "moves"), [(0.9, 0.0, True), (0.0, 5e-4, True), (0.0, 0.0, False)])
def test_erratum_g7_a_dropped_learner_still_changes(momentum, decay, moves):
    """Appendix G.7: a step with learner 1 left out, after one with both. In bootstrapping it would not have seen the batch."""
    torch.manual_seed(0)
    model = ensemble("resnet18", 2, 10, 0.0625)
    optimiser = torch.optim.SGD(model.parameters(), 0.1, momentum=momentum, weight_decay=decay)
    loss, targets = AugmentedLoss(1.0, loss="cross_entropy", averaging="probability"), torch.arange(8)
    states = []
    for staying in (None, torch.tensor([0])):
        optimiser.zero_grad()
        objective(loss, model(torch.randn(8, 3, 32, 32)), targets, staying).backward()
        optimiser.step()
        states.append({name: value.clone() for name, value in model.state_dict().items()})
    before, after = states
    parameters = dict(model.named_parameters())
    own = learner_names(model, 1)
    assert own and set(own) <= set(before)
    changed = {name for name in own if not torch.equal(before[name], after[name])}
    assert any("running" in name for name in changed)
    assert any(name in parameters for name in changed) == moves


def learner_names(model, index: int) -> list[str]:
    """The names of the parameters and buffers of one learner."""
    learner = model.learners[index]
    known = {id(value) for value in (*learner.parameters(), *learner.buffers())}
    return [name for name, value in (*model.named_parameters(), *model.named_buffers()) if id(value) in known]


def test_erratum_appendix_f_large_shifts_need_a_bounded_mean():
    """ERR-bar / DIV of learners f + c_j goes to 1 with the size of the c_j where their mean is fixed, and not elsewhere."""
    shifts, common, target = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64), 0.3, -0.2

    def ratio(c):
        learners = common + c
        return float(((learners - target) ** 2).mean() / learners.var(correction=0))

    centred = shifts - shifts.mean()
    assert ratio(1e6 * centred + shifts.mean()) == pytest.approx(1, abs=1e-9)
    assert ratio(1e6 * shifts) == pytest.approx(float((shifts**2).mean() / shifts.var(correction=0)), rel=1e-3)
