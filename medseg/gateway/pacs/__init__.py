"""PACS: the ways in and out, by DICOMweb and by DIMSE."""
