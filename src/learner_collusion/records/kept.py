"""Finished parts of a job that may be interrupted: kept in a folder beside its output, and used again if they still fit."""

import hashlib
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa

from ..errors import UserError
from . import parquet


class Kept:
    """The folder of the finished runs of a job. `identity` (JSON) says what they were made from: settings, input, code.

    A part that is damaged, lies in another's place, or was made from something else is as good as none: it is made anew.
    """

    def __init__(self, folder: Path, identity: dict):
        self.folder, self.identity = folder, identity

    def path(self, name: str) -> Path:
        """Where a part lies."""
        return self.folder / f"{name}.parquet"

    def read(self, name: str, schema: pa.Schema) -> pd.DataFrame | None:
        """The part as a frame, or None where it is missing or was made from something else."""
        return parquet.read(self.path(name), schema) if self.has(name) else None

    def finished(self, name: str, schema: pa.Schema) -> pd.DataFrame:
        """A part that this job has written. UserError where it is gone, as another run in the same folder removes what it has used."""
        found = self.read(name, schema)
        if found is None:
            raise UserError(
                f"{self.path(name)} is gone, as if another run worked in this folder: run the same command again."
            )
        return found

    def write(self, name: str, table, schema: pa.Schema) -> None:
        """Keep a part."""
        parquet.write(self.path(name), table, schema, {"identity": self.identity, "part": name})

    def has(self, name: str) -> bool:
        """Whether the part was made from the same things; says what of one that is there is wrong."""
        path = self.path(name)
        if not path.exists():
            return False
        try:
            metadata = parquet.read_metadata(path)
        except UserError as error:
            print(f"{str(error).partition(':')[0]}: it is made anew.", flush=True)
            return False
        if metadata == {"identity": self.identity, "part": name}:
            return True
        print(f"{path} is of other settings, data or code, or another part: it is made anew.", flush=True)
        return False

    def gather(self, names: list[str], output: str | Path, schema: pa.Schema, metadata: dict, made=None) -> None:
        """Write the parts, one after the other, as one table that says who `made` it."""
        parquet.join([parquet.read_arrow(self.path(name), schema) for name in names], output, schema, metadata, made)

    def clear(self) -> None:
        """Remove the folder: the job's output holds all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def checksum(*paths: str) -> str:
    """Twelve hex digits of the contents of some files."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]
