"""Schema of the sensitivity analysis: the tabular claims as each variant of the open choices has them."""

import pyarrow as pa

from .claims import CLAIMS

# `shows`: what a variant changes, in words; `joint`: several choices at once. The configuration's own choices come first.
SENSITIVITY = pa.schema([("variant", pa.string()), ("shows", pa.string()), ("joint", pa.bool_()), *CLAIMS])
CHOSEN = "chosen"  # the variant that changes nothing
