"""Quantity: what the values of a slice measure, by its header: magnitude, phase, a map.

The words of ImageType are a closed list, in which "_" and a blank are the same. Words of scanners
were collected from files; a word that is not listed here is ignored.
"""

from __future__ import annotations

import re

from medseg.ingest.dicom.header.slice import Slice

_WORDS = {
    **dict.fromkeys(("MPR", "REFORMATTED"), "MPR"),
    **dict.fromkeys(("MIP", "MAX IP", "MAXIMUM"), "MIP"),
    **dict.fromkeys(("MINIP", "MIN IP", "MNIP", "MINIMUM"), "MINIP"),
    **dict.fromkeys(("PROJECTION IMAGE", "PROJECTION"), "PROJECTION"),
    **dict.fromkeys(("AVERAGE", "MEAN"), "MEAN"),
    **dict.fromkeys(("IMAGE ADDITION", "ADDITION"), "ADDITION"),
    **dict.fromkeys(("SUBTRACTION", "SUB"), "SUBTRACTION"),
    **dict.fromkeys(("SSD", "VRT"), "RENDERING"),
    **dict.fromkeys(("RCBF", "RELCBF"), "RCBF"),
    **dict.fromkeys(("RCBV", "RELCBV"), "RCBV"),
    **dict.fromkeys(("MTT", "RELMTT"), "MTT"),
    **{word: word for word in ("DIVISION", "MULTIPLICATION", "STD DEVIATION")},
    **{word: word for word in ("TTP", "PERFUSION MAP", "VNC", "IODINE", "MONO", "VMI")},
    **{word: word for word in ("MAT SPECIFIC", "MAT REMOVED", "MAT FRACTIONAL", "MAT MODIFIED")},
    **{word: word for word in ("MAT VALUE BASED", "EFF ATOMIC NUM", "ELECTRON DENSITY")},
}
"""Words of ImageType that state what values measure, in any modality."""

_MR_WORDS = {
    **_WORDS,
    **dict.fromkeys(("M", "MAGNITUDE"), "MAGNITUDE"),
    **dict.fromkeys(("P", "PHASE", "PHASE MAP"), "PHASE"),
    **dict.fromkeys(("R", "REAL"), "REAL"),
    **dict.fromkeys(("I", "IMAGINARY"), "IMAGINARY"),
    **dict.fromkeys(("W", "WATER"), "WATER"),
    **dict.fromkeys(("F", "FAT"), "FAT"),
    **dict.fromkeys(("IP", "IN PHASE"), "IN PHASE"),
    **dict.fromkeys(("OP", "OPP PHASE", "OUT PHASE", "OUT OF PHASE"), "OUT OF PHASE"),
    **dict.fromkeys(("ADC", "ADC UNSPECIFIED", "ADC MAP"), "ADC"),
    **dict.fromkeys(("TRACEW", "TRACE"), "TRACEW"),
    **dict.fromkeys(("T1 MAP", "T1MAP"), "T1 MAP"),
    **dict.fromkeys(("T2 MAP", "T2MAP"), "T2 MAP"),
    **dict.fromkeys(("T2 STAR MAP", "T2STAR MAP"), "T2* MAP"),
    **dict.fromkeys(("R2 STAR MAP", "R2STAR MAP"), "R2* MAP"),
    **{word: word for word in ("FA", "COLFA", "EADC", "SWI", "MODULUS SUBTRACT")},
    **{word: word for word in ("PHASE SUBTRACT", "VELOCITY MAP", "DENSITY MAP")},
    **{word: word for word in ("DIFFUSION MAP", "B0 MAP", "B1 MAP", "R1 MAP", "R2 MAP")},
}
"""Those of MR."""

_NOT_AS_FIRST = ("REAL", "PHASE", "WATER", "FAT")
"""Words that have another meaning if they begin a longer one: "REAL TIME", "FAT SAT"."""

_KEV = re.compile(r"\b(\d+) ?KEV\b")


def find_quantity(header: Slice) -> str:
    """Find what the values of a slice measure, by a closed list of words; other words are ignored.

    ComplexImageComponent (PS3.3 C.8.13.3.1.1), or GE's own element for it, and the values of
    ImageType or FrameType from the third on: the terms of C.8.2.1.1.1 (CT of several energies),
    C.8.3.1.1.1 (MR) and C.8.16.1 (enhanced), and the words that scanners write there: M, P, R and I
    for the component of a complex image, alone or before the name of a sequence ("P_FFE"), water
    and fat, maps of diffusion and relaxation, and MPR, MIP and the like, also as the first or last
    word of a value ("CT_SOM5 MIP"). An energy ("40KEV") is kept: images of two energies differ.
    Whether the image is ORIGINAL or DERIVED, PRIMARY or SECONDARY does not matter: lossy
    compression alone changes that.

    Returns:
        The words in alphabetical order. An MR image without any of them is a "MAGNITUDE", a word
        that is left out beside others; any other image is "AXIAL", a plain slice (C.8.2.1.1.1).

    Example:
        >>> find_quantity(header)  # ["DERIVED", "PRIMARY", "M", "DIXON", "WATER"]  # doctest: +SKIP
        'WATER'
    """
    is_mr = header.kind == "MR"
    vocabulary = _MR_WORDS if is_mr else _WORDS
    values = header.image_type[2:]
    words = [word for value in values for word in _find_known_word(value, vocabulary)]
    if is_mr and header.origin.component in vocabulary:  # MIXED, of a whole file, is not
        words.append(header.origin.component)
    kinds = {vocabulary[word] for word in words} - {"MAGNITUDE"}
    kinds |= {f"{kev} KEV" for value in values for kev in _KEV.findall(_normalise(value))}
    return " ".join(sorted(kinds)) or ("MAGNITUDE" if is_mr else "AXIAL")


def _find_known_word(value: str, vocabulary: dict[str, str]) -> list[str]:
    """Find the known word that a value is, begins with or ends in, in any spelling."""
    stem, _, sequence = value.strip().upper().partition("_")
    spelt = _normalise(value)
    first, last = spelt.partition(" ")[0], spelt.rpartition(" ")[2]
    forms = (
        spelt,
        stem if sequence and len(stem) <= 2 else "",
        first if len(first) > 2 and first not in _NOT_AS_FIRST else "",
        last if len(last) > 2 else "",
    )
    return [form for form in forms if form in vocabulary][:1]


def _normalise(value: str) -> str:
    return " ".join(value.upper().replace("_", " ").split())
