"""A learner of one's own for images: a small convolutional network."""

from torch import nn


class SmallNet(nn.Module):
    """(batch, 3, height, width) to (batch, classes). Built with the number of classes and a width, then options by their names."""

    def __init__(self, classes: int, width: float, channels: int = 16, dropout: float = 0.0):
        super().__init__()
        wide = max(1, round(channels * width))
        self.features = nn.Sequential(
            nn.Conv2d(3, wide, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(wide, 2 * wide, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(32 * wide, classes))

    def forward(self, x):
        return self.head(self.features(x))
