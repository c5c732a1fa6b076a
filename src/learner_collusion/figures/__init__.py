"""Figures, a file per family: each reads records, trains nothing (except the toy of Figure 1), and writes PDF, PNG and CSV."""
