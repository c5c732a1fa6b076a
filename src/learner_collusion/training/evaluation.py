"""What is measured of an image ensemble: ERR, ERR-bar, DIV and accuracies, as sums over examples."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from ..decomposition import decompose
from .device import autocast
from .protocol import Hardware

# "train" is the running mean of the batches, augmented and in training mode; "train_evaluated" the plain training images in
# evaluation mode, where the protocol asks for it.
SPLITS = ("train", "validation", "test", "train_evaluated")
METRICS = ("err", "err_bar", "div", "accuracy")  # of the ensemble; then the accuracy of each learner


@torch.no_grad()
def measure(scores: Tensor, targets: Tensor, averaging: str) -> Tensor:
    """Sums over a batch of scores (batch, learners, classes), in the order of METRICS: (4 + learners,) float64."""
    parts = decompose(scores, targets, "cross_entropy", averaging, reduction="none", check=False)
    averaged = scores.mean(1) if averaging == "score" else scores.softmax(2).mean(1)
    hits = (averaged.argmax(1) == targets).double().sum(0, keepdim=True)
    learner_hits = (scores.argmax(2) == targets[:, None]).double().sum(0)
    return torch.cat([torch.stack([part.double().sum() for part in parts]), hits, learner_hits])


@torch.no_grad()
def evaluate(
    model: nn.Module, forward, batches: Iterable[tuple[Tensor, Tensor]], averaging: str, hardware: Hardware
) -> np.ndarray | None:
    """Means over all examples of `batches` in evaluation mode, (4 + learners,) float64; None where there are no examples.

    `forward` computes the scores of `model`, compiled or not. The model is left in training mode.
    """
    model.eval()
    totals, count = None, 0
    for images, targets in batches:
        with autocast(hardware, targets.device):
            scores = forward(images).float()
        sums = measure(scores, targets, averaging)
        totals = sums if totals is None else totals + sums
        count += len(targets)
    model.train()
    return None if totals is None else (totals / count).cpu().numpy()
