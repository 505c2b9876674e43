"""Pixels: from the pixel data element to numbers, decoders and codestreams included."""
