"""Existing outputs: refuse a volume whose label map is there, before anything heavy is imported."""

import os
from collections.abc import Sequence
from pathlib import Path

from medseg.ingest.formats import is_volume_file, strip_suffix

_OTHER_NAMES = ("--existing", "--choose_series", "--series_uid")
"""Options with which outputs do not matter, or cases have other names."""

_FIRST_CHANNEL = "_0000"  # by the names of nnU-Net


def refuse_outputs_of_volume(source: Path, out: Path, *, words: Sequence[str]) -> None:
    """Refuse one volume file whose label map is in the folder of the outputs.

    All else passes: how cases of a folder are named is known when they are found, and outputs are
    looked for again then.

    Args:
        source: what is to be segmented.
        out: folder of the outputs.
        words: of the command line, with the overrides.

    Raises:
        ValueError: naming the case, and what to do.
    """
    if any(word.partition("=")[0] in _OTHER_NAMES for word in words):
        return
    if not (source.is_file() and is_volume_file(source)):
        return
    stem = strip_suffix(source.name)
    case = stem.removesuffix(_FIRST_CHANNEL) or stem
    if os.path.lexists(out / f"{case}.nii.gz"):
        raise ValueError(
            f"1 of 1 case would write over outputs in {out.absolute()} ({case}): pass --existing "
            "skip or --existing overwrite, or write to another folder"
        )
