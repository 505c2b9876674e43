"""Sample checks: what the samples of slices show, where a header states them wrongly."""
