"""Consistency: whether all slices of a series say the same of what they show."""
