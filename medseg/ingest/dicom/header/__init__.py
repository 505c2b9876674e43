"""Header: what a DICOM header states about its slices, as plain values."""
