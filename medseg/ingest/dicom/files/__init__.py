"""Files: which files of a path are DICOM, and what is stored in one."""
