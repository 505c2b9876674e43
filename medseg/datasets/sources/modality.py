"""Modality: whether what a dataset.json calls its images is of another modality than a bundle's."""

import re

_TOKENS = {
    "CT": r"(?:c|cb|ld|ce|ne|nc|nce|hr)?ct[a]?",
    "MR": r"f?mr[ia]?|t[12][a-z]*|flair|adc|dwi|dti|swi|mprage",
    "PET": r"pet|pt|fdg|suv",
    "ultrasound": r"us|ultrasound|ultrasonography",
    "X-ray": r"xray|cr|dx",
}
"""Modality -> the words that say it, in small letters."""


def other_modality(name: str | None, expected: str) -> str | None:
    """The modality that a name says, where that is not the expected one.

    A name that says none of the known ones, or several of which one is expected, is no
    contradiction: names are the user's own.

    Args:
        name: what `dataset.json` calls the images, such as "MRI", "T2-weighted" or "PET/CT".
        expected: "CT" or "MR".

    Example:
        >>> other_modality("MRI", "CT"), other_modality("PET/CT", "CT"), other_modality("x", "CT")
        ('MR', None, None)
    """
    words = re.split(r"[^a-z0-9]+", (name or "").lower().replace("x-ray", "xray"))
    said = [key for key, form in _TOKENS.items() if any(re.fullmatch(form, w) for w in words)]
    return said[0] if said and expected not in said else None
