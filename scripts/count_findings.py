"""Count the findings that the checks of a bundle give on its held-out cases and on other images.

python scripts/count_findings.py bundles/nuclei --dataset_dir DIR [--fold 0 --split_seed 0]
python scripts/count_findings.py bundles/nuclei --images 'FOLDER/*.jpg'

The cases are those of validation, which a training does not see, each with its true label in the
place of a result: whatever is said of them is a false alarm. Of a section "test" likewise.
"""

import argparse
import glob
import logging
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from monai.bundle import ConfigParser
from monai.utils import convert_to_numpy

from medseg.bundles.overrides import read_config, read_overrides
from medseg.inference import CheckImaged
from medseg.plausibility import compare_class, measure_class, reaches_edge, read_ranges

SHOWN = 8


def main() -> int:
    """Print how many images were refused, warned of, and passed, and what was said."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    parser.add_argument(
        "--images",
        help="pattern of other images to count instead; the bundle reads them as its own",
    )
    parser.add_argument(
        "--section", default="validation", help="section of the dataset (%(default)s)"
    )
    args, overrides = parser.parse_known_args()
    logging.disable(logging.WARNING)
    images, said = Counter[str](), Counter[str]()
    results = Counter[str]()
    found = other_images(args) if args.images else held_out(args, overrides)
    for refusals, warnings, of_result in found:
        images["refused" if refusals else "warned of" if warnings else "passed"] += 1
        results["warned of" if of_result else "passed"] += 1
        said.update(
            {re.split(r" is | \(", finding)[0] for finding in [*refusals, *warnings, *of_result]}
        )
    sys.stdout.write(f"images: {dict(images)}; results: {dict(results)}\n")
    for finding, number in said.most_common(SHOWN):
        sys.stdout.write(f"{number:5d} {finding}\n")
    return 0


def held_out(args: argparse.Namespace, overrides: list[str]) -> Iterator[tuple[list[str], ...]]:
    """Of each case of the section: refusals, warnings, and what is said of its label."""
    config = ConfigParser(read_config(args.bundle / "train.json"))
    config.update(read_overrides(args.bundle, "train", overrides))
    keys = ("dataset_dir", "fold", "folds", "split_seed")
    folder, fold, folds, seed = (config.get_parsed_content(key) for key in keys)
    read_cases = config.get_parsed_content("read_cases")
    load = config.get_parsed_content("load")
    classes = config.get_parsed_content("classes")
    cases = read_cases(folder, args.section, fold=fold, folds=folds, seed=seed)
    check = check_of(args.bundle, cases[0]["image"])
    for case in cases:
        item = load(case)
        found = check.list_findings(item["image"])
        yield found.refusals, found.warnings, of_label(item["label"], classes, args.bundle)


def of_label(label: Any, classes: dict[str, list[int]], bundle: Path) -> list[str]:
    """What would be said of a result that is just the true label."""
    trained, values = read_ranges(bundle / "models" / "model.pt"), convert_to_numpy(label)[0]
    if trained is None:
        return []
    voxel_ml = None
    if values.ndim == 3:
        voxel_ml = float(abs(np.linalg.det(np.asarray(label.affine)[:3, :3]))) / 1000
    said = []
    for name, gathered in classes.items():
        mask = np.isin(values, gathered)
        measured = measure_class(mask, voxel_ml=voxel_ml)
        ranges = trained.classes.get(name, {})
        said += compare_class(name, measured, ranges, is_cut=reaches_edge(mask))
    return said


def other_images(args: argparse.Namespace) -> Iterator[tuple[list[str], ...]]:
    """Of each image: refusals and warnings."""
    paths = sorted(glob.glob(args.images))
    config = ConfigParser(read_config(args.bundle / "inference.json"))
    config.update({"input": paths[0]})
    transforms = config["preprocessing"]["transforms"]
    before = transforms[: transforms.index("@check_image")]
    config["reading"] = {"_target_": "Compose", "transforms": before}
    read, check = config.get_parsed_content("reading"), check_of(args.bundle, paths[0])
    for path in paths:
        found = check.list_findings(read({"image": path})["image"])
        yield found.refusals, found.warnings, []


def check_of(bundle: Path, image: str) -> CheckImaged:
    """The check of a bundle for such an image, with the ranges beside its weights."""
    config = ConfigParser(read_config(bundle / "inference.json"))
    config.update({"weights": str(bundle / "models" / "model.pt"), "input": image})
    return config.get_parsed_content("check_image")


if __name__ == "__main__":
    sys.exit(main())
