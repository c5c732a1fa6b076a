"""One module a figure or family: reads records, trains nothing (but Figure 1's toy), writes PDF, PNG and CSV."""
