"""Outputs: what is written for a case: label map, probabilities, instances, picture."""
