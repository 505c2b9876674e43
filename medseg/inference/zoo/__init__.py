"""Zoo: what a bundle of another origin needs, so that its outputs are those of ours."""
