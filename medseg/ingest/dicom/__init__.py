"""DICOM: files to series, series to volumes, each with a verdict."""
