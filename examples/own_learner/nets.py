"""A learner of one's own for tables: a small residual network with dropout."""

from torch import nn


class ResidualNet(nn.Module):
    """(batch, features) to (batch, 1). Built with the number of features, then options by their names."""

    def __init__(self, features: int, width: int = 16, dropout: float = 0.0):
        super().__init__()
        self.first = nn.Linear(features, width)
        self.block = nn.Sequential(nn.LayerNorm(width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width))
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        hidden = self.first(x)
        return self.last(hidden + self.block(hidden))
