"""What is measured of an image ensemble: ERR, ERR-bar, DIV and accuracies, as sums over examples."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from ..decomposition import decompose
from ..models.ensemble import Ensemble
from .device import autocast
from .distributed import ALONE, Team
from .protocol import Hardware

# "train" is the running mean of the batches, augmented and in training mode; "train_evaluated" the plain training images in
# evaluation mode, where the protocol asks for it.
SPLITS = ("train", "validation", "test", "train_evaluated")
METRICS = ("err", "err_bar", "div", "accuracy")  # of the ensemble; then the accuracy of each learner


@torch.no_grad()
def measure(scores: Tensor, targets: Tensor, averaging: str, top: int = 0) -> Tensor:
    """Sums over a batch of scores (batch, learners, classes), in the order of METRICS: (4 + learners,) float64.

    With `top` one more: how often the label is among so many classes of the ensemble's highest outputs.
    """
    if not len(targets):  # a team's batch may have nothing for one of its processes
        return torch.zeros(len(METRICS) + scores.shape[1] + bool(top), dtype=torch.float64, device=scores.device)
    parts = decompose(scores, targets, "cross_entropy", averaging, reduction="none", check=False)
    averaged = scores.mean(1) if averaging == "score" else scores.softmax(2).mean(1)
    hits = (averaged.argmax(1) == targets).double().sum(0, keepdim=True)
    learner_hits = (scores.argmax(2) == targets[:, None]).double().sum(0)
    found = [torch.stack([part.double().sum() for part in parts]), hits, learner_hits]
    if top:
        best = averaged.topk(min(top, averaged.shape[1])).indices
        found.append((best == targets[:, None]).double().sum().view(1))
    return torch.cat(found)


@torch.no_grad()
def evaluate(
    model: Ensemble,
    forward,
    batches: Iterable[tuple[Tensor, Tensor]],
    averaging: str,
    hardware: Hardware,
    top: int = 0,
    team: Team = ALONE,
) -> np.ndarray | None:
    """Means over all examples of `batches`, those of the whole team, in evaluation mode, as `measure` orders them; None where
    there are no examples.

    `forward` computes the scores of `model`, compiled or not. The model is left in training mode.
    """
    model.eval()
    width = len(METRICS) + len(model.learners) + bool(top)
    totals = torch.zeros(width, dtype=torch.float64, device=next(model.parameters()).device)
    count = 0
    for images, targets in batches:
        with autocast(hardware, targets.device):
            scores = forward(images).float()
        totals += measure(scores, targets, averaging, top)
        count += len(targets)
    model.train()
    totals, count = team.totals(totals, count)
    return (totals / count).cpu().numpy() if count else None
