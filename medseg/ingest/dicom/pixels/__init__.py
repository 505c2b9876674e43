"""Pixels: find, check and decode the pixel data of DICOM, and make values of it."""
