"""Find cases: the volumes of an input, each a case."""

import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path

from monai.data.image_reader import ImageReader

from medseg.base.arguments import require_bool
from medseg.base.files import check_apart
from medseg.base.path_keys import require_path
from medseg.base.text import LeftOut
from medseg.inference.cases.check_image import CheckImaged
from medseg.inference.cases.existing import Case, check_existing, check_names, select_cases
from medseg.inference.cases.labels_beside import drop_labels, find_key, is_label
from medseg.inference.cases.series_cases import list_series_cases
from medseg.inference.outputs.label_files import is_of_masks
from medseg.inference.outputs.source import FIRST_CHANNEL, get_case_name
from medseg.ingest import IngestError
from medseg.ingest.dicom.read_slices import read_header
from medseg.ingest.formats import (
    is_macos_copy,
    is_named_dicom,
    is_picture_file,
    is_volume_file,
    select_volume_files,
    strip_suffix,
)
from medseg.ingest.reader import VolumeReader
from medseg.ingest.volumes.file import list_files_of

logger = logging.getLogger(__name__)

_PROBABILITIES = ("_probabilities.npy", "_probabilities.json")  # what `ProbabilityFiles` writes
_OF_A_DATASET = ("imagesTr", "imagesTs")
"""Subfolders of a dataset as the Medical Segmentation Decathlon lays it out."""

_NEEDED = (
    "this bundle segments volumes (NIfTI, NRRD, MetaImage, MGH or DICOM), pass one or a folder of "
    "them"
)


def find_cases(
    path: str | os.PathLike,
    *,
    output_dir: str | os.PathLike | None = None,
    existing: str | None = "refuse",
    probabilities: bool = False,
    reader: ImageReader | None = None,
    check: CheckImaged | None = None,
) -> list[Case]:
    """The volumes of an input, as `{"case": name, "image": path}`, sorted by name.

    A file is one case, and so is a folder that holds DICOM files, its subfolders included. In any
    other folder each volume file and each subfolder but `output_dir` is a case; other files are
    left out, and so are folders of masks that medseg wrote, see `is_of_masks`, and labels beside
    their images, see `drop_labels`, which is logged with their number. What a case holds is judged
    when it is read, so that a subfolder without an image fails there and is not passed over. By the
    names of nnU-Net `a_0000.nii.gz` is the case `a`, see `get_case_name`.

    Args:
        path: a volume or DICOM file, a DICOM folder, or a folder of cases.
        output_dir: where each case's label map `<case>.nii.gz` and preview `<case>.png` will be
            written.
        existing: what outputs that are there already mean, see `select_cases`.
        probabilities: whether `ProbabilityFiles` will write there too. "skip" leaves a case that
            has its label map as it is, and warns of those that have no probabilities.
        reader: that will read the images; where it takes all series, see `VolumeReader`, each of a
            DICOM folder is a case of its own, see `list_series_cases`.
        check: what the bundle accepts, by their headers, of such series; the others are left out.

    Raises:
        FileNotFoundError: `path` does not exist.
        OSError: `output_dir` cannot be written.
        TypeError: `path` is no path, or `probabilities` is neither true nor false.
        ValueError: a picture, a folder without a case, DICOM beside volume files, two cases of one
            name, two channels of one case, an unknown `existing`, an `output_dir` that is `path`,
            or outputs that are in the way, see `select_cases`.
    """
    asked = require_bool(probabilities, "save_probabilities")
    source, target = open_input(path, output_dir, existing=existing)
    cases = [{"case": get_case_name(p), "image": str(p)} for p in _find_images(source, target)]
    if isinstance(reader, VolumeReader) and reader.takes_all_series:
        cases = list_series_cases(cases, reader, check=check)
    return select_undone(cases, source, target, existing=existing, asked=asked)


def open_input(
    path: str | os.PathLike, output_dir: str | os.PathLike | None, *, existing: str | None
) -> tuple[Path, Path | None]:
    """The paths of an input and of the outputs, checked, see `find_cases`."""
    if existing is not None:
        check_existing(existing)
    source = Path(require_path(path, "input"))
    if not os.path.exists(source):
        raise FileNotFoundError(
            f"no such file or folder: {source.absolute()} (a volume file, a DICOM folder or a "
            "folder of cases is needed)"
        )
    target = None if output_dir is None else Path(output_dir)
    if target is not None:
        check_apart(target, source)
    return source, target


