"""What each process of a team does in the tests. A process that is started anew finds this module by its name: no test file has one."""

import torch
from made_pictures import CLASSES, CPU, PROTOCOL, replaced, stepped, train

from learner_collusion.errors import UserError
from learner_collusion.models.ensemble import ensemble
from learner_collusion.models.registry import MODELS
from learner_collusion.training import distributed, loop
from learner_collusion.training.distributed import Place

NAMES = [name for name in MODELS if name.startswith("imagenet_")]
SLOW = replaced(PROTOCOL, learning_rate=1e-4)  # at a rate of 1e-3 rounding grows to a percent within eight steps
# Of two pictures one of three processes has none.
CASES = [*((name, 7) for name in NAMES), ("imagenet_squeezenet1_1", 2)]


def small(name: str):
    """Without dropout, whose masks are others on each process."""
    torch.manual_seed(0)
    net = ensemble(name, 2, CLASSES, 0.0625)
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return net


def work_at(place: Place, folder: str) -> None:
    """Steps and a whole training, and what came out of them."""
    torch.set_num_threads(1)
    with distributed.joined(place, CPU) as team:
        steps = {case: stepped(small(case[0]), team, case[1]) for case in CASES}
        trained = train(SLOW, team=team)
    torch.save({"steps": steps, "values": torch.from_numpy(trained.values)}, f"{folder}/{place.rank}")


def stop_at(place: Place, argument: tuple) -> None:
    """Train with a checkpoint after each step, and break off after some of them."""
    torch.set_num_threads(1)
    after, options = argument
    original, steps = loop.Progress.add, []

    def add(self, *arguments):
        if len(steps) == after:
            raise RuntimeError("stopped by the test")
        steps.append(1)
        original(self, *arguments)

    loop.Progress.add = add
    with distributed.joined(place, CPU) as team:
        train(**options, team=team)


def fail_at(place: Place, argument: str) -> None:
    if place.rank == 1:
        raise UserError(argument)
    with distributed.joined(place, CPU):
        pass
