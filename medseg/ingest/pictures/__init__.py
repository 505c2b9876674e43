"""Pictures: PNG, JPEG, TIFF and other grey or colour files, read whole and checked."""
