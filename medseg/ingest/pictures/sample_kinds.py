"""Sample kinds: what the samples of a picture are, in words instead of the modes of Pillow."""

_KINDS = {
    "1": "black and white (1 bit)",
    "L": "grey (8 bits)",
    "LA": "grey (8 bits) with transparency",
    "La": "grey (8 bits) with transparency",
    "P": "colours from a palette",
    "PA": "colours from a palette with transparency",
    "RGB": "colours (RGB)",
    "RGBA": "colours with transparency (RGBA)",
    "RGBa": "colours with transparency (RGBA)",
    "RGBX": "colours (RGB)",
    "CMYK": "colours for print (CMYK)",
    "YCbCr": "colours (YCbCr)",
    "LAB": "colours (Lab)",
    "HSV": "colours (HSV)",
    "I": "grey (whole numbers of 32 bits)",
    "F": "grey (fractions of 32 bits)",
}
_GREY_OF_16_BITS = "I;16"  # "I;16B" and "I;16L" differ in the order of bytes alone


def describe_samples(mode: str) -> str:
    """What the samples of a picture are.

    Args:
        mode: of Pillow.

    Example:
        >>> describe_samples("RGBA"), describe_samples("I;16B")
        ('colours with transparency (RGBA)', 'grey (16 bits)')
    """
    if mode.startswith(_GREY_OF_16_BITS):
        return "grey (16 bits)"
    return _KINDS.get(mode, f"samples of the kind {mode}")
