"""LIDC XML: the marks of the readers of one scan, as the collection publishes them.

Two kinds of file are in use. They differ in the root element and its name space:

- `LidcReadMessage`, `http://www.nih.gov`: the reads of a CT, in `readingSession`s;
- `IdriReadMessage`, `http://www.nih.gov/idri`: the reads of a chest radiograph, in
  `CXRreadingSession`s; its marks have no z position and belong to no CT.

A file without a name space is read as well. A reading session is one reader; who that was differs
from scan to scan, so readers of two scans cannot be compared.

Source: LIDC XML file documentation (The Cancer Imaging Archive, collection LIDC-IDRI); McNitt-Gray
et al., Academic Radiology 14, 2007; Armato et al., Medical Physics 38, 2011.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

SCALES = {
    "subtlety": 5,
    "internalStructure": 4,
    "calcification": 6,
    "sphericity": 5,
    "margin": 5,
    "lobulation": 5,
    "spiculation": 5,
    "texture": 5,
    "malignancy": 5,
}
"""The nine characteristics and the last value of their scales, which start at 1."""

_ROOTS = {
    ("LidcReadMessage", "http://www.nih.gov"): "CT",
    ("LidcReadMessage", ""): "CT",
    ("IdriReadMessage", "http://www.nih.gov/idri"): "CXR",
    ("IdriReadMessage", ""): "CXR",
}
_SESSIONS = ("readingSession", "CXRreadingSession")
_NODULES = ("unblindedReadNodule", "unblindedRead")
_SERIES = {
    "CT": ("SeriesInstanceUid", "SeriesInstanceUID", "CTSeriesInstanceUid"),
    "CXR": ("CXRSeriesInstanceUid", "SeriesInstanceUid", "SeriesInstanceUID"),
}

# What the parser raises for damaged XML; LookupError is for an unknown encoding.
_XML_ERRORS = (ElementTree.ParseError, LookupError, ValueError)


class Kind(Enum):
    """What a reader marked: by an outline (3 mm and more), or by a single point."""

    NODULE = "nodule"
    SMALL = "small nodule"
    NON_NODULE = "non-nodule"


@dataclass(frozen=True)
class Contour:
    """One region of interest in one slice.

    Attributes:
        points: columns and rows (x, y), from 0 at the centre of the top left pixel.
        sop_uid: SOP Instance UID of the slice, empty where absent.
        z_mm: z of the slice in the patient, None where absent.
        inclusion: False for a hole in the nodule.
    """

    points: tuple[tuple[int, int], ...]
    sop_uid: str
    z_mm: float | None
    inclusion: bool


@dataclass(frozen=True)
class Mark:
    """One thing that one reader marked.

    Attributes:
        reader: number of the reading session in its file, from 1.
        name: the reader's own name for it.
        kind: a nodule has a contour of several points, a small one and a non-nodule only points.
        characteristics: those of the nine that were rated and lie on their scale.
        off_scale: those that were rated off their scale, such as an internalStructure of 5.
        contours: its regions of interest; of a non-nodule its one point.
    """

    reader: int
    name: str
    kind: Kind
    characteristics: tuple[tuple[str, int], ...]
    off_scale: tuple[tuple[str, int], ...]
    contours: tuple[Contour, ...]


@dataclass(frozen=True)
class Reads:
    """The reads of one series.

    Attributes:
        series_uid: Series Instance UID of the CT or radiograph, empty where absent.
        modality: "CT" or "CXR".
        readers: number of reading sessions, those without a mark included; four as a rule.
        marks: what they marked, in the order of the file.
    """

    series_uid: str
    modality: str
    readers: int
    marks: tuple[Mark, ...]


def read_xml(path: str | os.PathLike[str]) -> Reads:
    """Read one file of either kind.

    Raises:
        ValueError: not XML, no reads of LIDC-IDRI, or an invalid number; it names the file.

    Example:
        >>> read_xml("LIDC-IDRI-0314/annotations.xml").readers  # doctest: +SKIP
        4
    """
    try:
        root = ElementTree.fromstring(_refuse_entities(Path(path).read_bytes()))
        modality = _parse_modality(root)
        sessions = [child for child in root if _get_local_name(child) in _SESSIONS]
        marks = [mark for n, session in enumerate(sessions, 1) for mark in _parse_marks(session, n)]
    except _XML_ERRORS as error:
        raise _make_error(path, error) from error
    return Reads(_parse_series_uid(root, modality), modality, len(sessions), tuple(marks))


def _refuse_entities(content: bytes) -> bytes:
    """Refuse entities: no such file declares one, and few of them can stand for gigabytes."""
    if b"<!ENTITY" in content.replace(b"\0", b""):
        raise ValueError("it declares entities, which are not expanded")
    return content


def read_xml_header(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Read (modality, series UID) alone, without the rest of the file.

    Raises:
        ValueError: as `read_xml`, as far as the header goes.
    """
    try:
        with BytesIO(_refuse_entities(Path(path).read_bytes())) as file:
            steps = ElementTree.iterparse(file, events=("start", "end"))
            _, root = next(steps)
            modality = _parse_modality(root)
            for event, element in steps:
                if event == "end" and _get_local_name(element) == "ResponseHeader":
                    break
    except _XML_ERRORS as error:
        raise _make_error(path, error) from error
    return modality, _parse_series_uid(root, modality)


