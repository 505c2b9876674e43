"""Find cases: the images and labels of one's own data, whatever form they have.

A table (CSV) or a `datalist.json` names them. In a folder they are found: DICOM series by the
Segmentation or RT Structure Set that was drawn on them, all others by the names of their files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medseg.datasets.own.channels import ChannelRules
from medseg.datasets.own.dicom.class_mapping import parse_rules
from medseg.datasets.own.dicom.convert import convert_series
from medseg.datasets.own.dicom.labelled_series import LabelledSeries, find_labelled_series
from medseg.datasets.own.given_folds import read_given_folds
from medseg.datasets.own.jpeg_masks import convert_masks
from medseg.datasets.own.listed_cases import read_datalist, read_table
from medseg.datasets.own.pair_files import Pair, list_image_files, pair_files
from medseg.datasets.own.structures.join_structures import join_structures
from medseg.ingest.formats import is_named_dicom, is_picture_file, is_volume_file


@dataclass(frozen=True)
class FoundCases:
    """Cases, and what is known of them beforehand.

    Attributes:
        pairs: the cases.
        faults: what is wrong, a line for each.
        classes: class name -> label values, where the data name them.
        rows: of DICOM: case, folder of the series, object, and what its names became.
        segments: class name -> label values, where label files name their segments.
    """

    pairs: Sequence[Pair]
    faults: Sequence[str]
    classes: Mapping[str, Sequence[int]] | None = None
    rows: Sequence[tuple[str, str, str, str]] = ()
    segments: Mapping[str, Sequence[int]] = field(default_factory=dict)


def find_cases(
    data: Path,
    *,
    out: Path,
    images: str | None = None,
    labels: Sequence[str] = (),
    several_readers: bool = False,
    channels: ChannelRules | None = None,
) -> FoundCases:
    """Find the cases of a folder, a table or a datalist.

    Args:
        data: the folder, or a file .csv or .json.
        out: folder that DICOM series are written to as NIfTI, masks that are JPEG as PNG, and one
            label map where a case has a label file for each structure.
        images: a pattern of the paths of images, see `pair_files`.
        labels: a pattern of the paths of labels; or rules such as "Kidney*=kidney", which names of
            segments and structures of DICOM, or of label files, belong to which class.
        several_readers: whether the labels of a case are of a reader each.
        channels: of DICOM, which series of a study are the channels of an image; None where the
            series that was drawn on is the image.

    Raises:
        FileNotFoundError: `data` does not exist.
        ValueError: it holds no cases, or the options do not fit it, such as a rule of `labels`
            that matches nothing.
    """
    channels = channels or ChannelRules()
    if data.is_file():
        _check_names(channels, data)
        has_patterns = bool(images or labels)
        return _find_in_list(data, out, has_patterns=has_patterns, several_readers=several_readers)
    if not data.is_dir():
        raise FileNotFoundError(
            f"no folder or table {data.absolute()}: give the folder of images and labels, or a .csv"
        )
    rules = _list_rules(labels)
    has_files = bool(list_image_files(data))
    if rules or not has_files:
        labelled, faults = find_labelled_series(data)
        if labelled or faults or not has_files:
            _check_dicom(data, images, labelled, faults)
            made = convert_series(
                *(labelled, out),
                root=data,
                rules=parse_rules(labels),
                several_readers=several_readers,
                channels=channels,
            )
            classes = {label: [value] for label, value in made.classes.items()}
            return FoundCases(made.pairs, [*faults, *made.faults], classes, made.rows)
    _check_names(channels, data)
    if several_readers and rules:
        raise ValueError("--labels with = names classes of structures: leave it or --readers out")
    pattern = labels[0] if labels and not rules else None
    found = _pair(data, images, pattern, several_readers=several_readers or bool(rules))
    return _join(found, out, rules, several_readers=several_readers)


def _check_names(channels: ChannelRules, data: Path) -> None:
    """Refuse patterns of DICOM series where there are files."""
    if channels.patterns:
        raise ValueError(
            f"--channels with = tells DICOM series, and {data.absolute()} has other files, whose "
            "names tell channels: name these alone, such as --channels flair,t1"
        )


def _find_in_list(
    file: Path, out: Path, *, has_patterns: bool, several_readers: bool
) -> FoundCases:
    """The cases of a table or a datalist."""
    if is_volume_file(file) or is_picture_file(file) or is_named_dicom(file):
        raise ValueError(
            f"{file} is a single image: give the folder that holds images and labels, or a .csv "
            "that names them"
        )
    if has_patterns:
        raise ValueError(f"{file} names the files itself: pass no --images and --labels")
    read = read_datalist if file.suffix == ".json" else read_table
    found = FoundCases(*read(file, several_readers=several_readers))
    return _join(found, out, (), several_readers=several_readers)


def _list_rules(labels: Sequence[str]) -> list[str]:
    """Those of the texts that are rules: all, or none and a single pattern."""
    rules = [text for text in labels if "=" in text]
    if (rules and len(rules) < len(labels)) or len(labels) - len(rules) > 1:
        raise ValueError(
            "--labels is either one pattern of files, or one rule or more such as 'Kidney*=kidney'"
        )
    return rules


def _pair(
    data: Path, images: str | None, labels: str | None, *, several_readers: bool
) -> FoundCases:
    """The pairs of files in a folder, with the folds that they came with."""
    pairs, faults = pair_files(data, images=images, labels=labels, several_readers=several_readers)
    fold_of = read_given_folds(data, [pair.case for pair in pairs if pair.label is not None])
    return FoundCases([replace(p, fold=fold_of.get(p.case)) for p in pairs], faults)


def _join(
    found: FoundCases, out: Path, rules: Sequence[str], *, several_readers: bool
) -> FoundCases:
    """The cases with one label file each, unless their files are of several readers."""
    if not (several_readers or found.faults) and any(pair.readers for pair in found.pairs):
        found = _join_structures(found, out, rules)
    pairs, faults = convert_masks(found.pairs, out)
    return replace(found, pairs=pairs, faults=[*found.faults, *faults])


def _join_structures(found: FoundCases, out: Path, rules: Sequence[str]) -> FoundCases:
    """The cases with one label map of the label files of each; images without any stay so."""
    joined = join_structures(
        [pair for pair in found.pairs if pair.readers], out, rules=parse_rules(rules)
    )
    bare = [pair for pair in found.pairs if not pair.readers]
    pairs = sorted([*joined.pairs, *bare], key=lambda pair: pair.case)
    return FoundCases(pairs, joined.faults, joined.classes)


def _check_dicom(
    data: Path, images: str | None, labelled: Sequence[LabelledSeries], faults: Sequence[str]
) -> None:
    """Refuse a folder without labelled series, and an option that these do not have."""
    if images:
        raise ValueError(
            f"--images is a pattern of files, and {data.absolute()} is read as DICOM series: "
            "leave it out"
        )
    if not labelled:
        more = f" ({faults[0]})" if faults else ""
        raise ValueError(
            f"{data.absolute()} holds no volumes or pictures, and no DICOM series with a "
            f"Segmentation or an RT Structure Set{more}: give the folder of images and labels"
        )
