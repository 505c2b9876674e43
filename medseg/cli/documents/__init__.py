"""Documents: what the verbs print for people and programs."""
