"""Schema of the judged claims: one row per claim and data set."""

import pyarrow as pa

CLAIMS = pa.schema(
    [(n, pa.string()) for n in ("id", "part", "dataset", "claim", "measures", "statistic")]
    + [(n, pa.float64()) for n in ("value", "low", "high")]
    + [
        ("runs", pa.int32()),  # that count; 0 where the row is not about runs
        ("on_its_side", pa.int32()),  # how many of them lie on the claim's side of the threshold by themselves
        ("p", pa.float64()),  # the smallest 1 - confidence at which there is a verdict; NaN without an interval
        ("survives", pa.bool_()),  # whether the verdict stays after Holm's correction over its part
    ]
    + [(n, pa.string()) for n in ("threshold", "verdict", "effect", "note")]
)
