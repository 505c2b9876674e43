"""A training config as it is while it runs, for the tests of what a run writes."""

from monai.bundle import ConfigParser

from medseg.bundles.bundle import find_configs
from medseg.bundles.layers.merge import merge_configs
from medseg.engines import read_config_as_run

CHANGES = {
    "classes": {"body": [1], "lesion": [2]},
    "window_hu": [0, 80],
    "image_size": [64, 64],
    "channels": [2, 4, 8],
    "fold": 2,
    "max_epochs": 3,
    "num_workers": 0,
    "optimizer#lr": 0.5,
}


def as_run(bundle, changes, *, workflow="train"):
    """The config of a bundle as it is when an expression of it runs."""
    parser = ConfigParser(merge_configs(find_configs(bundle, workflow)))
    parser.update({**changes, "seen": "$read_config_as_run()"})
    parser.globals["read_config_as_run"] = read_config_as_run
    found = parser.get_parsed_content("seen")
    del found["seen"]
    return found
