"""Consistency: whether all slices of a series state the same about what they show."""
