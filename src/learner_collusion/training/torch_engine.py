"""The PyTorch engine: all learners of all betas as one batched program, on the CPU or a GPU.

Ensembles are stacked along the first axis, one batched matrix product a layer; there is no loop over learners, betas or
runs. A beta that has stopped leaves the stack.
"""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..models.mlp import Network
from .device import aside
from .sweep import HISTORY_COLUMNS, Sweep, Trained


class _Stack:
    """Parameters of the cells (one beta of one sweep) that still train, (cells * learners, parameters), with Adam's state."""

    def __init__(self, network: Network, initial: Tensor, sweep: Tensor, betas: Tensor, rates: Tensor, weights: Tensor):
        # sweep (cells,): whose rows a cell takes; rates (cells, 2): learning rate and weight decay
        self.network, self.sweep, self.betas, self.rates, self.weights = network, sweep, betas, rates, weights
        self.parameters = initial.clone()
        self.mean, self.square = torch.zeros_like(initial), torch.zeros_like(initial)
        self.step = torch.zeros((), dtype=torch.float64, device=initial.device)

    def layers(self, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Views of the weights (stack, inputs, outputs) and biases (stack, 1, outputs) of each layer."""
        views, start = [], 0
        for inputs, outputs in self.network.shapes():
            middle, end = start + inputs * outputs, start + (inputs + 1) * outputs
            views.append((flat[:, start:middle].unflatten(1, (inputs, outputs)), flat[:, None, middle:end]))
            start = end
        return views

    def forward(self, x: Tensor) -> list[Tensor]:
        """Activations of each layer, (stack, rows, units), the last one the predictions; x is (sweeps, rows, features)."""
        if len(x) == 1:
            inputs = x.expand(len(self.parameters), *x.shape[1:])
        else:
            inputs = x[self.sweep].repeat_interleave(self.network.learners, 0)
        activations = [inputs]
        layers = self.layers(self.parameters)
        for i, (weight, bias) in enumerate(layers):
            value = torch.baddbmm(bias, activations[-1], weight)
            activations.append(value.relu_() if i < len(layers) - 1 else value)
        return activations

    def parts(self, output: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """f - y (cells, learners, rows), mean - y (cells, rows), and ERR, ERR-bar and DIV (cells,); y is (sweeps, rows)."""
        f = output.squeeze(2).unflatten(0, (len(self.betas), self.network.learners))
        mean, y = (f * self.weights[:, None]).sum(1), y[self.sweep]
        each, joint = f - y[:, None], mean - y
        err_bar = (each.square().mean(2) * self.weights).sum(1)
        div = ((f - mean[:, None]).square().mean(2) * self.weights).sum(1)
        return each, joint, joint.square().mean(1), err_bar, div

    def gradient(self, activations: list[Tensor], y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Derivatives of Eq. 2 by all parameters, written out by hand; and the batch's ERR and ERR-bar."""
        each, joint, err, err_bar, _ = self.parts(activations[-1], y)
        beta = self.betas[:, None, None]
        delta = (1 - beta) * each + beta * joint[:, None]
        delta = (delta * self.weights[:, None] * (2 / y.shape[1])).flatten(0, 1).unsqueeze(2)
        gradient = torch.empty_like(self.parameters)
        slots, layers = self.layers(gradient), self.layers(self.parameters)
        for i in range(len(layers) - 1, -1, -1):
            slots[i][0].copy_(torch.bmm(activations[i].transpose(1, 2), delta))
            slots[i][1].copy_(delta.sum(1, keepdim=True))
            if i > 0:
                delta = torch.bmm(delta, layers[i][0].transpose(1, 2)).mul_(activations[i] > 0)
        return gradient, err, err_bar

    def adam(self, gradient: Tensor) -> None:
        """One step of Adam, its count on the device, so that a CUDA graph may hold it."""
        rate, decay = self.rates.repeat_interleave(self.network.learners, 0).split(1, 1)
        self.step += 1
        gradient = gradient.addcmul_(self.parameters, decay)
        self.mean.lerp_(gradient, 0.1)
        self.square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        spread = self.square.sqrt().mul_((1 - 0.999**self.step).rsqrt()).add_(1e-8)
        self.parameters.sub_(self.mean / spread * (rate / (1 - 0.9**self.step)))

    def keep(self, cells: list[int]) -> "_Stack":
        """The same with these cells only."""
        kept = copy.copy(self)
        index = torch.tensor(cells, device=self.betas.device)
        kept.sweep, kept.betas, kept.rates = self.sweep[index], self.betas[index], self.rates[index]
        for name in ("parameters", "mean", "square"):
            stacked = getattr(self, name).unflatten(0, (len(self.betas), self.network.learners))
            setattr(kept, name, stacked[index].flatten(0, 1).contiguous())
        return kept

    def cell(self, position: int) -> np.ndarray:
        stacked = self.parameters.unflatten(0, (len(self.betas), self.network.learners))
        return stacked[position].cpu().numpy().copy()


def train(sweeps: list[Sweep], weights: np.ndarray, device: str = "cpu") -> list[list[Trained]]:
    """Train all betas of all sweeps as one program; their shapes, batch sizes and epochs have to agree.

    See `engines.train_sweeps`, which checks the arguments.
    """

    def put(arrays, dtype=torch.float32) -> Tensor:
        return torch.as_tensor(np.stack(arrays), dtype=dtype, device=device)

    network, settings = sweeps[0].network, sweeps[0].settings
    x, y = put([s.split.x for s in sweeps]), put([s.split.y for s in sweeps])
    validation_x, validation_y = (
        put([s.split.validation_x for s in sweeps]),
        put([s.split.validation_y for s in sweeps]),
    )
    cells = [(i, s, beta) for i, s in enumerate(sweeps) for beta in s.betas]
    stack = _Stack(
        network,
        put([s.initial for _, s, _ in cells]).flatten(0, 1),
        put([i for i, _, _ in cells], torch.int64),
        put([beta for _, _, beta in cells]),
        put([(s.settings.learning_rate, s.settings.weight_decay) for _, s, _ in cells]),
        put(list(weights)),
    )
    empty = np.empty((0, len(HISTORY_COLUMNS)))
    done = [Trained(beta, s.initial.copy(), s.initial, empty, 0, 0) for _, s, beta in cells]
    lowest, rows, active = [float("inf")] * len(cells), [[] for _ in cells], list(range(len(cells)))
    advance, totals = _stepper(stack, x, y, settings.batch_size)
    for epoch in range(1, settings.max_epochs + 1):
        totals.zero_()
        for batch in put([s.permutations[epoch - 1] for s in sweeps], torch.int64).split(settings.batch_size, 1):
            advance(batch)
        validation = torch.stack(stack.parts(stack.forward(validation_x)[-1], validation_y)[2:])
        # the epoch's one synchronisation
        records = torch.cat([totals / y.shape[1], validation.double()]).T.cpu().numpy()
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
            advance, totals = _stepper(stack, x, y, settings.batch_size)
    for position, cell in enumerate(active):
        done[cell].last = stack.cell(position)
    for cell, trained in enumerate(done):
        trained.history = np.array(rows[cell])
    return [[t for t, (i, _, _) in zip(done, cells, strict=True) if i == sweep] for sweep in range(len(sweeps))]


def _stepper(stack: _Stack, x: Tensor, y: Tensor, batch_size: int) -> tuple[Callable[[Tensor], None], Tensor]:
    """A function that trains `stack` on the rows (sweeps, batch) that it is given, and the sums of ERR and ERR-bar
    (2, cells) that it adds to. On a GPU full batches replay the step as a CUDA graph: one launch in place of dozens."""
    totals = torch.zeros(2, len(stack.betas), dtype=torch.float64, device=x.device)
    sweeps = torch.arange(len(x), device=x.device)[:, None]

    def step(batch: Tensor) -> None:
        gradient, err, err_bar = stack.gradient(stack.forward(x[sweeps, batch]), y[sweeps, batch])
        totals.add_(torch.stack([err, err_bar]).double() * batch.shape[1])
        stack.adam(gradient)

    if x.device.type != "cuda":
        return step, totals
    graph, slot = torch.cuda.CUDAGraph(), torch.empty(len(x), batch_size, dtype=torch.int64, device=x.device)
    captured = False

    def replay(batch: Tensor) -> None:
        nonlocal captured
        if batch.shape[1] < batch_size:  # the last of an epoch
            step(batch)
        elif captured:
            slot.copy_(batch)
            graph.replay()
        else:  # the first batch is trained on as it is, which also warms up what a capture may not
            aside(step, batch)
            with torch.cuda.graph(graph):
                step(slot)
            captured = True

    return replay, totals


def predict(network: Network, parameters: np.ndarray, x: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Predictions (rows, learners) float32 of an ensemble with parameters (learners, parameters)."""
    one = torch.ones(1, device=device)
    stack = _Stack(network, torch.as_tensor(parameters, device=device), one.long() - 1, one, one.expand(1, 2), one)
    rows = torch.as_tensor(x, dtype=torch.float32, device=device)[None]
    return stack.forward(rows)[-1].squeeze(2).T.cpu().numpy()
