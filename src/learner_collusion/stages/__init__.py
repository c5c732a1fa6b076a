"""One module per stage; its rule, its command, its log folder and its fingerprint bear the same name.

A stage module has a docstring (its help: one sentence, then an example), a frozen dataclass `Settings` where it has settings,
`add_arguments(parser)` and `run(options)`. Heavy imports stand inside functions, so that the commands start fast.
"""
