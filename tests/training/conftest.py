"""Images and a protocol small enough to train in a test."""

import dataclasses

import msgspec
import pytest

from learner_collusion.data import digits as source
from learner_collusion.training.batches import Images
from learner_collusion.training.protocol import Protocol


@pytest.fixture(scope="module")
def images() -> Images:
    """300 of scikit-learn's digits."""
    (train_x, train_y), (test_x, test_y) = source.read("digits", {}, {})
    return Images(train_x[:200], train_y[:200], test_x[:100], test_y[:100], 10, (77.9,) * 3, (95.9,) * 3)


@pytest.fixture
def paper(config) -> Protocol:
    return msgspec.convert(config["images"]["protocols"]["sgd"], Protocol)


@pytest.fixture
def protocol(paper) -> Protocol:
    """Of the 160 images that it trains on, an epoch is 5 batches."""
    return dataclasses.replace(paper, epochs=3, batch_size=32, width=0.5, learning_rate=0.02)
