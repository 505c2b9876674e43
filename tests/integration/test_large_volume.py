"""A volume of 512x512x1000 voxels with 20 classes is segmented within 6 GiB of resident memory."""

import json
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

GIB = 2**30
SIZE = (512, 512, 1000)
COMPUTED = slice(480, 520)
"""The slices that hold more than air; the others are passed over, which spares time alone."""

WITH_STATUS = """
import atexit
from pathlib import Path
from medseg.cli import main

atexit.register(lambda: Path("status").write_text(Path("/proc/self/status").read_text()))
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory by /proc")
def test_a_large_volume_with_many_classes_stays_within_6_gib(repository, tmp_path):
    bundle = repository / "bundles" / "liver"
    classes = {f"organ {n}": [n] for n in range(1, 21)}
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.update({"bundle_root": str(bundle), "classes": classes})
    torch.manual_seed(0)
    weights = parser.get_parsed_content("network_def").state_dict()
    torch.save(weights, tmp_path / "model.pt")
    volume = np.full(SIZE, -1000, np.int16)
    volume[..., COMPUTED] = np.random.default_rng(0).integers(-100, 200, (512, 512, 40), np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([0.7, 0.7, 1, 1])), tmp_path / "ct.nii")
    del volume
    words = ["segment", str(tmp_path / "ct.nii"), "-b", str(bundle), "-o", str(tmp_path / "masks")]
    words += ["--weights", str(tmp_path / "model.pt"), "--classes", json.dumps(classes)]
    words += ["--skip", "0", "--memory_limit", "6GiB"]
    subprocess.run([sys.executable, "-c", WITH_STATUS, *words], check=True, cwd=tmp_path)
    lines = (tmp_path / "status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    label = nibabel.load(tmp_path / "masks" / "ct.nii.gz")
    assert label.shape == SIZE
    found = np.asarray(label.dataobj[..., COMPUTED])
    assert found.any()
    assert peak < 6 * GIB, f"{peak / GIB:.2f} GiB"
