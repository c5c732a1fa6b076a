"""Interrupted training: it ends with the same numbers wherever it was interrupted."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from image_cells import CELL, HARDWARE, replaced, train

from learner_collusion import seals
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


def test_a_damaged_checkpoint_is_told_and_training_starts_anew(images, protocol, tmp_path, capsys):
    path, one = tmp_path / "c", replaced(protocol, epochs=1)
    plain = train(images, one)
    train(images, one, checkpoint=path, hardware=replaced(HARDWARE, checkpoint_minutes=0))
    whole = path.read_bytes()
    foreign = tmp_path / "foreign"
    torch.save({"weights": torch.zeros(3)}, foreign)
    unsealed = foreign.read_bytes()
    seals.seal_zip(foreign)
    places = np.random.default_rng(0).integers(0, len(whole), 10)
    damaged = [whole[:p] + bytes([whole[p] ^ 4]) + whole[p + 1 :] for p in [*places, len(whole) - 1]]
    for content, words in (
        *((content, "is damaged, its checksum does not fit") for content in damaged),
        (b"no checkpoint", "has no checksum, as no checkpoint of this version"),
        (b"", "has no checksum"),
        (whole[:-100], "has no checksum"),
        (unsealed, "has no checksum"),
        (foreign.read_bytes(), "belongs to other settings, data or code"),
    ):
        path.write_bytes(content)
        again = train(images, one, checkpoint=path)
        assert f"{path} {words}" in (told := capsys.readouterr().out) and ": training starts anew.\n" in told
        np.testing.assert_array_equal(plain.values, again.values)


def test_nothing_is_unpickled_before_the_seal_fits(images, protocol, tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "exploded",)

    torch.save({"belongs": Bomb()}, tmp_path / "c")
    for seal in (lambda path: None, seals.seal_zip):
        seal(tmp_path / "c")
        assert checkpoints.restore(tmp_path / "c", {}, {}, torch.device("cpu"))
        assert not (tmp_path / "exploded").exists()


def test_a_checkpoint_of_other_settings_is_not_used(images, protocol, tmp_path, capsys):
    path, often = tmp_path / "c", replaced(HARDWARE, checkpoint_minutes=0)
    train(images, replaced(protocol, epochs=1), replaced(CELL, beta=1.0), path, often)
    plain = train(images, protocol)
    other = train(images, protocol, checkpoint=path)
    assert "belongs to other settings" in capsys.readouterr().out
    np.testing.assert_array_equal(plain.values, other.values)


def test_a_checkpoint_on_a_full_disk_is_told_as_such(tmp_path):
    """In a process of its own, whose files may hold 10,000 bytes: torch says RuntimeError."""
    code = """
import resource, signal, sys, torch
from pathlib import Path
from learner_collusion.training import checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    checkpoint.save(Path(sys.argv[1]), {"net": torch.nn.Linear(100, 100)}, {}, torch.device("cpu"))
except OSError as error:
    print(error.strerror, error.filename)
"""
    path = tmp_path / "x.checkpoint"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.stdout == f"The checkpoint cannot be written {path}\n", done.stderr
    assert not list(tmp_path.iterdir())
