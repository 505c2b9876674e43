"""Plant label errors: copy a dataset with wrong labels in some cases, and count how many are found.

python scripts/plant_label_errors.py DATALIST OUT [--share 0.05 --seed 0]
python scripts/plant_label_errors.py DATALIST OUT --suspects runs/NAME/crossval/suspects.csv

DATALIST is the datalist.json of `medseg new`; errors are planted in its training cases. The first
command writes OUT/imagesTr (links), OUT/labelsTr and OUT/planted.json; run `medseg new` and
`medseg crossval` on OUT. The second one says which share of the errors is in the tenth of the cases
that `crossval` ranks first. The errors, in turn:

- shift: the label is moved by 4 voxels along the first two axes
- flip: it is mirrored along the second axis
- missing: one structure is background
- swap: two structures have each other's values
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

KINDS = ("shift", "flip", "missing", "swap")
_SHIFT = 4


def choose_cases(cases: Sequence[str], *, share: float, seed: int) -> dict[str, str]:
    """The cases that get an error, and the kind of each."""
    ordered = sorted(cases)
    chosen = random.Random(seed).sample(ordered, round(share * len(ordered)))
    return {case: KINDS[place % len(KINDS)] for place, case in enumerate(chosen)}


def spoil(label: NDArray, kind: str, *, place: int) -> NDArray:
    """A label with an error.

    Args:
        label: the right one, with the values 1 and 2.
        kind: see the top of this file.
        place: the number of the case among the chosen ones: of odd ones structure 2 is missing.
    """
    if kind == "shift":
        return np.roll(label, (_SHIFT, _SHIFT), axis=(0, 1))
    if kind == "flip":
        return label[:, ::-1]
    if kind == "missing":
        return np.where(label == 1 + place % 2, 0, label).astype(label.dtype)
    return np.choose(label, [0, 2, 1]).astype(label.dtype)


def write_spoilt(made: Mapping[str, Any], out: Path, kinds: Mapping[str, str]) -> None:
    """Write the images, as links, and the labels of all cases of a datalist."""
    for part in ("imagesTr", "labelsTr"):
        (out / part).mkdir(parents=True)
    places = {case: place for place, case in enumerate(kinds)}
    for item in [*made["training"], *made["testing"]]:
        image, label = (Path(item[key]) for key in ("image", "label"))
        (out / "imagesTr" / image.name).symlink_to(image)
        if item["case"] not in kinds:
            (out / "labelsTr" / label.name).symlink_to(label)
            continue
        stored = nib.load(label)
        values = np.asarray(stored.dataobj)
        spoilt = spoil(values, kinds[item["case"]], place=places[item["case"]])
        if (spoilt == values).all():
            raise ValueError(f"{item['case']} stays as it was by {kinds[item['case']]}")
        image_out = nib.Nifti1Image(spoilt, stored.affine, stored.header)
        nib.save(image_out, out / "labelsTr" / label.name)
    (out / "planted.json").write_text(json.dumps(dict(kinds), indent=1))


def count_found(planted: Sequence[str], ranked: Sequence[str]) -> tuple[int, int]:
    """How many of the planted cases are in the first tenth of the ranked ones, and its size."""
    first = ranked[: -(-len(ranked) // 10)]
    return len(set(planted) & set(first)), len(first)


def main(words: Sequence[str] | None = None) -> None:
    """Plant, or count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("datalist", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--suspects", type=Path)
    args = parser.parse_args(words)
    if args.suspects is not None:
        planted = json.loads((args.out / "planted.json").read_text())
        with args.suspects.open(newline="") as file:
            ranked = [row["case"] for row in csv.DictReader(file)]
        found, size = count_found(list(planted), ranked)
        print(f"{found} of {len(planted)} planted errors are in the first {size} of {len(ranked)}")
        return
    made = json.loads(args.datalist.read_text())
    kinds = choose_cases([i["case"] for i in made["training"]], share=args.share, seed=args.seed)
    write_spoilt(made, args.out, kinds)
    print(f"{len(kinds)} errors planted: {args.out / 'planted.json'}")


if __name__ == "__main__":
    main()
