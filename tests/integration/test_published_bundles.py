"""Bundles of the model zoo as published: the label maps are those of MONAI's own command.

Set MEDSEG_ZOO_BUNDLES to a folder that holds them, each with `models/model.pt`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medseg.bundles.run import run_bundle
from medseg.bundles.zoo.components import keep_labels_whole
from medseg.bundles.zoo.metadata import describe_images, read_metadata

pytestmark = [pytest.mark.slow, pytest.mark.realdata]

FOLDER = os.environ.get("MEDSEG_ZOO_BUNDLES", "")
BUNDLES = sorted(Path(FOLDER).glob("*/models/model.pt")) if FOLDER else []


@pytest.mark.skipif(not BUNDLES, reason="MEDSEG_ZOO_BUNDLES names no folder of published bundles")
@pytest.mark.parametrize("weights", BUNDLES, ids=lambda path: path.parents[1].name)
def test_its_label_map_is_that_of_monai_itself(weights, data_root, tmp_path):
    bundle = weights.parents[1]
    paths = write_image(bundle, data_root, tmp_path)
    run_bundle(
        bundle,
        "inference",
        run_id="inference",
        arguments=[f"--input={tmp_path / 'images'}", f"--output_dir={tmp_path / 'out'}"],
    )
    (ours,) = (tmp_path / "out").glob("*.nii.gz")
    theirs = run_monai(bundle, paths, tmp_path)
    values, found = np.unique(np.asarray(theirs.dataobj).squeeze(), return_inverse=True)
    numbers, expected = np.unique(np.asarray(nibabel.load(ours).dataobj), return_inverse=True)
    assert len(values) == len(numbers)
    np.testing.assert_array_equal(found, expected)


def write_image(bundle, data_root, tmp_path):
    """A small CT or MR, once for each channel of the bundle."""
    about = describe_images(read_metadata(bundle))
    mr = next(iter(sorted((data_root / "hippocampus" / "imagesTr").glob("*.nii.gz"))))
    ct = data_root / "ct_small" / "example_ct_sm.nii.gz"
    (tmp_path / "images").mkdir()
    names = about["image_channels"]
    ends = [f"_{name}" for name in names] if len(names) > 1 else [""]
    paths = [tmp_path / "images" / f"case{end}.nii.gz" for end in ends]
    for path in paths:
        path.write_bytes((ct if about["modality"] == "CT" else mr).read_bytes())
    return paths


def run_monai(bundle, paths, tmp_path):
    """What MONAI's command writes with the config as published, but for labels kept whole."""
    file = bundle / "configs" / "inference.json"
    config = json.loads(file.read_text())
    keep_labels_whole(config["postprocessing"])
    config["dataset"]["data"] = [{"image": [str(p) for p in paths] if paths[1:] else str(paths[0])}]
    changed = tmp_path / "configs" / "inference.json"
    changed.parent.mkdir()
    changed.write_text(json.dumps(config))
    words = {
        "config_file": changed,
        "meta_file": file.with_name("metadata.json"),
        "bundle_root": bundle,
        "output_dir": tmp_path / "monai",
    }
    run_id = "run" if "run" in config else "evaluating"
    command = [sys.executable, "-m", "monai.bundle", "run", run_id]
    command += [word for key, value in words.items() for word in (f"--{key}", str(value))]
    subprocess.run(command, cwd=bundle, check=True, capture_output=True)
    (path,) = (tmp_path / "monai").rglob("*.nii.gz")
    return nibabel.load(path)
