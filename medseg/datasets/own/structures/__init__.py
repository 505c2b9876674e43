"""Structures: cases with a label file for each structure, or for each object."""
