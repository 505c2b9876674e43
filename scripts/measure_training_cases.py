"""Measure what a bundle's weights were trained on, and write it beside them, as a training does.

python scripts/measure_training_cases.py bundles/hippocampus --dataset_dir DIR [--fold 0]
"""

import argparse
import sys
from pathlib import Path

from monai.bundle import ConfigParser

from medseg.base.path_keys import escape_for_monai
from medseg.bundles.overrides import read_config, read_overrides


def main() -> int:
    """Build the handler of the bundle's train.json that does this, and let it write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    args, overrides = parser.parse_known_args()
    config = ConfigParser(read_config(args.bundle / "train.json"))
    config.update(read_overrides(args.bundle, "train", overrides))
    config.update({"device": "cpu", "output_dir": escape_for_monai(str(args.bundle))})
    config.update({"validate#handlers": []})  # TensorBoard would write there
    handlers = config["train"]["handlers"]
    targets = [handler["_target_"] for handler in handlers]
    index = targets.index("medseg.engines.RecordTraining")
    record = config.get_parsed_content(f"train#handlers#{index}")
    sys.stdout.write(f"{record.write(config.get_parsed_content('weights'))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
