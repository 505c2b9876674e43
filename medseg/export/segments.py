"""Segments: what the values of a mask are called in a DICOM object."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass

import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as DicomCode

from medseg.export.texts import make_long_string, make_short_string
from medseg.export.uids import make_uid
from medseg.labels import Code, Label, LabelTable

MANUFACTURER = "medseg"
PRIVATE_SCHEME = "99MEDSEG"
"""The coding scheme of labels for which no code is known; their own name is the meaning."""

UNKNOWN_CATEGORY = Code("85756007", "SCT", "Tissue")
"""The category of such labels (PS3.16 CID 7150)."""

_LONGEST_CODE = 16  # characters of SH


@dataclass(frozen=True)
class Algorithm:
    """What made a mask.

    Args:
        name: of the bundle.
        version: of the bundle.
    """

    name: str
    version: str

    def identify(self) -> hd.AlgorithmIdentificationSequence:
        """The algorithm identification macro (PS3.3 section 10.16)."""
        return hd.AlgorithmIdentificationSequence(
            name=make_long_string(f"{MANUFACTURER} {self.name}"),
            family=codes.cid7162.ArtificialIntelligence,
            version=make_long_string(self.version),
        )


def find_software_version() -> str:
    """The version of medseg, as it is installed."""
    return importlib.metadata.version("medseg")


def describe_segments(
    labels: LabelTable, algorithm: Algorithm, *, as_wholes: bool = False
) -> Iterator[hd.seg.SegmentDescription]:
    """Describe the labels but the background: names, codes, colours and what found them.

    Args:
        labels: those of the object.
        algorithm: what found them.
        as_wholes: whether a segment of a label that encloses others has the whole, such as a liver
            with its tumours, and is named so.
    """
    for label in labels.foreground:
        category, kind = find_codes_of(label)
        segment = hd.seg.SegmentDescription(
            segment_number=label.index,
            segment_label=make_long_string(label.whole_name if as_wholes else label.name),
            segmented_property_category=category,
            segmented_property_type=kind,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm.identify(),
            anatomic_regions=None if label.site is None else [_to_dicom(label.site)],
        )
        if label.laterality is not None:
            _add_side(segment, label.laterality)
        segment.RecommendedDisplayCIELabValue = _to_cielab(label.rgb)
        yield segment


def find_codes_of(label: Label) -> tuple[DicomCode, DicomCode]:
    """Category and type of a label; a private code with its name where none is known."""
    if label.category is not None and label.type is not None:
        return _to_dicom(label.category), _to_dicom(label.type)
    value = make_short_string(label.whole_name)
    if value != label.whole_name:
        value = make_uid(label.whole_name)[-_LONGEST_CODE:]
    meaning = make_long_string(label.whole_name)
    return _to_dicom(UNKNOWN_CATEGORY), DicomCode(value, PRIVATE_SCHEME, meaning)


def find_site_of(label: Label) -> hd.sr.FindingSite | None:
    """Where a label lies, for a report; None where it tells neither a side nor a site."""
    place = label.site or (label.laterality and label.type)
    if place is None:
        return None
    side = label.laterality and _to_dicom(label.laterality)
    return hd.sr.FindingSite(_to_dicom(place), laterality=side)


def make_code_item(code: DicomCode) -> Dataset:
    """An item of a sequence of codes."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def _add_side(segment: hd.seg.SegmentDescription, side: Code) -> None:
    """Add the side of the site of a finding, or else of the structure itself."""
    modifier = [make_code_item(_to_dicom(side))]
    if "AnatomicRegionSequence" in segment:
        segment.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = modifier
    else:
        kind = segment.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = modifier


def _to_dicom(code: Code) -> DicomCode:
    return DicomCode(code.value, code.scheme, code.meaning)


def _to_cielab(rgb: tuple[int, int, int]) -> list[int]:
    """A colour as three integers of 0 to 65535 (PS3.3 section C.10.7.1.1)."""
    return [int(value) for value in np.asarray(hd.color.CIELabColor.from_rgb(*rgb).value)]
