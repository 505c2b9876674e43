"""Rules of a series: what its slices must agree on to be one volume."""
