"""The PyTorch engine: all learners of all betas as one batched program, on the CPU or a GPU.

Ensembles are stacked along the first axis, one batched matrix product a layer; there is no loop over learners or betas.
A beta that has stopped leaves the stack.
"""

import copy

import numpy as np
import torch
from torch import Tensor

from .mlp import HISTORY_COLUMNS, Network, Settings, Split, Trained


class _Stack:
    """Parameters of the betas that still train, (cells * learners, parameters), with Adam's moments beside them."""

    def __init__(self, network: Network, initial: Tensor, betas: Tensor, weights: Tensor):
        self.network, self.betas, self.weights = network, betas, weights
        self.parameters = initial.repeat(len(betas), 1)
        self.mean, self.square = torch.zeros_like(self.parameters), torch.zeros_like(self.parameters)

    def layers(self, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Views of the weights (stack, inputs, outputs) and biases (stack, 1, outputs) of each layer."""
        views, start = [], 0
        for inputs, outputs in self.network.shapes():
            middle, end = start + inputs * outputs, start + (inputs + 1) * outputs
            views.append((flat[:, start:middle].unflatten(1, (inputs, outputs)), flat[:, None, middle:end]))
            start = end
        return views

    def forward(self, x: Tensor) -> list[Tensor]:
        """Activations of each layer, (stack, rows, units), the last one the predictions."""
        activations = [x.expand(len(self.parameters), *x.shape)]
        layers = self.layers(self.parameters)
        for i, (weight, bias) in enumerate(layers):
            value = torch.baddbmm(bias, activations[-1], weight)
            activations.append(value.relu_() if i < len(layers) - 1 else value)
        return activations

    def parts(self, output: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Predictions (cells, learners, rows), their mean, and ERR, ERR-bar and DIV (cells,)."""
        f = output.squeeze(2).unflatten(0, (len(self.betas), self.network.learners))
        mean = (f * self.weights[:, None]).sum(1)
        err = (mean - y).square().mean(1)
        err_bar = ((f - y).square().mean(2) * self.weights).sum(1)
        div = ((f - mean[:, None]).square().mean(2) * self.weights).sum(1)
        return f, mean, err, err_bar, div

    def gradient(self, activations: list[Tensor], y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Derivatives of Eq. 2 by all parameters, written out by hand; and the batch's ERR and ERR-bar."""
        f, mean, err, err_bar, _ = self.parts(activations[-1], y)
        beta = self.betas[:, None, None]
        delta = (1 - beta) * (f - y) + beta * (mean - y)[:, None]
        delta = (delta * self.weights[:, None] * (2 / len(y))).flatten(0, 1).unsqueeze(2)
        gradient = torch.empty_like(self.parameters)
        slots, layers = self.layers(gradient), self.layers(self.parameters)
        for i in range(len(layers) - 1, -1, -1):
            slots[i][0].copy_(torch.bmm(activations[i].transpose(1, 2), delta))
            slots[i][1].copy_(delta.sum(1, keepdim=True))
            if i > 0:
                delta = torch.bmm(delta, layers[i][0].transpose(1, 2)).mul_(activations[i] > 0)
        return gradient, err, err_bar

    def adam(self, gradient: Tensor, settings: Settings, step: int) -> None:
        if settings.weight_decay:
            gradient = gradient.add_(self.parameters, alpha=settings.weight_decay)
        self.mean.lerp_(gradient, 0.1)
        self.square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        spread = self.square.sqrt().mul_((1 - 0.999**step) ** -0.5).add_(1e-8)
        self.parameters.addcdiv_(self.mean, spread, value=-settings.learning_rate / (1 - 0.9**step))

    def keep(self, cells: list[int]) -> "_Stack":
        """The same with these cells alone."""
        kept = copy.copy(self)
        index = torch.tensor(cells, device=self.betas.device)
        kept.betas = self.betas[index]
        for name in ("parameters", "mean", "square"):
            stacked = getattr(self, name).unflatten(0, (len(self.betas), self.network.learners))
            setattr(kept, name, stacked[index].flatten(0, 1).contiguous())
        return kept

    def cell(self, position: int) -> np.ndarray:
        stacked = self.parameters.unflatten(0, (len(self.betas), self.network.learners))
        return stacked[position].cpu().numpy().copy()


def train(
    network: Network,
    split: Split,
    settings: Settings,
    betas: list[float],
    initial: np.ndarray,
    orders: np.ndarray,
    weights: np.ndarray,
    device: str = "cpu",
) -> list[Trained]:
    """See `sweep.train_sweep`, which checks the arguments."""

    def put(array: np.ndarray, dtype=torch.float32) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), dtype=dtype, device=device)

    x, y, validation_x, validation_y = map(put, (split.x, split.y, split.validation_x, split.validation_y))
    stack = _Stack(network, put(initial), put(np.asarray(betas)), put(weights))
    done = [Trained(beta, initial.copy(), initial, np.empty((0, len(HISTORY_COLUMNS))), 0, 0) for beta in betas]
    lowest, rows, step = [float("inf")] * len(betas), [[] for _ in betas], 0
    active = list(range(len(betas)))
    for epoch in range(1, settings.max_epochs + 1):
        order = put(orders[epoch - 1], torch.int64)
        totals = torch.zeros(2, len(active), dtype=torch.float64, device=device)
        for batch in order.split(settings.batch_size):
            step += 1
            gradient, err, err_bar = stack.gradient(stack.forward(x[batch]), y[batch])
            totals += torch.stack([err, err_bar]).double() * len(batch)
            stack.adam(gradient, settings, step)
        validation = torch.stack(stack.parts(stack.forward(validation_x)[-1], validation_y)[2:])
        records = (
            torch.cat([totals / len(order), validation.double()]).T.cpu().numpy()
        )  # the epoch's one synchronisation
        staying = []
        for position, (cell, record) in enumerate(zip(active, records, strict=True)):
            rows[cell].append(record)
            if not np.isfinite(record[[1, 3]]).all():
                done[cell].diverged = epoch
            elif record[2] < lowest[cell]:
                lowest[cell], done[cell].best_epoch, done[cell].best = record[2], epoch, stack.cell(position)
            if not done[cell].diverged and epoch - done[cell].best_epoch < settings.patience:
                staying.append(position)
            else:
                done[cell].last = stack.cell(position)
        if len(staying) < len(active):
            active = [active[position] for position in staying]
            if not active:
                break
            stack = stack.keep(staying)
    for position, cell in enumerate(active):
        done[cell].last = stack.cell(position)
    for cell, trained in enumerate(done):
        trained.history = np.array(rows[cell])
    return done


def predict(network: Network, parameters: np.ndarray, x: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Predictions (rows, learners) float32 of an ensemble with parameters (learners, parameters)."""
    one = torch.ones(1, device=device)
    stack = _Stack(network, torch.as_tensor(parameters, device=device), one, one)
    return stack.forward(torch.as_tensor(x, dtype=torch.float32, device=device))[-1].squeeze(2).T.cpu().numpy()
