"""An ensemble as a LightningModule: AugmentedLoss in training, EnsembleDiversity over the batches of validation.

pip install lightning; python examples/lightning_module.py
"""

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from learner_collusion import AugmentedLoss, EnsembleDiversity, diagnose


class Ensemble(lightning.LightningModule):
    """Five networks with three classes, whose probabilities are averaged."""

    def __init__(self, beta: float = 0.5, learners: int = 5):
        super().__init__()
        self.nets = nn.ModuleList(nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3)) for _ in range(learners))
        self.loss = AugmentedLoss(beta, "cross_entropy", "probability")
        self.diversity = EnsembleDiversity("cross_entropy", "probability")

    def forward(self, x):
        return torch.stack([net(x) for net in self.nets], 1)  # (batch, learners, classes)

    def training_step(self, batch, _):
        x, y = batch
        return self.loss(self(x), y)

    def validation_step(self, batch, _):
        x, y = batch
        self.diversity.update(self(x), y)

    def on_validation_epoch_end(self):
        found = self.diversity.compute()  # of all batches and processes
        self.log_dict({f"val_{name}": float(value) for name, value in found._asdict().items()})
        self.diversity.reset()

    def predict_step(self, batch, _):
        return self(batch[0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


lightning.seed_everything(0, verbose=False)
x = torch.randn(900, 8)
y = (x @ torch.randn(8, 3) + torch.randn(900, 3)).argmax(1)
seen, held_out = (DataLoader(TensorDataset(x[rows], y[rows]), batch_size=100) for rows in (slice(600), slice(600, 900)))
quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
trainer = lightning.Trainer(max_epochs=3, accelerator="cpu", num_sanity_val_steps=0, **quiet)
model = Ensemble()
trainer.fit(model, seen, held_out)
print({name: round(float(value), 3) for name, value in trainer.callback_metrics.items()})
predictions = torch.cat(trainer.predict(model, held_out))
print(diagnose(predictions, y[600:], "cross_entropy", "probability"))
