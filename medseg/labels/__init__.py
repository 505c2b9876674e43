"""Labels: what the numbers in a mask mean: name, coded concept and colour.

The label files in a folder of outputs, previews, DICOM Segmentations and reports all take them from
here, so that one class has one name, code and colour everywhere.
"""

from medseg.labels.concepts import (
    ANATOMY,
    MORPHOLOGY,
    Code,
    Concept,
    find_concept,
)
from medseg.labels.table import (
    BACKGROUND,
    BRIGHT_COLOURS,
    COLOURS,
    OUTSIDE,
    Colours,
    Label,
    LabelTable,
    choose_colour,
    make_table,
)

__all__ = [
    "ANATOMY",
    "BACKGROUND",
    "BRIGHT_COLOURS",
    "COLOURS",
    "MORPHOLOGY",
    "OUTSIDE",
    "Code",
    "Colours",
    "Concept",
    "Label",
    "LabelTable",
    "choose_colour",
    "find_concept",
    "make_table",
]
