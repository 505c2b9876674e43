"""How bundles vary what they train on: the elastic deformation that their configs name."""

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.transforms import Rand2DElasticd

from medseg.transforms import RandElasticGridd

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"


def elastic(name, **choices):
    """The deformation of a training config, and the config."""
    config = ConfigParser.load_config_file(str(BUNDLES / name / "configs" / "train.json"))
    assert "@elastic" in config["train"]["preprocessing"]["transforms"]
    return ConfigParser({**config, **choices}).get_parsed_content("elastic"), config


def test_em_membrane_is_bent_by_three_by_three_points_of_ten_pixels():
    bend, config = elastic("em_membrane")
    assert isinstance(bend, RandElasticGridd)
    assert (bend.keys, bend.prob) == (("image", "label", "instances"), config["elastic_prob"])
    assert (bend.bend.grid, bend.bend.sigma_px) == ((3, 3), 10.0)
    assert bend.mode == ("bilinear", "nearest", "nearest")
    assert bend.padding_mode == ("reflection",) * 3


def test_a_slice_of_em_membrane_is_displaced_by_all_nine_points():
    # the ramp is its own row number, so a bent ramp less the ramp is the displacement along rows
    bend, config = elastic("em_membrane", elastic_prob=1.0, spatial_padding="border")
    rows, columns = config["image_size"]
    assert (rows, columns) == (512, 512)
    ramp = torch.arange(rows).float()[None, :, None].expand(1, rows, columns)
    bend.set_random_state(0)
    inner = slice(64, -64, 32)  # no displacement leads out of the slice from here
    moved = []
    for _ in range(30):
        data = bend({"image": ramp, "label": ramp, "instances": ramp})
        moved.append((data["image"] - ramp)[0, inner, inner].numpy().ravel())
    values = np.linalg.svd(np.stack(moved), compute_uv=False)
    assert values[8] > 0.03 * values[0]
    assert values[9] < 1e-3 * values[0]


@pytest.mark.parametrize("name", ["brain_tumor", "liver", "nuclei", "polyp"])
def test_the_other_planar_bundles_bend_as_monai_does(name):
    bend, config = elastic(name)
    assert isinstance(bend, Rand2DElasticd)
    assert (config["elastic_spacing"], config["elastic_magnitude"]) == ([64, 64], [0.5, 1.5])
