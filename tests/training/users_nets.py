"""Learners as users write them, right and wrong."""

import torch
from torch import nn


class Plain(nn.Sequential):
    """The engines' MLP with one hidden layer."""

    def __init__(self, features, hidden_units=4):
        super().__init__(nn.Linear(features, hidden_units), nn.ReLU(), nn.Linear(hidden_units, 1))


class Normed(nn.Module):
    """With buffers that training changes, noise, and outputs (batch,)."""

    def __init__(self, features, width=4, rate=0.2):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(rate))
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        return self.last(self.body(x)).squeeze(1)


class Branching(Plain):
    """Decides by a value, which vmap cannot."""

    def forward(self, x):
        return super().forward(x) if float(x.sum()) < 1e9 and bool(super().forward(x).abs().max() < 1e9) else x


class OwnFeatures(nn.Module):
    """Each learner looks at features of its own, which lie in no buffer."""

    def __init__(self, features):
        super().__init__()
        self.chosen = torch.randperm(features)[:2].tolist()
        self.last = nn.Linear(2, 1)

    def forward(self, x):
        return self.last(x[:, self.chosen])


class Lazy(nn.Sequential):
    """Its shapes are those of the first batch."""

    def __init__(self, features):
        super().__init__(nn.LazyLinear(3), nn.Tanh(), nn.LazyLinear(1))


class TwoOutputs(nn.Linear):
    def __init__(self, features):
        super().__init__(features, 2)


class Fixed(nn.Module):
    def __init__(self, features):
        super().__init__()

    def forward(self, x):
        return x[:, 0]


class Broken(Plain):
    def forward(self, x):
        raise RuntimeError("shapes do not match")


class Detached(Plain):
    def forward(self, x):
        return super().forward(x).detach()


class Exploding(Plain):
    def forward(self, x):
        return super().forward(x) * torch.tensor(1e30)


def no_module(features):
    return 3
