"""DICOM series with a Segmentation or an RT Structure Set as their labels."""
