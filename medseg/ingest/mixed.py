"""Mixed: what shows that slices under one UID are of several patients, acquisitions or quantities.

A value that only some of the slices state is another one in the rest. What varies within one good
volume refuses none: times of acquisition, trigger times, tube current, words of processing in
ImageType. Times are named where slices of one place differ in them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from medseg.ingest.slice import Slice

TRAIT_TOLERANCE = 0.02
"""Echo times, b-values and tube voltages of one acquisition may differ by this part (rounding)."""

_MOST_LISTED = 4


@dataclass(frozen=True)
class _Trait:
    """A field of `Origin` that may differ, and how that is said.

    `tolerance` is the part by which numbers may differ and be the same; None compares text.
    """

    field: str
    names: str
    unit: str = ""
    tolerance: float | None = None
    is_listed: bool = True


_ACQUISITION = _Trait("acquisition", "acquisition numbers", tolerance=0)
_OF_ONE_VOLUME = (
    _Trait("series_number", "series numbers", tolerance=0),
    _Trait("tube_kv", "tube voltages", "kV", TRAIT_TOLERANCE),
    _Trait("echo_time_ms", "echo times", "ms", TRAIT_TOLERANCE),
    _Trait("b_value", "b-values", "s/mm2", TRAIT_TOLERANCE),
    _Trait("temporal_position", "temporal positions", tolerance=0),
)
_OF_ONE_PLACE = (
    *_OF_ONE_VOLUME,
    _Trait("direction", "diffusion directions", is_listed=False),
    _ACQUISITION,
    _Trait("trigger_time_ms", "trigger times", "ms", tolerance=0),
    _Trait("acquisition_time", "acquisition times", is_listed=False),
)

_WORDS = {
    **dict.fromkeys(("MPR", "REFORMATTED"), "MPR"),
    **dict.fromkeys(("MIP", "MAX_IP", "MAXIMUM"), "MIP"),
    **dict.fromkeys(("MINIP", "MIN IP", "MIN_IP", "MINIMUM"), "MINIP"),
    **dict.fromkeys(("PROJECTION IMAGE", "PROJECTION"), "PROJECTION"),
    **dict.fromkeys(("AVERAGE", "MEAN"), "MEAN"),
    **dict.fromkeys(("IMAGE ADDITION", "ADDITION"), "ADDITION"),
    **{word: word for word in ("SUBTRACTION", "DIVISION", "MULTIPLICATION", "STD_DEVIATION")},
    **{word: word for word in ("RCBF", "RCBV", "MTT", "TTP", "PERFUSION MAP")},
}
"""Words of ImageType that say what values are of, in any modality."""

_MR_WORDS = {
    **_WORDS,
    **dict.fromkeys(("M", "MAGNITUDE"), "MAGNITUDE"),
    **dict.fromkeys(("P", "PHASE", "PHASE MAP"), "PHASE"),
    **dict.fromkeys(("R", "REAL"), "REAL"),
    **dict.fromkeys(("I", "IMAGINARY"), "IMAGINARY"),
    **dict.fromkeys(("W", "WATER"), "WATER"),
    **dict.fromkeys(("F", "FAT"), "FAT"),
    **dict.fromkeys(("IP", "IN_PHASE"), "IN PHASE"),
    **dict.fromkeys(("OP", "OPP_PHASE", "OUT_PHASE", "OUT_OF_PHASE"), "OUT OF PHASE"),
    **dict.fromkeys(("ADC", "ADC_UNSPECIFIED"), "ADC"),
    **{word: word for word in ("FA", "TRACEW", "MODULUS SUBTRACT", "PHASE SUBTRACT")},
    **{word: word for word in ("T1 MAP", "T2 MAP", "T2_STAR MAP", "VELOCITY MAP")},
    **{word: word for word in ("DENSITY MAP", "DIFFUSION MAP")},
}
"""Those of MR."""


def mixed_patient(slices: Sequence[Slice]) -> str:
    """Two values of PatientID (PS3.3 C.7.1.1), which are counted and never shown."""
    return _counted((s.origin.patient for s in slices), "patients")


def mixed_study(slices: Sequence[Slice]) -> str:
    """Two StudyInstanceUIDs: a series is of one study (PS3.3 A.1.2.3); see `is_study_per_file`."""
    if is_study_per_file(slices):
        return ""
    return _counted((s.origin.study for s in slices), "studies")


def is_study_per_file(slices: Sequence[Slice]) -> bool:
    """Whether each of three or more files states a study of its own.

    ITK makes a StudyInstanceUID up whenever it writes a file and none is set, so that slices which
    were written one by one differ in it and nothing can be told from that.
    """
    pairs = {(s.path, s.origin.study) for s in slices}
    return 3 <= len(pairs) == len({study for _, study in pairs})


def mixed_kernel(slices: Sequence[Slice]) -> str:
    """Two values of ConvolutionKernel (PS3.3 C.8.2.1): reconstructions of another sharpness."""
    return _listed((s.origin.kernel.replace("\\", " ") for s in slices), "convolution kernels")


def mixed_quantity(slices: Sequence[Slice]) -> str:
    """Slices whose values mean different things, see `quantity`."""
    return _listed(map(quantity, slices), "quantities")


def quantity(header: Slice) -> str:
    """What the values of a slice are of, by a closed list of words; anything else says nothing.

    ComplexImageComponent (PS3.3 C.8.13.3.1.1) and the values of ImageType or FrameType from the
    third on: the terms of C.8.3.1.1.1 (MR) and C.8.16.1 (enhanced), and the words that scanners
    write there: M, P, R and I for the component of a complex image, alone or before the name of a
    sequence ("P_FFE"), water and fat, the maps of diffusion, and MPR, MIP and their kin, also as
    the last word of a value ("CT_SOM5 MIP"). Whether the image is ORIGINAL or DERIVED, PRIMARY or
    SECONDARY does not matter: lossy compression alone changes that.

    Returns:
        The words in alphabetical order. An MR image that has none of them is a "MAGNITUDE", which
        is not said of one that has; any other image is "AXIAL", a plain slice (C.8.2.1.1.1).
    """
    is_mr = header.modality == "MR"
    vocabulary = _MR_WORDS if is_mr else _WORDS
    words = [word for value in header.image_type[2:] for word in _readings(value, vocabulary)]
    if is_mr and header.origin.component in vocabulary:  # MIXED, of a whole file, is not
        words.append(header.origin.component)
    kinds = {vocabulary[word] for word in words} - {"MAGNITUDE"}
    return " ".join(sorted(kinds)) or ("MAGNITUDE" if is_mr else "AXIAL")


def _readings(value: str, vocabulary: dict[str, str]) -> list[str]:
    """The known word that a value is, begins with as Philips writes it, or ends in."""
    value = value.strip().upper()
    stem, _, sequence = value.partition("_")
    last = value.rpartition(" ")[2]
    forms = (value, stem if sequence and len(stem) <= 2 else "", last if len(last) > 2 else "")
    return [form for form in forms if form in vocabulary][:1]


def mixed_acquisition(slices: Sequence[Slice]) -> str:
    """Slices, one at each place, of several echoes, b-values, times, voltages or series.

    Of CT also those whose AcquisitionNumbers take turns along the normal, such as two phases at
    half a spacing. Numbers that come in blocks are one scan, rotation after rotation.

    Args:
        slices: sorted along their normal.
    """
    if found := _differences(slices, _OF_ONE_VOLUME):
        return found
    numbers = [s.origin.acquisition for s in slices if s.modality == "CT"]
    blocks = 1 + sum(a != b for a, b in pairwise(numbers))
    if not numbers or blocks <= len(set(numbers)):
        return ""
    return f"{_differences(slices, [_ACQUISITION])} that take turns along the normal"


def differences(slices: Sequence[Slice]) -> str:
    """What tells slices of one place apart: "2 echo times (4.6 ms, 9.2 ms), 2 trigger times (...)".

    Empty where nothing that is read differs.
    """
    quantities = _listed(map(quantity, slices), "quantities")
    return ", ".join(filter(None, (quantities, _differences(slices, _OF_ONE_PLACE))))


def _differences(slices: Sequence[Slice], traits: Iterable[_Trait]) -> str:
    return ", ".join(filter(None, (_difference(slices, trait) for trait in traits)))


def _difference(slices: Sequence[Slice], trait: _Trait) -> str:
    stated = {getattr(s.origin, trait.field) for s in slices}
    if len(stated) < 2:
        return ""
    values = _distinct(stated, trait)
    if len(values) < 2:
        return ""
    count = f"{len(values)} {trait.names}"
    shown = values if len(values) <= _MOST_LISTED else [*values[:2], "...", values[-1]]
    return f"{count} ({', '.join(shown)})" if trait.is_listed else count


def _distinct(stated: set[str], trait: _Trait) -> list[str]:
    """The values that differ: numbers by size, of those within the tolerance the lowest; text."""
    numbers = {} if trait.tolerance is None else {text: _number(text) for text in stated}
    distinct: list[float] = []
    for n in sorted(n for n in numbers.values() if n is not None):
        if not distinct or n - distinct[-1] > (trait.tolerance or 0) * abs(n):
            distinct.append(n)
    others = sorted(text for text in stated if text and numbers.get(text) is None)
    none = ["none"] if "" in stated else []
    return [*(f"{n:g} {trait.unit}".rstrip() for n in distinct), *others, *none]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _counted(values: Iterable[str], what: str) -> str:
    """How many values and of how many slices each is, largest first."""
    counts = Counter(values)
    if len(counts) < 2:
        return ""
    shares = [str(n) for _, n in counts.most_common()]
    *first, last = shares if len(shares) <= _MOST_LISTED else [*shares[:2], "...", shares[-1]]
    return f"{len(counts)} {what}, of {', '.join(first)} and {last} slices"


def _listed(values: Iterable[str], what: str) -> str:
    counts = Counter(values)
    if len(counts) < 2:
        return ""
    shown = [f"{v or 'none'} ({n} slice{'s' * (n > 1)})" for v, n in sorted(counts.items())]
    return f"{len(counts)} {what}: {', '.join(shown)}"
