"""Claims: what the paper says (`catalogue`), how a verdict is reached (`verdict`), and a judge per family."""
