"""A small cell of the image experiments, and how the tests train it."""

import dataclasses

import torch

from learner_collusion.training import loop
from learner_collusion.training.batches import on_device
from learner_collusion.training.device import prepare_device
from learner_collusion.training.protocol import Augmentation, Cell, Hardware

HARDWARE = Hardware(checkpoint_minutes=60)
PLAIN = Augmentation(0, False, 0)
CELL = Cell("sgd", "digits", "cnn", 3, "probability", drop_rate=0.0, beta=0.5, run=0)
CPU = torch.device("cpu")


def replaced(one, **changes):
    return dataclasses.replace(one, **changes)


def train(images, protocol, cell=CELL, checkpoint=None, hardware=HARDWARE, seed=0):
    device = prepare_device(hardware)
    data = on_device(images, cell, protocol, seed, device)
    return loop.train(data, cell, protocol, seed, hardware, device, checkpoint)
