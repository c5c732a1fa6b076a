"""Data sets: where they come from (`sources`), and how each family is prepared (`tabular`)."""
