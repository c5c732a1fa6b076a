"""Fingerprints kept between commands: the same ones, for the same sources only, and no harm where they cannot be kept."""

import sys

import pytest

from learner_collusion.plan.fingerprint_cache import FingerprintCache


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan/provenance.py").write_text("x = 1\n")
    (tmp_path / "engine.cpp").write_text("int x;\n")
    kept = FingerprintCache(tmp_path)
    kept["stages.tune"] = "abc"
    kept.save()
    return tmp_path


def file_of(package):
    [path] = package.rglob("*.fingerprints.json")
    return path


def test_the_next_command_knows_them(package):
    assert FingerprintCache(package) == {"stages.tune": "abc"}


@pytest.mark.parametrize("source", ["plan/provenance.py", "engine.cpp", "plan/new.py"])
def test_another_source_forgets_them(package, source):
    (package / source).write_text("x = 2\n")
    assert FingerprintCache(package) == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"sources": 1}'])
def test_a_damaged_file_counts_as_none(package, text):
    file_of(package).write_text(text)
    assert FingerprintCache(package) == {}


@pytest.mark.parametrize("change", [("abc", "abd"), ('"abc"', "null"), ("stages.tune", "stages.tung")])
def test_a_flipped_bit_makes_no_other_fingerprint(package, change):
    file_of(package).write_text(file_of(package).read_text().replace(*change))
    assert FingerprintCache(package) == {}


def test_what_was_worked_out_while_a_source_was_edited_is_not_kept(package):
    kept = FingerprintCache(package)
    kept["stages.evaluate"] = "def"
    (package / "plan/provenance.py").write_text("x = 2\n")
    kept.save()
    (package / "plan/provenance.py").write_text("x = 1\n")
    assert FingerprintCache(package) == {"stages.tune": "abc"}


def test_nothing_is_written_where_python_writes_no_compiled_files(package, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    kept = FingerprintCache(package)
    kept["stages.evaluate"] = "def"
    kept.save()
    assert FingerprintCache(package) == {"stages.tune": "abc"}


def test_a_folder_that_cannot_be_written_is_no_error(package):
    folder = file_of(package).parent
    file_of(package).unlink()
    folder.rmdir()
    folder.write_text("in the way")
    kept = FingerprintCache(package)
    kept["stages.evaluate"] = "def"
    kept.save()
    assert FingerprintCache(package) == {}
