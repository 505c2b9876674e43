"""Compare confidence: how well the confidence of a bundle's structures tells their Dice.

    python scripts/compare_confidence.py data/hippocampus -b hippocampus

It segments the test cases of a dataset of volumes, and prints the mean of both and their rank
correlation over all structures.
"""

import argparse
import warnings

import numpy as np
from monai.bundle import ConfigParser
from scipy.stats import spearmanr

import medseg
from medseg.bundles.catalogue.locate import locate
from medseg.bundles.overrides import read_workflow
from medseg.ingest import load


def main() -> None:
    """Print a line with the number of structures, the two means and the correlation."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("data", help="folder of the dataset")
    options.add_argument("-b", "--bundle", default="hippocampus")
    given = options.parse_args()
    warnings.simplefilter("ignore")
    pairs = np.array(list(measure(given.data, given.bundle)), dtype=float)
    confidence, dice = pairs.mean(axis=0)
    correlation = spearmanr(*pairs.T).statistic
    print(
        f"{len(pairs)} structures: mean confidence {confidence:.3f}, mean Dice {dice:.3f}, "
        f"rank correlation {correlation:.2f}"
    )


def measure(data, bundle):
    """Confidence and Dice of each structure that is there, case by case."""
    parser = ConfigParser(read_workflow(locate(bundle), "evaluate"))
    parser["dataset_dir"] = data
    read, fold, folds, seed = map(
        parser.get_parsed_content, ("read_cases", "fold", "folds", "split_seed")
    )
    for case in read(data, "test", fold=fold, folds=folds, seed=seed):
        found = medseg.segment(case["image"], bundle=bundle, force=True)
        truth, _ = load(case["label"])
        for one in found.measurements:
            if one.confidence is not None:
                mask, label = found.mask == one.value, truth == one.value
                yield one.confidence, 2 * (mask & label).sum() / (mask.sum() + label.sum())


if __name__ == "__main__":
    main()
