"""Gateway: a PACS round trip, series in and results out, that survives what a PACS does."""
