"""Training: of image ensembles (`loop`, on the `batches` of a family), and of the MLPs of the tabular experiments (`sweep`)."""
