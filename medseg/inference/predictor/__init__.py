"""Predictor: how a network is made fast: backends, precision, fused norms, what is kept."""
