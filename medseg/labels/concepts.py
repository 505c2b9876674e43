"""Concepts: the coded concept of a class, found by its English name.

concepts.csv lists names of anatomical structures and findings with their SNOMED CT codes: those of
DICOM PS3.16 where it has them, else the code's `source`. Beyond these, a name that DICOM itself
lists for segmentations (CID 7192 and CID 7194) is known by its meaning.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files

SCHEME = "SCT"
"""The coding scheme of SNOMED CT."""


@dataclass(frozen=True)
class Code:
    """A coded concept.

    Args:
        value: code value, for instance "10200004".
        scheme: coding scheme designator, "SCT" (SNOMED CT) or "DCM".
        meaning: code meaning, for people; two codes of one value and scheme are equal.

    Source: DICOM PS3.3 section 8 and PS3.16 section 8.
    """

    value: str
    scheme: str
    meaning: str = field(compare=False)


@dataclass(frozen=True)
class Concept:
    """What a class is, in codes.

    Args:
        category: segmented property category (PS3.16 CID 7150).
        type: segmented property type.
        laterality: left or right (CID 244), of `site` if there is one, else of `type`; None where
            the name tells no side, or `type` itself is of one side.
        site: the structure in which a finding lies, such as the kidney of a cyst; None where the
            name tells none, and for an anatomical structure.
    """

    category: Code
    type: Code
    laterality: Code | None = None
    site: Code | None = None


ANATOMY = Code("91723000", SCHEME, "Anatomical Structure")
MORPHOLOGY = Code("49755003", SCHEME, "Morphologically Abnormal Structure")
TISSUE = Code("85756007", SCHEME, "Tissue")

CATEGORIES = {"anatomy": ANATOMY, "abnormal": MORPHOLOGY, "tissue": TISSUE}
SIDES = {"left": Code("7771000", SCHEME, "Left"), "right": Code("24028007", SCHEME, "Right")}
"""The words for a side in names and in concepts.csv, and their codes (CID 244)."""

PAIRED = "paired"
"""In concepts.csv: a structure with a left and a right one; the code is of either."""

_AMBIGUOUS = ("background", "normal", "ventricle")
"""Meanings in the lists of DICOM that name no structure, or for others another one: its ventricle
is of the heart, and models of the brain call theirs so too."""

_SPELLINGS = {
    **{"tumor": "tumour", "oesophagus": "esophagus", "oedema": "edema"},
    **{"haemorrhage": "hemorrhage"},
}
"""Words of names, and the spelling of the lists."""

_SIDE_AT_END = re.compile(r"(?:\s*\((left|right)\)|,\s*(left|right))$")
_BETWEEN_WORDS = re.compile(r"[\s_]+|(?<=\w)-(?=\w)")


def find_concept(name: str) -> Concept | None:
    """The coded concept of a class by its English name; None where none is known for sure.

    Capitals, a plural s, and whether spaces, underscores or hyphens divide the words do not count.
    A side may stand anywhere: "kidney_left", "Left kidney", "kidney (left)".

    Example:
        >>> found = find_concept("Left_Kidney")
        >>> found.type.meaning, found.laterality.meaning
        ('Kidney', 'Left')
        >>> find_concept("anterior") is None
        True
    """
    words, side = _split(name)
    for form in (words, words.removesuffix("s")):
        if found := _read_concepts().get((form, side)):
            return found
    whole = " ".join(_divide(name))
    for form in (whole, whole.removesuffix("s")):
        if found := _read_lists().get(form):
            return found
    return None


def _split(name: str) -> tuple[str, str]:
    """The words of a name without its side, and the side; both sides count as words."""
    words = _divide(_SIDE_AT_END.sub(r" \1\2", name.strip().lower()))
    sides = [word for word in words if word in SIDES]
    if len(sides) != 1:
        return " ".join(words), ""
    return " ".join(word for word in words if word not in SIDES), sides[0]


def _divide(name: str) -> list[str]:
    words = _BETWEEN_WORDS.split(name.strip().lower())
    return [_SPELLINGS.get(word, word) for word in words if word]


@lru_cache(maxsize=1)
def _read_concepts() -> dict[tuple[str, str], Concept]:
    """The concepts of concepts.csv by name and side, which is "" for none."""
    found: dict[tuple[str, str], Concept] = {}
    for row in read_rows():
        site = Code(row["site"], SCHEME, row["site_meaning"]) if row["site"] else None
        kind = Code(row["code"], SCHEME, row["meaning"])
        concept = Concept(CATEGORIES[row["category"]], kind, site=site)
        for name in row["names"].split(";"):
            if row["laterality"] != PAIRED:
                found[name, row["laterality"]] = concept
                continue
            found[name, ""] = concept
            for side, code in SIDES.items():
                found[name, side] = replace(concept, laterality=code)
    return found


def read_rows() -> Iterator[dict[str, str]]:
    """The rows of concepts.csv.

    Its columns are `names` (in small letters, divided by ;), `category` (of `CATEGORIES`), `code`
    and `meaning` of the type, `laterality` (left or right where the type is of that side alone,
    paired, or nothing), `site` with `site_meaning`, and `source`, which gives the code.
    """
    text = (files("medseg.labels") / "concepts.csv").read_text("utf-8")
    yield from csv.DictReader(text.splitlines())


@lru_cache(maxsize=1)
def _read_lists() -> dict[str, Concept]:
    """The concepts that DICOM lists for segmentations, by the words of their meaning."""
    from pydicom.sr.codedict import codes  # here, since it takes time that few commands need

    return {
        " ".join(_divide(listed.meaning)): Concept(
            category, Code(listed.value, SCHEME, listed.meaning)
        )
        for category, context in ((ANATOMY, codes.cid7192), (MORPHOLOGY, codes.cid7194))
        for listed in context.concepts.values()
        if listed.scheme_designator == SCHEME and listed.meaning.lower() not in _AMBIGUOUS
    }