def _parse_modality(root: ElementTree.Element) -> str:
    space, _, local = root.tag.rpartition("}")
    modality = _ROOTS.get((local, space.removeprefix("{")))
    if modality is None:
        raise ValueError(f"its root element is {root.tag}")
    return modality


def _parse_series_uid(root: ElementTree.Element, modality: str) -> str:
    header = next((child for child in root if _get_local_name(child) == "ResponseHeader"), root)
    uids = (_find_text(header, name) for name in _SERIES[modality])
    return next((uid for uid in uids if uid), "")


def _parse_marks(session: ElementTree.Element, reader: int) -> Iterator[Mark]:
    for child in session:
        if _get_local_name(child) in _NODULES:
            yield _parse_nodule(child, reader)
        elif _get_local_name(child) == "nonNodule":
            contour = _parse_contour(child, point="locus")
            yield Mark(
                reader, _find_text(child, "nonNoduleID"), Kind.NON_NODULE, (), (), (contour,)
            )


def _parse_nodule(element: ElementTree.Element, reader: int) -> Mark:
    contours = tuple(
        _parse_contour(roi, point="edgeMap") for roi in element if _get_local_name(roi) == "roi"
    )
    rated = [(name, value) for name, value in _parse_characteristics(element) if name in SCALES]
    on_scale = tuple(item for item in rated if 1 <= item[1] <= SCALES[item[0]])
    return Mark(
        reader=reader,
        name=_find_text(element, "noduleID"),
        kind=Kind.NODULE if any(len(set(c.points)) > 1 for c in contours) else Kind.SMALL,
        characteristics=on_scale,
        off_scale=tuple(item for item in rated if item not in on_scale),
        contours=contours,
    )


def _parse_characteristics(nodule: ElementTree.Element) -> Iterator[tuple[str, int]]:
    for part in nodule:
        if _get_local_name(part) == "characteristics":
            for child in part:
                if child.text and child.text.strip():
                    yield _get_local_name(child), _parse_integer(child.text)


def _parse_contour(roi: ElementTree.Element, *, point: str) -> Contour:
    z = _find_text(roi, "imageZposition")
    points = [
        (_parse_integer(_find_text(child, "xCoord")), _parse_integer(_find_text(child, "yCoord")))
        for child in roi
        if _get_local_name(child) == point
    ]
    return Contour(
        points=tuple(points),
        sop_uid=_find_text(roi, "imageSOP_UID"),
        z_mm=_parse_position(z) if z else None,
        inclusion=_find_text(roi, "inclusion").upper() != "FALSE",
    )


def _find_text(parent: ElementTree.Element, name: str) -> str:
    found = next((child for child in parent if _get_local_name(child) == name), None)
    return "" if found is None or found.text is None else found.text.strip()


def _get_local_name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _parse_integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a whole number") from None


def _parse_position(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]!r} is not a position")
    return value


def _make_error(path: str | os.PathLike[str], error: Exception) -> ValueError:
    reason = " ".join(str(error).split())
    return ValueError(f"{path} cannot be read as LIDC-IDRI XML ({reason}): download it again")
