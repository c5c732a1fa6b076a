"""One whole training with early stopping on the diabetes table, one core: `python training.py native|torch|loop`.

`native` and `torch` are this project's engines; `loop` calls a list of learners one by one, as the official code does.
Prints seconds and epochs as JSON.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import yaml

from learner_collusion.data import sources, splits, tabular
from learner_collusion.models.mlp import Network, initial_parameters
from learner_collusion.plan.settings import convert, take
from learner_collusion.seeds import generator
from learner_collusion.training.engines import train_sweep
from learner_collusion.training.sweep import Settings, batch_permutations

BETA, POINT, SETTINGS = 0.9, (10, 20, 2), Settings(0.001, 0.0, 32, 200, 5)


def loop(network, split, initial, orders) -> int:
    """Epochs until early stopping, with nn.Linear learners called one by one."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    members = []
    for row in torch.from_numpy(initial):
        parts, start = [], 0
        for inputs, outputs in network.shapes():
            linear = nn.Linear(inputs, outputs)
            middle, end = start + inputs * outputs, start + (inputs + 1) * outputs
            linear.weight.data = row[start:middle].view(inputs, outputs).T.clone()
            linear.bias.data = row[middle:end].clone()
            parts += [linear, nn.ReLU()]
            start = end
        members.append(nn.Sequential(*parts[:-1]))
    optimiser = torch.optim.Adam([p for m in members for p in m.parameters()], SETTINGS.learning_rate)
    x, y, vx, vy = map(torch.from_numpy, (split.x, split.y, split.validation_x, split.validation_y))
    best, best_epoch = float("inf"), 0
    for epoch in range(1, SETTINGS.max_epochs + 1):
        for batch in torch.from_numpy(orders[epoch - 1]).long().split(SETTINGS.batch_size):
            f = torch.cat([member(x[batch]) for member in members], 1)
            err, err_bar = (f.mean(1) - y[batch]).square().mean(), (f - y[batch, None]).square().mean()
            optimiser.zero_grad()
            ((1 - BETA) * err_bar + BETA * err).backward()
            optimiser.step()
        with torch.no_grad():
            err = (torch.cat([member(vx) for member in members], 1).mean(1) - vy).square().mean().item()
        if err < best:
            best, best_epoch = err, epoch
        elif epoch - best_epoch >= SETTINGS.patience:
            break
    return epoch


def main() -> None:
    way = sys.argv[1]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    config = yaml.safe_load((Path(__file__).parent.parent / "config.yaml").read_text())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources.export_diabetes(folder / "raw.csv")
        table = convert(take(config, config, "prepare", "diabetes"), tabular.Table)
        tabular.prepare(folder / "raw.csv", folder / "t.parquet", "diabetes", table)
        data = splits.load_run(folder / "t.parquet", config["tabular"]["split"], 1.0, generator(0))
    network = Network(data.split.x.shape[1], *POINT)
    initial = initial_parameters(network, generator(0, "weights"))
    orders = batch_permutations(len(data.split.y), SETTINGS.max_epochs, generator(0, "batches"))
    if way == "loop":
        import torch  # noqa: F401  loaded before the clock starts
    for _ in range(2 if way == "torch" else 1):  # the first call loads PyTorch
        start = time.perf_counter()
        if way == "loop":
            epochs = loop(network, data.split, initial, orders)
        else:
            [trained] = train_sweep(network, data.split, SETTINGS, [BETA], initial, orders, engine=way)
            epochs = len(trained.history)
    print(json.dumps({"seconds": time.perf_counter() - start, "epochs": epochs}))


if __name__ == "__main__":
    main()
