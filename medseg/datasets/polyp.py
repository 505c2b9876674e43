"""Polyp: polyps in colonoscopy, Kvasir-SEG and CVC-ClinicDB as published.

`prepare` recognises the layout by the names of the folders; they may lie in other folders or in a
zip archive:

- Kvasir-SEG: `images/<id>.jpg` and `masks/<id>.jpg`, 1000 pictures of 332 x 487 to 1920 x 1072
  pixels. The masks are JPEG, so the polyp is where they are above 127. `kavsir_bboxes.json` beside
  them is not read, since the masks hold more. It is not published which pictures are of the same
  patient, so each counts as one.
- Kvasir-SEG in two parts: `train/images`, `train/masks`, `val/images` and `val/masks`. The part
  `val` is the test set: it is never trained on, and the folds for validation are made of `train`.
- CVC-ClinicDB: `Original/<n>.tif` and `Ground Truth/<n>.tif`, or the same as PNG (the TIFF files
  are read where both are there), 612 frames of 384 x 288 pixels from 29 sequences. A sequence
  counts as a patient; several of them may be of one person, which is not published.

Pictures of the same names in another format (PNG, JPEG, TIFF, BMP) are read, too.

It writes `images/<case>.png` (RGB), `masks/<case>.png` (8-bit, 255 where there is a polyp) and
`datalist.json`. A fifth of the patients is held out for testing where no test set is published.

Both are for research and education only. Sources: Jha et al., Kvasir-SEG: a segmented polyp
dataset, MultiMedia Modeling, 2020; Bernal et al., WM-DOVA maps for accurate polyp highlighting in
colonoscopy, Computerized Medical Imaging and Graphics 43, 2015.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from medseg.datasets.picture_dataset import PictureDataset
from medseg.datasets.sources import pairs
from medseg.datasets.sources import stamp as _stamp
from medseg.datasets.sources.dataset_json import Item
from medseg.datasets.sources.layouts import find_layouts, make_not_found_error
from medseg.datasets.sources.picture_files import find_format
from medseg.datasets.sources.published_files import File, PublishedFiles, open_published

SEQUENCE_ENDS = (
    *(25, 50, 67, 78, 103, 126, 151, 177, 199, 205),
    *(227, 252, 277, 297, 317, 342, 363, 383, 408, 428),
    *(447, 466, 478, 503, 528, 546, 571, 591, 612),
)
"""The last frame of each of the 29 sequences of CVC-ClinicDB, as its page lists them."""

_NAME = "polyp"
_GREY = ("1", "L", "LA", "I", "I;16")  # of Pillow
_POLYP_ABOVE = 127  # of a JPEG mask, whose 0 and 255 are blurred
_TESTED = {"train": False, "val": True}  # the two parts of the resized Kvasir-SEG
_WANTED = "the folder or zip archive of Kvasir-SEG or CVC-ClinicDB"


@dataclass(frozen=True)
class _Frame:
    case: str
    patient: str
    image: str
    mask: str
    tested: bool = False


def _convert(source: Path, out: Path) -> tuple[list[Item], list[Item]]:
    with open_published(source, remedy=f"give {_WANTED}") as published:
        frames = _find_frames(published)
        for frame in frames:
            stamp = _stamp.hash_files(
                *(File(published, path) for path in (frame.image, frame.mask))
            )
            load = partial(_load, published, frame)
            pairs.write_pair(out, frame.case, stamp=stamp, load=load)
    training, testing = (
        [pairs.make_item(frame.case, frame.patient) for frame in frames if frame.tested == tested]
        for tested in (False, True)
    )
    return training, testing


def find_sequence(frame: int) -> int:
    """Find the sequence, 1 to 29, of a frame of CVC-ClinicDB, 1 to 612.

    Raises:
        ValueError: no such frame.

    Example:
        >>> find_sequence(25), find_sequence(26)
        (1, 2)
    """
    if not 1 <= frame <= SEQUENCE_ENDS[-1]:
        raise ValueError(
            f"CVC-ClinicDB has frames 1 to {SEQUENCE_ENDS[-1]}, not {frame}: use only its own files"
        )
    return bisect_left(SEQUENCE_ENDS, frame) + 1


def _find_frames(published: PublishedFiles) -> list[_Frame]:
    """The frames of the first layout that is there."""
    for layout in (
        () if _is_of_another(published) else (_find_clinic_db, _find_parts, _find_kvasir_seg)
    ):
        if frames := list(layout(published)):
            return frames
    raise make_not_found_error(
        _NAME,
        published.name,
        looked_for=f"images/*.jpg with masks/*.jpg, {'/images, '.join(_TESTED)}/images, or "
        "Original/*.tif with Ground Truth/*.tif",
        remedy=f"give {_WANTED}, with --source",
    )


def _is_of_another(published: PublishedFiles) -> bool:
    """Whether pairs of pictures belong to another dataset with similar folders.

    Slices of CT are grey, and pictures of an endoscope are in colour, whatever their names.
    """
    found = find_layouts(published.files)
    if _NAME in found or not {"nuclei", "liver_slices"} & set(found):
        return False
    images = published.find_stems("images", first="JPEG") if "nuclei" not in found else {}
    return all(published.read_picture(file).mode in _GREY for file in list(images.values())[:1])


def _find_clinic_db(published: PublishedFiles) -> Iterator[_Frame]:
    folders = ("Original", "Ground Truth")
    images, masks = (_prefer_tiff(published.find_stems(name, first="TIFF")) for name in folders)
    for stem, files in pairs.pair_by_name(
        images, masks, name=published.name, files=published.files
    ).items():
        if not stem.isdecimal():
            raise ValueError(
                f"{files[0]} of {published.name} is not called by the number of a frame: "
                "use only the files of CVC-ClinicDB"
            )
        number = int(stem)
        yield _Frame(f"frame_{number:03d}", f"sequence_{find_sequence(number):02d}", *files)


def _prefer_tiff(files: dict[str, str]) -> dict[str, str]:
    """The TIFF files where there are any, for the set is published as PNG too; else all."""
    tiff = {stem: file for stem, file in files.items() if find_format(file) == "TIFF"}
    return tiff or files


def _find_parts(published: PublishedFiles) -> Iterator[_Frame]:
    for part, tested in _TESTED.items():
        for stem, files in _pair_pictures(published, f"{part}/").items():
            yield _Frame(f"{part}_{stem}", f"{part}_{stem}", *files, tested)


def _find_kvasir_seg(published: PublishedFiles) -> Iterator[_Frame]:
    for stem, files in _pair_pictures(published).items():
        yield _Frame(stem, stem, *files)


def _pair_pictures(published: PublishedFiles, parent: str = "") -> dict[str, tuple[str, str]]:
    images, masks = (
        published.find_stems(f"{parent}{folder}", first="JPEG") for folder in ("images", "masks")
    )
    return pairs.pair_by_name(images, masks, name=published.name, files=published.files)


def _load(published: PublishedFiles, frame: _Frame) -> pairs.Pair:
    image = np.asarray(published.read_picture(frame.image).convert("RGB"))
    return image, np.asarray(published.read_picture(frame.mask).convert("L")) > _POLYP_ABOVE


DATASET = PictureDataset(
    _NAME,
    _convert,
    label_values=pairs.LABEL_VALUES,
    test_share=0.2,
    unit="group",
)
prepare = DATASET.prepare
