"""Source: the images that a DICOM object was made from, as it names them."""
