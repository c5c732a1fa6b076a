"""Files of predictions of one's own: read, checked, and matched by name."""
