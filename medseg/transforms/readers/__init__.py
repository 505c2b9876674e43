"""Readers: the labels that several readers drew of one case."""
