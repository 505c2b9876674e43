"""Pruning: score the levels of a trained bundle, and export the smallest good enough one."""
