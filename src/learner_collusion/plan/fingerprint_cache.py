"""Fingerprints kept from one command to the next: working them out takes a quarter of a dry run.

They lie beside Python's own compiled files, for one state of all sources of this package, and are no more than a saving:
without them, or where they cannot be read or written, fingerprints are worked out.
"""

import atexit
import hashlib
import importlib.util
import json
import sys
from pathlib import Path

from ..files import write_text

_SUFFIXES = {".py", ".cpp", ".h", ".toml"}


class FingerprintCache(dict):
    """Fingerprints by their roots, as the last command with the same sources left them; saved when this one ends."""

    def __init__(self, package: Path):
        super().__init__()
        self._sources = _digest(package)
        compiled = importlib.util.cache_from_source(str(package / "plan/provenance.py"))
        self._path = Path(compiled).with_suffix(".fingerprints.json")
        self._package = package
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            if found["sources"] == self._sources and found["sum"] == _sum(found["fingerprints"]):
                self.update(found["fingerprints"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        self._known = len(self)
        atexit.register(self.save)

    def save(self) -> None:
        """Write them down where there are new ones and Python may write its compiled files."""
        if len(self) == self._known or sys.dont_write_bytecode:
            return
        try:
            if _digest(self._package) != self._sources:  # edited since: whose fingerprints these are nobody knows
                return
            self._path.parent.mkdir(exist_ok=True)
            found = {"sources": self._sources, "fingerprints": dict(self), "sum": _sum(dict(self))}
            write_text(self._path, json.dumps(found))
        except OSError:
            pass


def _sum(fingerprints: dict) -> str:
    """A checksum of what is kept, so that a damaged file counts as none."""
    return hashlib.sha256(json.dumps(fingerprints, sort_keys=True).encode()).hexdigest()


def _digest(package: Path) -> str:
    """Of the names and contents of all sources."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(path for path in package.rglob("*") if path.suffix in _SUFFIXES):
        digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
