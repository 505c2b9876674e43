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
LIMIT = 6 * GIB

WITH_STATUS = """
import atexit
from pathlib import Path
from medseg.cli import main

atexit.register(lambda: Path("status").write_text(Path("/proc/self/status").read_text()))
main()
"""


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory by /proc")
def test_a_large_volume_with_many_classes_stays_within_6_gib(repository, data_root, tmp_path):
    bundle = repository / "bundles" / "liver"
    classes = {f"organ {n}": [n] for n in range(1, 21)}
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.update({"bundle_root": str(bundle), "classes": classes})
    torch.manual_seed(0)
    weights = parser.get_parsed_content("network_def").state_dict()
    torch.save(weights, tmp_path / "model.pt")
    write_large(data_root / "liver_ct" / "ircad_01" / "image.nii.gz", tmp_path / "ct.nii")
    words = ["segment", str(tmp_path / "ct.nii"), "-b", str(bundle), "-o", str(tmp_path / "masks")]
    words += ["--weights", str(tmp_path / "model.pt"), "--classes", json.dumps(classes)]
    words += ["--memory_limit", "6GiB"]
    subprocess.run([sys.executable, "-c", WITH_STATUS, *words], check=True, cwd=tmp_path)
    lines = (tmp_path / "status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    label = nibabel.load(tmp_path / "masks" / "ct.nii.gz")
    assert label.shape == SIZE
    assert np.asarray(label.dataobj).any(axis=(0, 1)).all()
    assert peak < LIMIT, f"{peak / GIB:.2f} GiB"
    print(f"at most {peak / GIB:.2f} GiB were resident")  # shown by pytest -rP


def write_large(source, target):
    """A CT, one after the other, up and down, to 1000 slices."""
    image = nibabel.load(source)
    once = np.asarray(image.dataobj).astype(np.int16)
    there_and_back = np.concatenate([once, once[..., ::-1]], axis=2)
    volume = np.tile(there_and_back, SIZE[2] // there_and_back.shape[2] + 1)[..., : SIZE[2]]
    nibabel.save(nibabel.Nifti1Image(volume, image.affine), target)
