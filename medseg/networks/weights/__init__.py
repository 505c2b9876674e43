"""Weights: load those of a network, or start it from those of another one."""
