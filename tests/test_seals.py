"""Seals: what was written is told from what became of it, in every byte."""

import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learner_collusion import seals


@given(st.binary(), st.binary(), st.data())
def test_each_flipped_bit_breaks_the_seal(before, after, data):
    whole = seals.sealed(before + seals.EMPTY + after)
    seal, fits = seals.seal_of(whole)
    assert fits and len(seal) == 64 and seal.encode() in whole
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    broken = bytearray(whole)
    broken[bit // 8] ^= 1 << bit % 8
    assert not seals.seal_of(bytes(broken))[1]


@given(st.binary(max_size=200))
def test_what_has_no_seal_has_none(content):
    assert seals.seal_of(content) == (None, False)
    with pytest.raises(ValueError, match="no place for a seal"):
        seals.sealed(content)


def test_an_archive_keeps_its_content(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(5))
    assert seals.zip_seal(path) == (None, False)
    seals.seal_zip(path)
    seal, fits = seals.zip_seal(path)
    assert fits and seal in path.read_bytes().decode("latin1")
    with np.load(path) as archive, zipfile.ZipFile(path) as same:
        assert archive["x"].tolist() == [0, 1, 2, 3, 4] and same.testzip() is None
    with pytest.raises(ValueError, match="does not end as a zip archive without a comment"):
        seals.seal_zip(path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        assert not seals.zip_seal(path)[1], place
    for length in (0, 1, 22, 30, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert not seals.zip_seal(path)[1], length
