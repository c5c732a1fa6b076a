"""Several processes that train one cell together, on one machine or several: PyTorch's own data parallelism.

Each process has the whole ensemble and a part of every batch. The objective is a mean over examples, and an example's
ensemble lies on one process with all of its learners, so the mean of the processes' gradients is the gradient of the whole
batch: exact at any beta, within rounding. Two things are not means over examples. Batch normalisation takes its statistics
over the whole batch here, as one process does. Dropout draws other masks for another number of processes.
"""

import contextlib
import inspect
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import UserError
from ..models.ensemble import Ensemble
from . import interrupt

T = TypeVar("T")
_TO_LEAVE = 60  # seconds that the others have when one has ended, before they are killed


@dataclass(frozen=True)
class Team:
    """The processes that train a cell: this one's number among them, from 0, and how they act as one.

    `totals(sums, count)`: both summed over all. `agree(answer)`: the first one's answer. `prepare(model)`: the ensemble
    with which each works; `share(model)`: the same as a function whose gradients are the means over all.
    """

    rank: int
    world: int
    totals: Callable[[Tensor, int], tuple[Tensor, int]]
    agree: Callable[[bool], bool]
    prepare: Callable[[Ensemble], Ensemble]
    share: Callable[[Ensemble], nn.Module]


def _itself(one):
    return one


def _both(sums: Tensor, count: int) -> tuple[Tensor, int]:
    return sums, count


ALONE = Team(0, 1, _both, _itself, _itself, _itself)


class Place(NamedTuple):
    """Where a process stands: its number among so many, and where they meet, as PyTorch's `init_method`."""

    rank: int
    world: int
    meeting: str


def place(environment: Mapping[str, str]) -> Place | None:
    """What torchrun, or srun with several tasks, told this process; None where it is alone."""
    if int(environment.get("WORLD_SIZE", "1")) > 1:
        return Place(int(environment["RANK"]), int(environment["WORLD_SIZE"]), "env://")
    tasks = int(environment.get("SLURM_STEP_NUM_TASKS", "1"))
    if tasks == 1:
        return None
    listed = ["scontrol", "show", "hostnames", environment["SLURM_STEP_NODELIST"]]
    first = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()[0]
    port = 20000 + (97 * int(environment["SLURM_JOB_ID"]) + int(environment["SLURM_STEP_ID"])) % 10000
    return Place(int(environment["SLURM_PROCID"]), tasks, f"tcp://{first}:{port}")


@contextlib.contextmanager
def joined(here: Place | None, device: torch.device) -> Iterator[Team]:
    """The team of this process, which trains on `device`, while it lasts."""
    if here is None:
        yield ALONE
        return
    backend = "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, here.meeting, timedelta(minutes=30), here.world, here.rank)
    yield Team(here.rank, here.world, _totals, _agree, partial(synchronised, device=device), _shared)
    dist.destroy_process_group()  # after an error NCCL would wait here for the others, which wait for this process


def spawn(work: Callable[[Place, T], None], argument: T, processes: int) -> None:
    """`work(place, argument)` in so many processes of this machine. A UserError in one of them is raised here. SIGTERM is handed on to
    them, and ends this process as it ends them."""
    interrupt.listen()
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "told")
        team = multiprocessing.spawn(_spawned, (work, argument, processes, folder), processes, join=False)
        try:
            handed_on = False
            while not team.join(timeout=1, grace_period=_TO_LEAVE):
                if interrupt.asked() and not handed_on:
                    handed_on = True
                    for pid in team.pids():
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGTERM)
        except (multiprocessing.ProcessRaisedException, multiprocessing.ProcessExitedException):
            if told.exists():
                raise UserError(told.read_text(encoding="utf-8")) from None
            if interrupt.asked():
                sys.exit(interrupt.STATUS)
            raise


def _spawned(rank: int, work: Callable, argument, processes: int, folder: str) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # nobody else takes part, and there may be no network
    try:
        work(Place(rank, processes, f"file://{folder}/meeting"), argument)
        return
    except UserError as error:
        Path(folder, "told").write_text(str(error), encoding="utf-8")
        raise
    except SystemExit as leaving:
        status = leaving.code
    sys.exit(status)  # out here, where what the work held has gone: processes that decode for it end only when told


def _shared(model: Ensemble) -> DistributedDataParallel:
    # running statistics are the same everywhere; PyTorch calls the option anew from 2.14 on
    names = ("forward_sync_buffers", "broadcast_buffers")
    known = inspect.signature(DistributedDataParallel).parameters
    option = next(name for name in names if name in known)
    return DistributedDataParallel(model, gradient_as_bucket_view=True, **{option: False})


def _totals(sums: Tensor, count: int) -> tuple[Tensor, int]:
    both = torch.cat([sums.double(), sums.new_tensor([count], dtype=torch.float64)])
    dist.all_reduce(both)
    return both[:-1], round(both[-1].item())


def _agree(answer: bool) -> bool:
    told = torch.tensor([answer])  # on the CPU: no GPU waits for it
    dist.broadcast(told, 0)
    return bool(told)


def synchronised(model: Ensemble, device: torch.device) -> Ensemble:
    """The same ensemble with batch normalisation over the batches of all processes. Its learners run one after the other:
    the order of what they send each other has to be the same everywhere."""
    learners = [nn.SyncBatchNorm.convert_sync_batchnorm(learner) for learner in model.learners]
    for module in nn.ModuleList(learners).modules():
        if isinstance(module, nn.SyncBatchNorm):
            module.__class__ = _NormOnCpu if device.type == "cpu" else NormOnGpu
    return Ensemble(learners, model.classes, streams=False)


class NormOnGpu(nn.SyncBatchNorm):
    """PyTorch's, but for a process without pictures: that would send the statistics of none in bf16, where the others send float32."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if len(x) else super().forward(x.float()).to(x.dtype)


class _NormOnCpu(nn.modules.batchnorm._BatchNorm):
    """What PyTorch has for GPUs alone."""

    def _check_input_dim(self, x: Tensor) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        dims, shape = [0, *range(2, x.ndim)], [1, -1, *[1] * (x.ndim - 2)]
        h = x.to(torch.promote_types(x.dtype, torch.float32))
        count = _Sum.apply(h.new_tensor([x.numel() / x.shape[1]]))
        mean = _Sum.apply(h.sum(dims)) / count
        h = h - mean.view(shape)
        var = _Sum.apply(h.square().sum(dims)) / count
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * count / (count - 1), self.momentum)
        scale = (var + self.eps).rsqrt() * self.weight
        return (h * scale.view(shape) + self.bias.view(shape)).to(x.dtype)


class _Sum(torch.autograd.Function):
    """The sum over all processes, as is its gradient."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total
