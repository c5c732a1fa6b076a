"""Schema of the small ensemble of the report: what its learners predict at each beta of the slider."""

import pyarrow as pa

# One row per point. `line`: "data" (beta is NaN), "f1", "f2", .., "ensemble", or "err" and "div" (of the training data, x is NaN).
ILLUSTRATION = pa.schema([("beta", pa.float64()), ("line", pa.string()), ("x", pa.float64()), ("value", pa.float64())])
