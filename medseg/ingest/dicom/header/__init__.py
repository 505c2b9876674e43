"""Header: what a DICOM header states of its slices, as plain values."""
