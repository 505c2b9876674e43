"""Find cases: the images and labels of one's own data, whatever form they have.

A table (CSV) or a `datalist.json` names them. In a folder they are found: DICOM series by the
Segmentation or RT Structure Set that was drawn on them, all others by the names of their files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medseg.datasets.own.dicom.class_mapping import parse_rules
from medseg.datasets.own.dicom.convert import convert_series
from medseg.datasets.own.dicom.labelled_series import find_labelled_series
from medseg.datasets.own.given_folds import read_given_folds
from medseg.datasets.own.jpeg_masks import convert_masks
from medseg.datasets.own.listed_cases import read_datalist, read_table
from medseg.datasets.own.pair_files import Pair, list_image_files, pair_files


@dataclass(frozen=True)
class FoundCases:
    """Cases, and what is known of them beforehand.

    Attributes:
        pairs: the cases.
        faults: what is wrong, a line for each.
        classes: class name -> label values, where the data name them.
        rows: of DICOM: case, folder of the series, object, and what its names became.
    """

    pairs: Sequence[Pair]
    faults: Sequence[str]
    classes: Mapping[str, Sequence[int]] | None = None
    rows: Sequence[tuple[str, str, str, str]] = ()


def find_cases(
    data: Path,
    *,
    out: Path,
    images: str | None = None,
    labels: Sequence[str] = (),
    several_readers: bool = False,
) -> FoundCases:
    """Find the cases of a folder, a table or a datalist.

    Args:
        data: the folder, or a file .csv or .json.
        out: folder that DICOM series are written to as NIfTI, and masks that are JPEG as PNG.
        images: a pattern of the paths of images, see `pair_files`.
        labels: a pattern of the paths of labels; for DICOM rules such as "Kidney*=kidney", which
            names of segments and structures belong to which class.
        several_readers: whether a case may have several labels, of a reader each.

    Raises:
        FileNotFoundError: `data` does not exist.
        ValueError: it holds no cases, or the options do not fit it, such as a rule of `labels`
            that matches nothing.
    """
    if data.is_file():
        if images or labels:
            raise ValueError(f"{data} names the files itself: pass no --images and --labels")
        read = read_datalist if data.suffix == ".json" else read_table
        found = FoundCases(*read(data, several_readers=several_readers))
        return _convert_masks(found, out)
    if not data.is_dir():
        raise FileNotFoundError(
            f"no folder or table {data.absolute()}: give the folder of images and labels, or a .csv"
        )
    rules = [text for text in labels if "=" in text]
    if (rules and len(rules) < len(labels)) or len(labels) - len(rules) > 1:
        raise ValueError(
            "--labels is either one pattern of files, or one rule or more such as 'Kidney*=kidney'"
        )
    if rules or not list_image_files(data):
        if several_readers:
            raise ValueError(
                f"--readers takes label files, volumes or pictures, and {data.absolute()} holds "
                "none or is read by rules for DICOM: write the objects of each reader as NIfTI"
            )
        if images:
            raise ValueError(
                f"--images is a pattern of files, and {data.absolute()} is read as DICOM series: "
                "leave it out"
            )
        return _find_dicom(data, out, labels)
    pairs, faults = pair_files(
        data,
        images=images,
        labels=labels[0] if labels else None,
        several_readers=several_readers,
    )
    fold_of = read_given_folds(data, [pair.case for pair in pairs if pair.label is not None])
    found = FoundCases([replace(p, fold=fold_of.get(p.case)) for p in pairs], faults)
    return _convert_masks(found, out)


def _convert_masks(found: FoundCases, out: Path) -> FoundCases:
    pairs, faults = convert_masks(found.pairs, out)
    return replace(found, pairs=pairs, faults=[*found.faults, *faults])


def _find_dicom(data: Path, out: Path, rules: Sequence[str]) -> FoundCases:
    labelled, faults = find_labelled_series(data)
    if not labelled:
        more = f" ({faults[0]})" if faults else ""
        files = "" if rules else "no volumes or pictures, and "
        remedy = (
            "--labels with = is for those: pass a pattern of files without ="
            if rules
            else "give the folder of images and labels"
        )
        raise ValueError(
            f"{data.absolute()} holds {files}no DICOM series with a Segmentation or an RT "
            f"Structure Set{more}: {remedy}"
        )
    made = convert_series(labelled, out, root=data, rules=parse_rules(rules))
    classes = {label: [value] for label, value in made.classes.items()}
    return FoundCases(made.pairs, [*faults, *made.faults], classes, made.rows)
