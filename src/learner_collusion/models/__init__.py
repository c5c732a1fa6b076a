"""Models: base learners (`mlp`, `cifar`), the ensemble around them (`ensemble`), and their names (`registry`)."""
