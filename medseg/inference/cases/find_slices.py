"""Find slices: the cases of an input for a network of slices: pictures of one, or whole volumes."""

import os
from pathlib import Path

from monai.data.image_reader import ImageReader

from medseg.base.arguments import require_bool
from medseg.inference.cases.check_image import CheckImaged
from medseg.inference.cases.existing import Case
from medseg.inference.cases.find_cases import find_cases, is_dicom
from medseg.inference.cases.find_pictures import find_pictures
from medseg.inference.outputs.label_files import is_of_masks
from medseg.ingest.formats import is_picture_file, is_volume_file


def holds_pictures(path: str | os.PathLike, *, output_dir: str | os.PathLike | None = None) -> bool:
    """Whether an input is a picture, or a folder of pictures without any volume or subfolder.

    Hidden entries, `output_dir` and folders of masks that medseg wrote do not count. What is no
    path or is not there is no picture: `find_slices` says why.
    """
    if not isinstance(path, str | os.PathLike):
        return False
    source = Path(path)
    if not os.path.isdir(source):
        return os.path.isfile(source) and is_picture_file(source)
    out = None if output_dir is None else os.path.realpath(output_dir)
    shown = (p for p in source.iterdir() if not p.name.startswith("."))
    entries = [p for p in shown if os.path.realpath(p) != out and not is_of_masks(p)]
    others = [p for p in entries if not is_picture_file(p)]
    return len(others) < len(entries) and not any(
        os.path.isdir(p) or is_volume_file(p) or is_dicom(p) for p in others
    )


def find_slices(
    path: str | os.PathLike,
    *,
    output_dir: str | os.PathLike | None = None,
    existing: str | None = "refuse",
    probabilities: bool = False,
    reader: ImageReader | None = None,
    check: CheckImaged | None = None,
) -> list[Case]:
    """The cases of an input: its pictures, see `find_pictures`, or its volumes, see `find_cases`.

    Args:
        path: as for one of the two; `holds_pictures` decides.
        output_dir: where the outputs will be written.
        existing: what outputs that are there already mean, see `select_cases`.
        probabilities: whether `ProbabilityFiles` will write there too, which it does of volumes.
        reader: of volumes, see `find_cases`; likewise `check`.

    Raises:
        FileNotFoundError, OSError, TypeError: as the two.
        ValueError: likewise, or probabilities of pictures.
    """
    if not holds_pictures(path, output_dir=output_dir):
        return find_cases(
            path,
            output_dir=output_dir,
            existing=existing,
            probabilities=probabilities,
            reader=reader,
            check=check,
        )
    if require_bool(probabilities, "save_probabilities"):
        raise ValueError(
            f"probabilities are written of volumes, and {Path(path).absolute()} is of pictures: "
            "leave save_probabilities out, or pass a volume"
        )
    return find_pictures(path, output_dir=output_dir, existing=existing)
