"""Brain tumor: meningioma, glioma and pituitary tumour in contrast-enhanced T1, by Cheng.

`prepare` reads either form:

- as published on figshare (1512427): `<i>.mat` of MATLAB 7.3 in the four archives
  `brainTumorDataPublic_*.zip`, unpacked or not, together or in one outer archive, with `cvind.mat`
  beside them or without. Each holds a struct `cjdata`: label (1 meningioma, 2 glioma, 3 pituitary
  tumour), PID (the patient), image, tumorBorder and tumorMask, 512 x 512 or 256 x 256 pixels; 3064
  slices of 233 patients. This form needs h5py: `pip install 'medseg[datasets]'`.
- as PNG, `<i>.png` and `<i>_mask.png`, scaled to 8 bits, with nothing that names the patient.

It writes `images/<i>.png`, `masks/<i>.png` (8-bit, 255 in the tumour) and `datalist.json`; images
of the .mat form are 16-bit, intensities as published. MATLAB stores columns first and h5py shows
the transpose; the pictures are upright as MATLAB shows them. A fifth of the patients is held out.

Of the .mat form, a patient is the hash of the PID, and no message names one. The datalist also has
the "tumour" and, from `cvind.mat`, the "published_fold", 1 to 5, for those who compare with the
authors' cross-validation.

Of the PNG form, a patient is a block of BLOCK indices, of which the last GAP are left out. Slices
of a patient in one plane follow each other, two to eight of them where we looked (indices 0 to 99
and 1000 to 1079), and such a run fits into the gap. The same patient may come again in another
plane, many indices away, which no gap excludes: take the .mat form for a score to be published.

CC BY 4.0. Source: Cheng et al., Enhanced performance of brain tumor classification via tumor region
augmentation and partition, PLoS ONE 10, 2015.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.base.text import count_noun
from medseg.datasets.picture_dataset import PictureDataset
from medseg.datasets.sources import pairs
from medseg.datasets.sources import stamp as _stamp
from medseg.datasets.sources.dataset_json import Item
from medseg.datasets.sources.layouts import make_not_found_error
from medseg.datasets.sources.picture_files import find_format
from medseg.datasets.sources.published_files import File, PublishedFiles, open_published
from medseg.ingest.pictures.sample_kinds import describe_samples

logger = logging.getLogger(__name__)

TUMOURS = {1: "meningioma", 2: "glioma", 3: "pituitary tumour"}

BLOCK = 25
"""Indices of the PNG form that are one patient, the gap included."""
GAP = 8
"""The last indices of each block, left out: slices of two blocks are 9 or more indices apart."""

_NAME = "brain_tumor"
_ARCHIVES = "brainTumorDataPublic_"
_FOLDS = "cvind.mat"
_MASK = "_mask"
_EIGHT_BIT = ("L", "RGB", "RGBA", "P")
_MOST = np.iinfo(np.uint16).max
_MOST_VALUES = 2**22  # of one variable; published slices have 512 x 512
_TWICE = (
    "{first} and {second} are both slice {index}: give the folder of one dataset, or keep one copy"
)
_WANTED = "the folder of brainTumorDataPublic_*.zip, of the .mat files, or of <i>.png"


def _convert(source: Path, out: Path) -> tuple[list[Item], list[Item]]:
    with open_published(source, remedy=f"give {_WANTED}") as published:
        items = _convert_mat(published, out) or _convert_png(published, out)
    if not items:
        raise make_not_found_error(
            _NAME,
            published.name,
            looked_for=f"<i>.mat, {_ARCHIVES}*.zip, or <i>.png with <i>_mask.png",
            remedy=f"give {_WANTED}, with --source",
        )
    return items, []


# ---- the .mat form


@dataclass(frozen=True)
class _Slice:
    """One `cjdata`: intensities and mask, (rows, columns)."""

    label: int
    patient: str
    image: NDArray[np.uint16]
    mask: NDArray[np.bool_]


def _convert_mat(published: PublishedFiles, out: Path) -> list[Item]:
    found: dict[int, Item] = {}
    taken: dict[int, str] = {}
    for part in _open_parts(published):
        for file in part.files:
            if (index := _parse_index(file, ".mat")) is None:
                continue
            place = f"{part.name}/{file}"
            if (first := taken.setdefault(index, place)) != place:
                raise ValueError(_TWICE.format(first=first, second=place, index=index))
            read, stamp = _read_slice(part, file), _stamp.hash_files(File(part, file))
            pairs.write_pair(out, f"{index:04d}", stamp=stamp, load=partial(_get_pair, read))
            found[index] = pairs.make_item(f"{index:04d}", read.patient, tumour=TUMOURS[read.label])
    folds = _read_folds(published, slices=len(found)) if found else {}
    return [found[index] | folds.get(index, {}) for index in sorted(found)]


def _open_parts(published: PublishedFiles) -> Iterator[PublishedFiles]:
    """The files as they lie there, then those of each archive among them, one after the other."""
    yield published
    for file in published.files:
        path = PurePosixPath(file)
        if path.name.startswith(_ARCHIVES) and path.suffix == ".zip":
            with published.open_archive(file) as part:
                yield part


def _parse_index(file: str, suffix: str) -> int | None:
    path = PurePosixPath(file)
    return int(path.stem) if path.suffix == suffix and path.stem.isdecimal() else None


@contextmanager
def _open_matlab(published: PublishedFiles, file: str) -> Iterator[Mapping[str, Any]]:
    """The variables of a MATLAB 7.3 file; an error in them names the file."""
    if find_spec("h5py") is None:
        raise ValueError(f"{file} needs h5py, not installed: pip install 'medseg[datasets]'")
    import h5py

    content = published.read(file)
    try:
        with h5py.File(BytesIO(content), "r") as variables:
            yield variables
    except (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise published.make_error(file, error) from error


def _read_slice(published: PublishedFiles, file: str) -> _Slice:
    with _open_matlab(published, file) as variables:
        data = variables["cjdata"]
        if (label := int(_read_values(data, "label").item())) not in TUMOURS:
            raise ValueError(f"label {label} is not one of {', '.join(map(str, TUMOURS))}")
        name = "".join(chr(letter) for letter in _read_values(data, "PID").ravel())
        return _Slice(
            label,
            patient=hashlib.sha256(name.encode()).hexdigest()[:12],
            image=_to_16_bits(_read_values(data, "image").T),
            mask=_read_values(data, "tumorMask").T > 0,
        )


def _read_values(variables: Mapping[str, Any], name: str) -> NDArray[Any]:
    """A variable as an array, unless it claims more values than any published one has."""
    found = variables[name]
    if found.size > _MOST_VALUES:
        raise ValueError(f"{name} claims {found.size} values, at most {_MOST_VALUES} are read")
    return np.asarray(found[()])


def _to_16_bits(image: NDArray[Any]) -> NDArray[np.uint16]:
    """The same numbers in 16 bits, as a PNG holds them."""
    low, high = image.min(), image.max()
    if image.dtype.kind not in "iu" or low < 0 or high > _MOST:
        raise ValueError(
            f"intensities are {low} to {high} of {image.dtype}, not integers of 0 to {_MOST}"
        )
    return np.ascontiguousarray(image, np.uint16)


def _get_pair(read: _Slice) -> pairs.Pair:
    return read.image, read.mask


def _read_folds(published: PublishedFiles, *, slices: int) -> dict[int, Item]:
    """Map each index -> its published fold; nothing where `cvind.mat` is not there."""
    files = [file for file in published.files if PurePosixPath(file).name == _FOLDS]
    if not files:
        return {}
    with _open_matlab(published, files[0]) as variables:
        folds = [int(fold) for fold in _read_values(variables, "cvind").ravel()]
    if len(folds) != slices:
        raise ValueError(
            f"{files[0]} of {published.name} lists {len(folds)} slices and {slices} are there: "
            "add the archives that are missing, or remove that file"
        )
    return {index: {"published_fold": fold} for index, fold in enumerate(folds, start=1)}


# ---- the PNG form


def _convert_png(published: PublishedFiles, out: Path) -> list[Item]:
    if not any(PurePosixPath(file).stem.endswith(_MASK) for file in published.files):
        return []  # numbered pictures of another set
    images, masks = _find_pictures(published)
    items = []
    for case, files in pairs.pair_by_name(images, masks, name=published.name).items():
        block, place = divmod(int(case), BLOCK)
        if place < BLOCK - GAP:
            stamp = _stamp.hash_files(*(File(published, file) for file in files))
            pairs.write_pair(
                out, case, stamp=stamp, load=partial(_read_pictures, published, *files)
            )
            items.append(pairs.make_item(case, f"block_{block:03d}"))
    if left_out := len(images) - len(items):
        logger.warning("left out in the gaps between blocks: %s", count_noun(left_out, "slice"))
    return items


def _find_pictures(published: PublishedFiles) -> tuple[dict[str, str], dict[str, str]]:
    """Map each case -> its picture, and its mask. Raises ValueError where one is not a PNG."""
    found: dict[bool, dict[str, str]] = {False: {}, True: {}}
    others = []
    for file in published.files:
        stem = PurePosixPath(file).stem
        is_mask, number = stem.endswith(_MASK), stem.removesuffix(_MASK)
        if not number.isdecimal() or not find_format(file):
            continue
        case = f"{int(number):04d}"
        if find_format(file) != "PNG":
            others.append((is_mask, case, file))
        elif (first := found[is_mask].setdefault(case, file)) != file:
            first, second = (f"{published.name}/{path}" for path in (first, file))
            raise ValueError(_TWICE.format(first=first, second=second, index=int(number)))
    for is_mask, case, file in others:
        if case not in found[is_mask]:
            published.check_format(file, "PNG")
    return found[False], found[True]


def _read_pictures(published: PublishedFiles, image: str, mask: str) -> pairs.Pair:
    picture = published.read_picture(image)
    if picture.mode not in _EIGHT_BIT:
        raise ValueError(
            f"{image} of {published.name} has {describe_samples(picture.mode)}, not 8 bits: "
            "take the .mat files"
        )
    return np.asarray(picture.convert("L")), np.asarray(
        published.read_picture(mask).convert("L")
    ) > 0


DATASET = PictureDataset(
    _NAME,
    _convert,
    label_values=pairs.LABEL_VALUES,
    test_share=0.2,
)
prepare = DATASET.prepare
