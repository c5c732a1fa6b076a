"""The plan: what is read while Snakemake parses, so without torch or pandas. Configuration, settings, cells, fingerprints."""
