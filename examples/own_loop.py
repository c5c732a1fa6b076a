"""A training loop of one's own: five networks in PyTorch, trained with AugmentedLoss, then diagnosed on held-out rows.

python examples/own_loop.py
"""

import copy

import torch
from torch import nn

from learner_collusion import AugmentedLoss, decompose, diagnose

torch.manual_seed(0)
x = torch.randn(900, 8)
y = x[:, 0] + x[:, 1] * x[:, 2] + 0.3 * torch.randn(900)
seen, stop, held_out = slice(0, 500), slice(500, 700), slice(700, 900)


def train(beta: float) -> nn.ModuleList:
    """Networks that start from the same weights for each beta, trained until the error of rows kept apart grows."""
    torch.manual_seed(1)
    nets = nn.ModuleList(nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1)) for _ in range(5))
    loss, optimiser = AugmentedLoss(beta), torch.optim.Adam(nets.parameters(), lr=1e-2)
    best, best_error = None, float("inf")
    for _ in range(30):
        for rows in torch.randperm(500).split(50):
            optimiser.zero_grad()
            loss(predict(nets, x[rows]), y[rows]).backward()
            optimiser.step()
        with torch.no_grad():
            error = float(decompose(predict(nets, x[stop]), y[stop]).err)
        if error < best_error:
            best, best_error = copy.deepcopy(nets), error
    return best


def predict(nets: nn.ModuleList, rows: torch.Tensor) -> torch.Tensor:
    """(batch, learners)."""
    return torch.cat([net(rows) for net in nets], 1)


independent, joint = (predict(train(beta), x[held_out]).detach() for beta in (0.0, 1.0))
for name, predictions in (("independent", independent), ("joint", joint)):
    err, err_bar, div = decompose(predictions, y[held_out])
    print(f"{name:<12} ERR {err:.3f}  ERR-bar {err_bar:.3f}  DIV {div:.3f}")
print(diagnose(joint, y[held_out], reference=independent))
