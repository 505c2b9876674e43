"""Volume files: NIfTI, NRRD, MetaImage and MGH, header first, then voxels."""
