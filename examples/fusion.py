"""Instead of Ensemble-PyTorch's Fusion: the same networks, with beta between independent training and Fusion's.

FusionClassifier averages the scores of its estimators and takes the cross-entropy of the mean. That is AugmentedLoss with beta = 1
and averaged scores; a smaller beta keeps each network to its task.

python examples/fusion.py
"""

import torch
from torch import nn

from learner_collusion import AugmentedLoss, diagnose

torch.manual_seed(0)
x = torch.randn(800, 8)
y = (x @ torch.randn(8, 3) + torch.randn(800, 3)).argmax(1)


def fit(beta: float) -> torch.Tensor:
    """Scores for held-out rows, (rows, learners, classes)."""
    torch.manual_seed(1)
    estimators = nn.ModuleList(nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3)) for _ in range(5))
    optimiser = torch.optim.Adam(estimators.parameters(), lr=1e-2)
    criterion = AugmentedLoss(beta, "cross_entropy", "score")  # in the place of nn.CrossEntropyLoss()
    for _ in range(10):
        for rows in torch.randperm(500).split(50):
            outputs = torch.stack([estimator(x[rows]) for estimator in estimators], 1)  # in the place of their mean
            optimiser.zero_grad()
            criterion(outputs, y[rows]).backward()
            optimiser.step()
    with torch.no_grad():
        return torch.stack([estimator(x[500:]) for estimator in estimators], 1)


fused, independent = fit(1.0), fit(0.0)
print(diagnose(fused, y[500:], "cross_entropy", "score", reference=independent))
