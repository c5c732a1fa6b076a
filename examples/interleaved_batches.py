"""Models that put the learners into the batch, as those of torch-uncertainty: ((learners x batch), classes).

python examples/interleaved_batches.py
"""

import torch
from torch import nn

from learner_collusion import AugmentedLoss, split_learners

LEARNERS = 4


class BatchOfLearners(nn.Module):
    """The first rows that it puts out are those of the first learner, then those of the second, ..."""

    def __init__(self):
        super().__init__()
        self.nets = nn.ModuleList(nn.Linear(8, 3) for _ in range(LEARNERS))

    def forward(self, x):
        return torch.cat([net(x) for net in self.nets])


torch.manual_seed(0)
model, loss = BatchOfLearners(), AugmentedLoss(0.5, "cross_entropy", "probability")
optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
x, y = torch.randn(200, 8), torch.randint(3, (200,))
for _ in range(20):
    outputs = split_learners(model(x), LEARNERS)  # (batch, learners, classes); the targets are not repeated
    optimiser.zero_grad()
    loss(outputs, y).backward()
    optimiser.step()
print(f"{tuple(outputs.shape)}, loss {loss(outputs, y):.3f}")
