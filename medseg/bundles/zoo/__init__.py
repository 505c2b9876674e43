"""Zoo: bundles of another origin, such as those of MONAI's model zoo, segmented as our own are."""
