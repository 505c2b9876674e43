"""Layers: how the sources of the configs are merged, and which keys of a config use which."""
