"""Training: early stopping and best weights inside, behind one function with two engines (see `sweep`)."""
