"""A cell on several processes: the numbers of one process, resumed by another number of them."""

import dataclasses
import subprocess

import numpy as np
import pytest
import torch
from made_pictures import CLASSES, CPU, HARDWARE, replaced, stepped, train
from team_work import CASES, NAMES, SLOW, fail_at, small, stop_at, work_at

from learner_collusion.errors import UserError
from learner_collusion.training import distributed
from learner_collusion.training.distributed import ALONE, Place


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> list[dict]:
    """What each of three processes found."""
    folder = tmp_path_factory.mktemp("team")
    distributed.spawn(work_at, str(folder), 3)
    return [torch.load(folder / str(rank)) for rank in range(3)]


def alike(values: np.ndarray, expected: np.ndarray) -> None:
    """Histories within rounding; a hit more or less is none."""
    assert values.shape == expected.shape
    np.testing.assert_allclose(values[..., :3], expected[..., :3], rtol=5e-3, atol=1e-4)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_step_is_that_of_one_process_with_the_whole_batch(found, case):
    """Parameters, running statistics and what is measured, after two steps, on each process; the loss is float32."""
    alone = stepped(small(case[0]), ALONE, case[1])
    for process in found:
        for one, other in zip(alone, process["steps"][case], strict=True):
            torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-6)


def test_a_cell_trains_as_on_one_process(found):
    alone = train(SLOW)
    for process in found:
        alike(process["values"].numpy(), alone.values)


def test_a_process_without_pictures_takes_part_with_every_architecture():
    for name in NAMES:
        net = small(name).eval()  # statistics of a batch are those of the team
        scores = net(torch.empty(0, 3, 32, 32))
        scores.sum().backward()
        assert scores.shape == (0, 2, CLASSES) and all((p.grad == 0).all() for p in net.parameters()), name


def test_one_process_goes_on_where_two_were_interrupted(tmp_path):
    """Within an epoch, between two evaluations: what is not recorded yet counts once."""
    protocol, checkpoint = replaced(SLOW, evaluate_every=3), tmp_path / "c"
    options = {
        "protocol": protocol,
        "checkpoint": checkpoint,
        "hardware": replaced(HARDWARE, checkpoint_minutes=0),
    }
    with pytest.raises(Exception, match="stopped by the test"):
        distributed.spawn(stop_at, (5, options), 2)
    assert torch.load(checkpoint, weights_only=True)["progress"]["steps"] == 5
    alike(train(**options).values, train(protocol).values)


def test_what_a_process_has_to_tell_the_user_is_one_sentence():
    with pytest.raises(UserError, match=r"^The index is damaged\.$"):
        distributed.spawn(fail_at, "The index is damaged.", 2)


def test_processes_that_go_on_from_different_places_are_refused(tmp_path):
    """As where only some of them see the checkpoint."""
    alone = distributed.ALONE
    elsewhere = dataclasses.replace(alone, world=2, totals=lambda sums, count: (sums, 2 * count + 5))
    with pytest.raises(UserError, match="do not go on from one place: let all of them see the same"):
        train(SLOW, checkpoint=tmp_path / "c", team=elsewhere)


def test_a_process_without_pictures_sends_float32(monkeypatch):
    """PyTorch's batch normalisation sends the statistics of no picture in the type of the pictures, those of others in float32."""
    seen = []
    monkeypatch.setattr(torch.nn.SyncBatchNorm, "forward", lambda self, x: seen.append(x.dtype) or x)
    norm = distributed.NormOnGpu(3)
    for rows in (0, 4):
        assert norm(torch.zeros(rows, 3, 2, 2, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert seen == [torch.float32, torch.bfloat16]
    net = distributed.synchronised(small("imagenet_resnet18"), torch.device("meta"))
    assert {type(m) for m in net.modules() if "Norm" in type(m).__name__} == {distributed.NormOnGpu}


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
