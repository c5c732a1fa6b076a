"""Seals: a checksum of a file inside the file itself, so that a reader tells what was written from what a disk made of it.

A seal is a mark and the SHA-256 of the whole file, with zeros in the place of the sum. In a zip archive (.npz, a checkpoint of
PyTorch) it is the archive's comment, which its readers skip; other formats have a place of their own for it.
"""

import hashlib
import os
import re
from pathlib import Path

_MARK = b"learner-collusion sha256:"
EMPTY = _MARK + b"0" * 64  # what a writer puts where the seal shall be
_END = b"PK\x05\x06"  # of a zip archive's last record, which has 22 bytes without a comment


def sealed(content: bytes) -> bytes:
    """The bytes of a file that holds EMPTY once, with the sum in it."""
    sum_of = hashlib.sha256(content).hexdigest().encode()
    before, found, after = content.rpartition(EMPTY)
    if not found:
        raise ValueError("there is no place for a seal")
    return before + _MARK + sum_of + after


def seal_of(content: bytes) -> tuple[str | None, bool]:
    """(the sum in a file's bytes, None without a seal; whether it is that of these bytes)."""
    found = None
    for place in re.finditer(re.escape(_MARK) + b"(.{64})", content, re.DOTALL):  # a text in it may look like a seal
        start, end = place.span(1)
        digest = hashlib.sha256(memoryview(content)[:start])
        digest.update(b"0" * 64)
        digest.update(memoryview(content)[end:])
        found = place[1].decode("ascii", "replace")
        if digest.hexdigest() == found:
            return found, True
    return found, False


def seal_zip(path: str | Path) -> None:
    """Seal a zip archive that has no comment yet."""
    with open(path, "r+b") as file:
        file.seek(-22, os.SEEK_END)
        last = file.read()
        if not last.startswith(_END) or last[20:] != b"\0\0":
            raise ValueError(f"{path} does not end as a zip archive without a comment")
        file.seek(-2, os.SEEK_END)
        file.write(len(EMPTY).to_bytes(2, "little") + EMPTY)
        file.flush()
        file.seek(0)
        sum_of = hashlib.file_digest(file, "sha256").hexdigest().encode()
        file.seek(-len(sum_of), os.SEEK_END)
        file.write(sum_of)


def zip_seal(path: str | Path) -> tuple[str | None, bool]:
    """(the sum in a zip archive, None without a seal; whether it is that of the file). OSError where it cannot be read."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(EMPTY)))
        last = file.read()
        if not last.startswith(_MARK) or len(last) < len(EMPTY):
            return None, False
        file.seek(0)
        digest, left = hashlib.sha256(), size - 64
        while left and (block := file.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
    digest.update(b"0" * 64)
    found = last[len(_MARK) :].decode("ascii", "replace")
    return found, digest.hexdigest() == found


def checksum(path: str | Path) -> str:
    """SHA-256 of a file as it lies there, as `sha256sum` prints it. OSError where it cannot be read."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
