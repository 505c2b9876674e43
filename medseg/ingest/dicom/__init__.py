"""DICOM: files to series with a verdict each, and one series to a volume.

`medseg.ingest.load` walks through these in order: `find_series` lists the files (`files`), reads
their headers (`read_slices`, `header`), groups them (`series_groups`) and judges each group
(`judge`, by `rules`, `consistency` and `values`); `choose_series` picks one (`selection`), and
`read_series` decodes it (`pixels`) and resamples it where that was asked for.
"""
