"""Interrupted training: it ends with the same numbers wherever it was interrupted."""

import numpy as np
import pytest
from image_cells import CELL, HARDWARE, replaced, train

from learner_collusion.errors import UserError
from learner_collusion.training import checkpoint as checkpoints


@pytest.mark.parametrize("evaluate_every", [None, 2, 7])
@pytest.mark.parametrize("model", ["cnn", "resnet18"])
def test_interrupted_anywhere_ends_the_same(images, protocol, tmp_path, monkeypatch, model, evaluate_every):
    """A checkpoint after each step; training is broken off at several of them, in the middle of an epoch, at its end and at
    evaluations, and resumes from the last."""
    protocol, cell = replaced(protocol, width=0.125, evaluate_every=evaluate_every), replaced(CELL, model=model)
    uninterrupted = train(images, protocol, cell)
    path, saves = tmp_path / "c", []
    original = checkpoints.save

    class Killed(Exception):
        pass

    def save(*arguments):
        original(*arguments)
        saves.append(1)
        if len(saves) in (2, 5, 6, 11, 14):
            raise Killed

    monkeypatch.setattr(checkpoints, "save", save)
    often = replaced(HARDWARE, checkpoint_minutes=0)
    for _ in range(5):
        with pytest.raises(Killed):
            train(images, protocol, cell, path, often)
    again = train(images, protocol, cell, path, often)
    assert len(saves) == 15
    np.testing.assert_array_equal(uninterrupted.values, again.values)
    assert (uninterrupted.best_evaluation, uninterrupted.diverged) == (again.best_evaluation, again.diverged)
    finished = train(images, protocol, cell, path, often)  # from the checkpoint of the last step: nothing left to do
    np.testing.assert_array_equal(uninterrupted.values, finished.values)
    assert len(saves) == 15


def test_interrupted_after_early_stopping_ends_the_same(images, protocol, tmp_path):
    stopping = replaced(protocol, epochs=30, patience=1, learning_rate=0.5, evaluate_every=2)
    often = replaced(HARDWARE, checkpoint_minutes=0)
    one, two = (train(images, stopping, checkpoint=tmp_path / "c", hardware=often) for _ in range(2))
    np.testing.assert_array_equal(one.values, two.values)


def test_a_damaged_checkpoint_is_told_and_another_one_not_used(images, protocol, tmp_path, capsys):
    path = tmp_path / "c"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match=r"is damaged .*: delete it to train this cell anew"):
        train(images, protocol, checkpoint=path)
    path.unlink()
    often = replaced(HARDWARE, checkpoint_minutes=0)
    train(images, replaced(protocol, epochs=1), replaced(CELL, beta=1.0), path, often)
    plain = train(images, protocol)
    other = train(images, protocol, checkpoint=path)
    assert "belongs to other settings" in capsys.readouterr().out
    np.testing.assert_array_equal(plain.values, other.values)
