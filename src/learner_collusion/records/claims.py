"""Schema of the judged claims: one row per claim and data set."""

import pyarrow as pa

CLAIMS = pa.schema(
    [(n, pa.string()) for n in ("id", "part", "dataset", "claim", "statistic")]
    + [(n, pa.float64()) for n in ("value", "low", "high")]
    + [(n, pa.string()) for n in ("threshold", "verdict", "note")]
)