def select_undone(
    cases: list[Case], source: Path, target: Path | None, *, existing: str | None, asked: bool
) -> list[Case]:
    """The cases that are still to do, with names that differ, see `find_cases`.

    Args:
        cases: of the input `source`.
        source: the input.
        target: folder of the outputs; None where nothing is written.
        existing: see `select_cases`.
        asked: whether probabilities are written too.
    """
    check_names(cases, source)
    if target is None:
        return cases
    return select_cases(
        cases,
        target,
        existing=existing,
        label=".nii.gz",
        preview=".png",
        asked=_PROBABILITIES if asked else (),
        unasked=() if asked else _PROBABILITIES,
    )


def list_entries(source: Path, target: Path | None, left: LeftOut) -> list[Path]:
    """What a folder holds, without hidden files, folders of masks and that of the outputs."""
    entries = sorted(path for path in source.iterdir() if not is_macos_copy(path))
    hidden = [p for p in entries if p.name.startswith(".")]
    left.add("with a hidden name", (p.name for p in hidden if is_volume_file(p)))
    entries = [p for p in entries if p not in hidden]
    if target is not None and os.path.isdir(target):
        own = os.path.realpath(target)
        entries = [p for p in entries if os.path.realpath(p) != own]
    made = [p for p in entries if is_of_masks(p)]
    left.add("of masks or of a training", (p.name for p in made), noun="folder")
    return [p for p in entries if p not in made]


def _find_images(source: Path, target: Path | None) -> list[Path]:
    """The paths of the cases, see `find_cases`, without the folder of the outputs."""
    if not os.path.isdir(source):
        if is_picture_file(source):
            raise ValueError(f"{source.absolute()} is a picture: {_NEEDED}")
        return [source]
    left = LeftOut()
    entries = list_entries(source, target, left)
    folders = [p for p in entries if os.path.isdir(p)]
    volumes = select_volume_files(p for p in entries if p not in folders)  # a dangling link too
    parts = {part for volume in volumes for part in list_files_of(volume)}
    others = [p for p in entries if p not in folders and p not in parts]
    if any(map(is_dicom, others)):
        if volumes:
            raise ValueError(
                f"{source.absolute()} holds DICOM files beside {volumes[0].name}: "
                "pass the volume file itself, or put the DICOM files in a folder of their own"
            )
        return [source]
    if not volumes:
        _refuse_dataset(source, folders)
    if not volumes and not folders:
        pictures = [p for p in others if is_picture_file(p)]
        what = f", {pictures[0].name} is a picture" if pictures else ""
        made = [p.name for p in sorted(source.iterdir()) if is_of_masks(p)]
        what = f", {made[0]} is a folder of masks or of a training" if made else what
        raise ValueError(f"{source.absolute()} holds no case{what}: {_NEEDED}")
    left.add("in an unsupported format", (p.name for p in others))
    volumes = drop_labels(volumes, left)
    left.warn(logger, source, used=len(volumes) + len(folders))
    _check_channels(volumes)
    return sorted([*volumes, *folders], key=get_case_name)


def _refuse_dataset(source: Path, folders: Iterable[Path]) -> None:
    """Refuse the folder of a dataset, whose subfolders hold many cases and labels each."""
    named = [folder for folder in folders if not find_key(folder.name)]
    labels = [folder for folder in named if is_label(folder.name)]
    held = [one for one in named if one not in labels and (labels or one.name in _OF_A_DATASET)]
    if held:
        raise ValueError(
            f"{source.absolute()} is the folder of a dataset: pass its images, such as {held[-1]}"
        )


def _check_channels(volumes: Iterable[Path]) -> None:
    """Refuse several channels of one case, by the names of nnU-Net: a case is one image.

    They could as well be cases with numbers, so that none is left out without a word.
    """
    stems = {strip_suffix(path.name): path.name for path in volumes}
    for stem, name in stems.items():
        case = stem.removesuffix(FIRST_CHANNEL)
        others = [s for s in stems if s != stem and re.fullmatch(re.escape(case) + r"_\d{4}", s)]
        if case != stem and others:
            raise ValueError(
                f"{name} and {stems[others[0]]} are two channels of one case by the names of "
                "nnU-Net, and a case is one image here: keep only the first channel of each "
                "case in the folder, or rename the files if each is a case"
            )


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, even if it is damaged; an empty file is nothing."""
    try:
        if not os.path.isfile(path) or path.stat().st_size == 0:
            return False
        return read_header(path) is not None
    except IngestError:
        return True
    except OSError:  # it may not be read, so that only its name tells
        return is_named_dicom(path)
