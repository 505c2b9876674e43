"""Origin: the patient, study, acquisition and reconstruction that a header states for a slice.

What is read here only tells slices apart: it is compared as text, never computed with, so that a
value which is no number refuses nothing by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import pydicom
from pydicom.tag import BaseTag, Tag

from medseg.ingest.dicom.files.elements import get_macro
from medseg.ingest.dicom.header.compared_elements import COMPARED_IN_FILES
from medseg.ingest.dicom.header.origin_elements import (
    AS_NUMBERS,
    AS_STORED,
    COMPARED_BY_OWN_RULES,
    CONVERTED,
    FRAME_ELEMENTS,
    MACROS,
    STORED_TAGS,
)
from medseg.ingest.dicom.header.other_elements import (
    Others,
    read_frame_others,
    read_items,
    read_others,
)
from medseg.ingest.dicom.header.private import read_b_value as private_b_value
from medseg.ingest.dicom.header.private import read_direction as private_direction

_GE_CREATOR, _GE_COMPONENT = Tag(0x0043, 0x0010), Tag(0x0043, 0x102F)
_GE_COMPONENTS = ("MAGNITUDE", "PHASE", "REAL", "IMAGINARY")
"""What 0 to 3 mean in GE's own element "Image Type (real, imaginary, phase, magnitude)" of MR."""

KEYWORDS = (
    *(*AS_STORED.values(), *AS_NUMBERS.values(), *COMPARED_IN_FILES.values()),
    *(f"{tag:08X}" for tag in (_GE_CREATOR, _GE_COMPONENT)),
)


@dataclass(frozen=True)
class Origin:
    """What a header states about the origin of its slice; "" where it states nothing.

    `patient`, `birth_date` and `sex` are kept for comparison alone, and so is free text, which may
    name a patient: they are not shown, not even by `repr`. `others` are of
    `medseg.ingest.dicom.header.other_elements`, and make no two origins differ.
    """

    patient: str = field(default="", repr=False)
    birth_date: str = field(default="", repr=False)
    sex: str = field(default="", repr=False)
    study: str = ""
    series_number: str = ""
    kernel: str = ""
    component: str = ""
    acquisition: str = ""
    tube_kv: str = ""
    echo_time_ms: str = ""
    b_value: str = ""
    direction: str = ""
    temporal_position: str = ""
    trigger_time_ms: str = ""
    acquisition_time: str = ""
    repetition_time_ms: str = ""
    inversion_time_ms: str = ""
    flip_angle_degrees: str = ""
    sequence_name: str = ""
    scanning_sequence: str = ""
    thickness_mm: str = ""
    contrast_agent: str = ""
    patient_position: str = ""
    filter_type: str = ""
    units: str = ""
    description: str = field(default="", repr=False)
    protocol: str = field(default="", repr=False)
    comments: str = field(default="", repr=False)
    series_time: str = ""
    echo_number: str = ""
    sequence_variant: str = ""
    scan_options: str = ""
    magnetization_transfer: str = ""
    reconstruction: str = ""
    irradiation: str = ""
    reference_time_ms: str = ""
    temporal_index: str = ""
    temporal_offset_s: str = ""
    cardiac_phase: str = ""
    respiratory_phase: str = ""
    trigger_delay_ms: str = ""
    stack: str = ""
    in_stack: str = ""
    dimensions: str = ""
    laterality: str = ""
    image_laterality: str = ""
    metabolite: str = field(default="", repr=False)
    body_part: str = ""
    others: Others = field(default=(), repr=False, compare=False)


def find_keyword(name: str) -> str:
    """The keyword of the element behind a field of `Origin`.

    Example:
        >>> find_keyword("tube_kv")
        'KVP'
    """
    found = AS_STORED.get(name) or AS_NUMBERS.get(name)
    return found or FRAME_ELEMENTS.get(name, ("", name))[1]


def read_origin(dataset: pydicom.Dataset) -> Origin:
    """Read the origin from the elements of a file.

    Example:
        >>> dataset = pydicom.Dataset()
        >>> dataset.EchoTime = "4.60"
        >>> read_origin(dataset).echo_time_ms
        '4.60'
    """
    nested = _read_macros([_select_readable_macros(dataset)])
    stated = {name: value or nested.get(name, "") for name, value in _read_fields(dataset).items()}
    stated |= {name: value for name, value in nested.items() if name not in stated}
    private = {
        "component": stated["component"] or _read_ge_component(dataset),
        "b_value": stated["b_value"] or private_b_value(dataset),
        "direction": stated["direction"] or private_direction(dataset),
    }
    return Origin(**stated | private, others=read_others(dataset, but=COMPARED_BY_OWN_RULES))


