"""Tiles: the overlap-tile inferer, window by window."""
