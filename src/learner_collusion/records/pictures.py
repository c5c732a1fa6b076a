"""The index of a set of pictures that are read where they lie: a row a picture, sorted by split, class and name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from ..errors import UserError
from . import parquet

# The metadata hold `dataset`, `root` (the folder that paths are relative to), `wnids` (the classes, in the order of their
# labels), `notes` (how many are unusual, and how), `content_sha256`, and where the set is not available `missing`: why.
PICTURES = pa.schema(
    [
        ("split", pa.string()),  # train, val
        ("path", pa.string()),  # below root; of a picture in a tar, the name of its member
        ("archive", pa.string()),  # the tar, below root; empty for a file
        ("offset", pa.int64()),  # of the picture's first byte in the tar; 0 for a file
        ("size", pa.int64()),  # bytes
        ("label", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)


def read(path: str | Path) -> tuple[dict, pa.Table]:
    """The metadata and the rows of an index. UserError where it is missing or damaged, or says that the set is."""
    metadata = parquet.read_metadata(path)
    if "missing" in metadata:
        raise UserError(f"{path} holds no pictures: {metadata['dataset']} is not available ({metadata['missing']}).")
    return metadata, parquet.read_arrow(path, PICTURES)
