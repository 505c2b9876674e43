"""Tests of what every bundle asks of its windows, before it reads weights or a case."""

from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from medseg.base.errors import root_cause
from medseg.bundles import build

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"


@pytest.mark.parametrize("workflow", ["evaluate", "inference"])
@pytest.mark.parametrize("name", build.list_names(BUNDLES))
def test_windows_that_the_network_cannot_take_are_refused_before_weights_are_read(name, workflow):
    parser = ConfigParser()
    parser.read_config(BUNDLES / name / f"{workflow}.json")
    axes = parser.get_parsed_content("spatial_dims")
    parser.update({"roi_size": [1] * axes, "channels": [2] * 5})
    run = "evaluating" if workflow == "evaluate" else "inference"
    asks, reads = (
        next(n for n, text in enumerate(parser[run]) if word in text)
        for word in ("check_windows(", "load_weights(")
    )
    assert asks < reads
    parser.parse()
    with pytest.raises(RuntimeError) as caught:  # MONAI's, around ours
        parser.get_parsed_content(f"{run}#{asks}")
    assert "roi_size" in str(root_cause(caught.value))
