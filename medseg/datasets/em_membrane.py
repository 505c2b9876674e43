"""EM membrane: cell membranes in electron microscopy, the ISBI 2012 stack as published.

`prepare` reads either form, from a folder or a zip archive:

- `train-volume.tif` and `train-labels.tif`, stacks of 30 slices of 512 x 512 pixels, and
  `test-volume.tif`, whose labels were never published;
- `train/image/<n>.png` and `train/label/<n>.png`, the same slices, in the order of their numbers.

Labels are 0 on a membrane and 255 in a cell. It writes `images/slice_<n>.png` and
`masks/slice_<n>.png` (8-bit, as published), `datalist.json`, and the slices of the test stack in
`test/`, outside the datalist.

All slices are of one specimen, the ventral nerve cord of one larva of Drosophila, 4 x 4 nm a pixel
and 50 nm apart. So the stack is split into six blocks of neighbouring slices. Each block counts as
a patient, and one of them is held out for testing. Most slices that look alike stay together so,
but not all: where two blocks meet, neighbours are on both sides. A score on such a block shows how
well a network works on this specimen; it does not show how well it works on another.

For research, with a citation. Sources: Arganda-Carreras et al., Crowdsourcing the creation of image
segmentation algorithms for connectomics, Frontiers in Neuroanatomy 9, 2015; Cardona et al., An
integrated micro- and macroarchitectural analysis of the Drosophila brain, PLoS Biology 8, 2010.
"""

from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from medseg.datasets.picture_dataset import PictureDataset
from medseg.datasets.sources import pairs
from medseg.datasets.sources import stamp as _stamp
from medseg.datasets.sources.dataset_json import Item
from medseg.datasets.sources.layouts import make_not_found_error
from medseg.datasets.sources.published_files import PublishedFiles, open_published
from medseg.ingest.pictures.sample_kinds import describe_samples

BLOCKS = 6
"""Number of blocks of neighbouring slices; one is for testing, which leaves five for the folds."""

_NAME = "em_membrane"
_STACK, _LABELS, _TEST = "train-volume.tif", "train-labels.tif", "test-volume.tif"
_FOLDERS = ("train/image", "train/label")
_GREY = ("1", "L")
_WANTED = f"the folder of {_STACK} and {_LABELS}, or of {' and '.join(_FOLDERS)}"

_Slices = list[Image.Image]


def _convert(source: Path, out: Path) -> tuple[list[Item], list[Item]]:
    with open_published(source, remedy=f"give {_WANTED}") as published:
        images, labels = _read_training(published)
        test = _read_slices(published, file) if (file := _find_stack(published, _TEST)) else []
    cases = [f"slice_{number:02d}" for number in range(len(images))]
    for case, image, label in zip(cases, images, labels, strict=True):
        stamp = _stamp.hash_arrays(np.asarray(image), np.asarray(label))
        pairs.write_pair(out, case, stamp=stamp, load=partial(_load, case, image, label))
    _write_test(out / "test", test)
    blocks = [f"block_{block}" for block in _assign_blocks(len(cases))]
    return [pairs.make_item(case, block) for case, block in zip(cases, blocks, strict=True)], []


def _write_test(folder: Path, slices: _Slices) -> None:
    for number, image in enumerate(slices):
        path, stamp = folder / f"slice_{number:02d}.png", _stamp.hash_arrays(np.asarray(image))
        if not pairs.is_made(path, stamp=stamp):
            pairs.save(np.asarray(image), path, stamp=stamp)


def _assign_blocks(slices: int) -> list[int]:
    """The block of each slice: neighbours together, lengths that differ by one slice at most."""
    return [number * BLOCKS // slices for number in range(slices)]


def _read_training(published: PublishedFiles) -> tuple[_Slices, _Slices]:
    stack, labels = (_find_stack(published, name) for name in (_STACK, _LABELS))
    if stack and labels:
        images, masks = _read_slices(published, stack), _read_slices(published, labels)
        if len(images) != len(masks):
            raise ValueError(
                f"{stack} of {published.name} has {len(images)} slices and {labels} {len(masks)}: "
                "download them again"
            )
        return images, masks
    if stack or labels:
        found, lacking = (_STACK, _LABELS) if stack else (_LABELS, _STACK)
        raise ValueError(f"{published.name} has {found} without {lacking}: download that one too")
    return _read_pictures(published)


def _read_pictures(published: PublishedFiles) -> tuple[_Slices, _Slices]:
    images, labels = (published.find_stems(folder, first="PNG") for folder in _FOLDERS)
    files = pairs.pair_by_name(images, labels, name=published.name, files=published.files)
    if not files:
        raise make_not_found_error(
            _NAME,
            published.name,
            looked_for=f"{_STACK} with {_LABELS}, or {' with '.join(_FOLDERS)}",
            remedy=f"give {_WANTED}, with --source",
        )
    return (
        [_to_grey(published.read_picture(image), image) for image, _ in files.values()],
        [_to_grey(published.read_picture(label), label) for _, label in files.values()],
    )


def _find_stack(published: PublishedFiles, name: str) -> str | None:
    """The file of that name, wherever it lies."""
    found = [file for file in published.files if PurePosixPath(file).name == name]
    if len(found) > 1:
        raise ValueError(f"{found[0]} and {found[1]} of {published.name}: keep one copy")
    return found[0] if found else None


def _read_slices(published: PublishedFiles, file: str) -> _Slices:
    return [_to_grey(page, file) for page in published.read_pages(file)]


def _to_grey(image: Image.Image, file: str) -> Image.Image:
    if image.mode not in _GREY:
        raise ValueError(
            f"{file} has {describe_samples(image.mode)}, not 8-bit grey: download it again"
        )
    return image.convert("L")


def _load(case: str, image: Image.Image, label: Image.Image) -> pairs.Pair:
    values = np.asarray(label)
    if odd := sorted(set(np.unique(values).tolist()) - set(pairs.LABEL_VALUES)):
        raise ValueError(
            f"the label of case {case} has the value {odd[0]}, not only 0 (membrane) and 255 (cell)"
            ": download the dataset again"
        )
    return np.asarray(image), values > 0


DATASET = PictureDataset(
    _NAME,
    _convert,
    label_values=pairs.LABEL_VALUES,
    test_share=1 / BLOCKS,
    unit="block",
)
prepare = DATASET.prepare
