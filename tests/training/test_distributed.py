"""A cell on several processes: the numbers of one process, resumed by another number of them."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from made_pictures import CLASSES, CPU, HARDWARE, PROTOCOL, replaced, stepped, train, train_at

from learner_collusion.errors import UserError
from learner_collusion.models.ensemble import ensemble
from learner_collusion.models.registry import MODELS
from learner_collusion.training import distributed
from learner_collusion.training.distributed import ALONE, Place

NAMES = [name for name in MODELS if name.startswith("imagenet_")]
ROWS = (8, 7, 2)  # the last: with three processes one has nothing


def small(name: str):
    """Without dropout, whose masks are others on each process."""
    torch.manual_seed(0)
    net = ensemble(name, 2, CLASSES, 0.0625)
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return net


def step_at(place: Place, argument: tuple) -> None:
    """Two steps of all architectures, for each number of pictures."""
    torch.set_num_threads(1)
    folder, names, rows = argument
    with distributed.joined(place, CPU) as team:
        found = {(name, count): stepped(small(name), team, count) for name in names for count in rows}
    torch.save(found, f"{folder}/{place.rank}")


@pytest.mark.parametrize("processes", [2, 3])
def test_a_step_is_that_of_one_process_with_the_whole_batch(tmp_path, processes):
    """In float64: parameters, running statistics and what is measured, after two steps, on each process."""
    names = NAMES if processes == 2 else ["imagenet_resnet18", "imagenet_mobilevit_xs"]
    distributed.spawn(step_at, (str(tmp_path), names, ROWS), processes)
    for rank in range(processes):
        found = torch.load(tmp_path / str(rank))
        for (name, rows), states in found.items():
            alone = stepped(small(name), ALONE, rows)
            for one, other in zip(alone, states, strict=True):
                torch.testing.assert_close(other, one, rtol=1e-7, atol=1e-9, msg=f"{name}, {rows} pictures")


def together(path: Path, processes: int = 2, **options) -> tuple[np.ndarray, int]:
    distributed.spawn(train_at, (str(path), options), processes)
    values, best = torch.load(path)
    return values.numpy(), best


def test_a_cell_trains_as_on_one_process(tmp_path):
    alone = train()
    values, best = together(tmp_path / "history")
    np.testing.assert_allclose(values, alone.values, rtol=1e-3)
    assert best == alone.best_evaluation


@pytest.mark.parametrize("first", [1, 2])
def test_another_number_of_processes_resumes(tmp_path, monkeypatch, first):
    """Interrupted within an epoch, between two evaluations: sums that are not recorded yet are kept, each once."""
    protocol = replaced(PROTOCOL, evaluate_every=3)
    often, checkpoint = replaced(HARDWARE, checkpoint_minutes=0), tmp_path / "c"
    whole = train(protocol)
    options = {"protocol": protocol, "checkpoint": checkpoint, "hardware": often}
    if first == 1:
        from learner_collusion.training import checkpoint as checkpoints

        original = checkpoints.save

        def save(*arguments):
            original(*arguments)
            if arguments[1]["progress"].steps == 5:
                raise KeyboardInterrupt

        monkeypatch.setattr(checkpoints, "save", save)
        with pytest.raises(KeyboardInterrupt):
            train(**options)
        values, _ = together(tmp_path / "history", **options)
    else:
        with pytest.raises(Exception, match="stopped by the test"):
            distributed.spawn(stop_at, (5, options), 2)
        values = train(**options).values
    assert torch.load(checkpoint, weights_only=True)["progress"]["steps"] == 8
    np.testing.assert_allclose(values, whole.values, rtol=1e-3)


def stop_at(place: Place, argument: tuple) -> None:
    """Train, and stop after the checkpoint of a step."""
    from learner_collusion.training import loop

    step, options = argument
    original, steps = loop.Progress.add, []

    def add(self, *arguments):
        if len(steps) == step:
            raise RuntimeError("stopped by the test")
        steps.append(1)
        original(self, *arguments)

    loop.Progress.add = add
    train_at(place, ("", options))


def fail_at(place: Place, argument: str) -> None:
    if place.rank == 1:
        raise UserError(argument)
    with distributed.joined(place, CPU):
        pass


def test_what_a_process_has_to_tell_the_user_is_one_sentence():
    with pytest.raises(UserError, match=r"^The index is damaged\.$"):
        distributed.spawn(fail_at, "The index is damaged.", 2)


def test_alone_without_a_launcher():
    assert distributed.place({}) is None and distributed.place({"WORLD_SIZE": "1", "RANK": "0"}) is None
    batch_script = {"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "7"}
    assert distributed.place(batch_script) is None  # its step has one task
    with distributed.joined(None, CPU) as team:
        assert team is ALONE


def test_torchrun_and_srun_tell_a_process_its_place(monkeypatch):
    torchrun = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "1"}
    assert distributed.place(torchrun) == Place(3, 4, "env://")
    srun = {"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5", "SLURM_STEP_NODELIST": "node[3-4]",
            "SLURM_JOB_ID": "123456", "SLURM_STEP_ID": "2"}  # fmt: skip
    answer = subprocess.CompletedProcess([], 0, "node3\nnode4\n")
    monkeypatch.setattr(distributed.subprocess, "run", lambda *arguments, **options: answer)
    rank, world, meeting = distributed.place(srun)
    assert (rank, world) == (5, 8) and meeting.startswith("tcp://node3:")
    assert distributed.place(srun | {"SLURM_PROCID": "0"}).meeting == meeting
