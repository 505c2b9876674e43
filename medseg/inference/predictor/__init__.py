"""Predictor: how a network is made fast: backends, precision, folded norms, what is kept."""
