"""Data sets: raw files (`sources`), tables (`tabular`, `splits`) and images (`images`, `image_arrays`, a module a source)."""