def read_frame_origin(origin: Origin, groups: Sequence[pydicom.Dataset]) -> Origin:
    """The origin of one frame.

    Args:
        origin: that of the file as a whole, for what its groups do not state.
        groups: functional groups, that of the frame before the shared one.
    """
    stated = _read_macros(groups)
    kept = [get_macro(groups, keyword) for keyword in CONVERTED]
    kept += _list_private_items(groups[0])
    for item in kept:
        stated = {**_read_fields(item), **{k: v for k, v in stated.items() if v}}
    for item in (groups[0], *kept):
        stated["b_value"] = stated["b_value"] or private_b_value(item)
        stated["direction"] = stated["direction"] or private_direction(item)
    others = dict(origin.others) | dict(read_frame_others(groups[0]))
    for item in kept:
        others |= dict(read_others(item, but=COMPARED_BY_OWN_RULES))
    stated = {name: value for name, value in stated.items() if value}
    return replace(origin, **stated, others=tuple(others.items()))


def add_shared(origin: Origin, group: pydicom.Dataset) -> Origin:
    """Add what the frames of a file share, which may distinguish it from another file."""
    return replace(origin, others=(*origin.others, *read_frame_others(group)))


def _read_macros(groups: Sequence[pydicom.Dataset]) -> dict[str, str]:
    diffusion = get_macro(groups, "MRDiffusionSequence")
    gradient = get_macro([diffusion], "DiffusionGradientDirectionSequence")
    stated = {
        name: _read_value(get_macro(groups, s), keyword)
        for name, (s, keyword) in FRAME_ELEMENTS.items()
    }
    return stated | {"direction": _read_value(gradient, "DiffusionGradientOrientation")}


def _select_readable_macros(dataset: pydicom.Dataset) -> pydicom.Dataset:
    """The sequences of a file of one slice that enhanced objects have in their frames."""
    found = pydicom.Dataset()
    for tag in MACROS & dataset.keys():
        if read_items(dataset, tag):
            found[tag] = dataset[tag]
    return found


def _list_private_items(group: pydicom.Dataset) -> list[pydicom.Dataset]:
    """The items of private sequences, in which Philips and Siemens state what a frame is of."""
    values = (group[tag].value for tag in group.keys() if tag.group % 2)  # noqa: SIM118
    return [item for value in values if isinstance(value, pydicom.Sequence) for item in value]


def _read_fields(dataset: pydicom.Dataset) -> dict[str, str]:
    stored = {name: _read_stored(dataset, tag) for name, tag in STORED_TAGS.items()}
    return stored | {name: _read_value(dataset, keyword) for name, keyword in AS_NUMBERS.items()}


def _read_ge_component(dataset: pydicom.Dataset) -> str:
    """ComplexImageComponent as GE states it before enhanced objects; "" where it does not."""
    element = dataset.get_item(_GE_COMPONENT)
    if element is None or _read_stored(dataset, _GE_CREATOR) != "GEMS_PARM_01":
        return ""
    value = element.value
    if isinstance(value, bytes) and value:
        is_little = getattr(element, "is_little_endian", True)
        value = int.from_bytes(value[:2], "little" if is_little else "big")
    return _GE_COMPONENTS[value] if value in range(len(_GE_COMPONENTS)) else ""


def _read_stored(dataset: pydicom.Dataset, tag: BaseTag) -> str:
    """Text as in the file, several values with backslashes: pydicom's conversion takes longer."""
    element = dataset.get_item(tag)
    value = None if element is None else element.value
    stated = value.decode("latin-1") if isinstance(value, bytes) else _to_text(value)
    return "\\".join(part.strip(" \0") for part in stated.split("\\"))


def _read_value(dataset: pydicom.Dataset, keyword: str) -> str:
    return _to_text(dataset.get(keyword))


def _to_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return str(value)
    return "\\".join(str(v) for v in value)
