"""A step as a CUDA graph gives the numbers of the step itself, and so do learners on streams of their own."""

import contextlib
from functools import partial

import pytest
import torch
from image_cells import PLAIN, replaced

from learner_collusion import AugmentedLoss
from learner_collusion.models.ensemble import at_once, ensemble
from learner_collusion.training import graphs, loop
from learner_collusion.training.batches import Batch
from learner_collusion.training.graphs import replayed
from learner_collusion.training.protocol import Hardware


def test_a_shorter_batch_is_trained_on_as_it_is():
    seen = []
    advance = replayed(lambda batch: seen.append(batch) or torch.ones(1), torch.optim.SGD([torch.zeros(1)], 0.1), 4)
    batch = Batch(torch.zeros(3, 3, 32, 32), torch.zeros(3, dtype=torch.int64), None)
    assert advance(batch) == 1 and seen == [batch]


def test_a_model_that_cannot_be_captured_trains_without_a_graph(monkeypatch, capsys):
    @contextlib.contextmanager
    def refuse(graph):
        yield
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "graph", refuse)
    monkeypatch.setattr(graphs, "aside", lambda step, batch: step(batch))
    seen = []
    advance = replayed(lambda batch: seen.append(batch) or torch.ones(1), torch.optim.SGD([torch.zeros(1)], 0.1), 2)
    batches = [Batch(torch.full((2, 1), n), torch.zeros(2, dtype=torch.int64), None) for n in range(4)]
    for batch in batches:
        assert advance(batch) == 1
    assert [int(one.images[0, 0]) for one in seen] == [0, 1, 1, 2, 3]  # the second was captured, which runs nothing
    assert capsys.readouterr().out.count("trains without one, slower") == 1


def test_on_a_cpu_learners_run_one_after_the_other():
    order = []
    outputs = at_once([lambda n=n: order.append(n) or torch.tensor(n) for n in range(3)], torch.device("cpu"))
    assert order == [0, 1, 2] and [int(output) for output in outputs] == order


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_graph_trains_as_the_step_does(protocol, optimiser):
    """Five batches, the last one shorter, and another learning rate from the fourth on."""
    protocol = replaced(protocol, optimiser=optimiser, augmentation=PLAIN, batch_size=8)
    augmented = AugmentedLoss(0.5, "cross_entropy", "probability", reduction="none")
    batches = [
        Batch(torch.randn(size, 3, 32, 32).cuda(), torch.randint(0, 10, (size,)).cuda(), None)
        for size in (8, 8, 8, 8, 8, 5)
    ]
    found = []
    for graph in (False, True):
        torch.manual_seed(0)
        net = ensemble("resnet18", 3, 10, 0.25).cuda()
        chosen = loop.make_optimiser(net, protocol)
        advance = partial(loop.step, net, chosen, augmented, Hardware("cuda"))
        advance = replayed(advance, chosen, 8) if graph else advance
        sums = []
        for number, batch in enumerate(batches):
            chosen.param_groups[0]["lr"] = 0.01 if number < 3 else 0.001
            sums.append(advance(batch).clone())
        found.append(torch.stack(sums))
    assert torch.equal(*found)
