"""Three hundred volumes, a third of them corrupt in many ways: every other one is segmented."""

import gzip
import re
import shutil
import sys
from collections import Counter

import nibabel as nib
import numpy as np
import pytest
import torch
from integration import commands
from monai.bundle import ConfigParser

OF_A_CASE = (".nii.gz", ".png", "_measurements.csv", "_measurements.json", "_report.html")
COUNT = 300
SHAPE = (20, 18, 3)
AFFINE = np.diag([2.0, 2.0, 5.0, 1.0])
SMALL = ["--channels", "[4,8,16]", "--image_size", "[32,32]"]


def write(path, *, seed=0, values=None, **header):
    """A NIfTI of HU, with fields of the header changed after the checks of nibabel."""
    if values is None:
        values = np.random.default_rng(seed).integers(-200, 300, SHAPE, dtype=np.int16)
    data = bytearray(nib.Nifti1Image(values, AFFINE).to_bytes())
    for offset, new in header.get("patched", {}).items():
        data[offset : offset + len(new)] = new
    path.write_bytes(gzip.compress(bytes(data), mtime=0))


def cut(path, share):
    write(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])


def flipped(path):
    write(path)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(whole)


def patched(offset, new):
    return lambda path: write(path, patched={offset: new})


def valued(values):
    return lambda path: write(path, values=values)


floats = np.ones(SHAPE, np.float32)
CORRUPT = {
    "cut in the middle": lambda path: cut(path, 0.5),
    "cut at the end": lambda path: cut(path, 0.98),
    "cut in the header": lambda path: cut(path, 0.05),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("patient moved\n" * 30),
    "random bytes": lambda path: path.write_bytes(np.random.default_rng(1).bytes(5000)),
    "zeros": lambda path: path.write_bytes(gzip.compress(bytes(4000))),
    "one bit of the stream": flipped,
    "no magic": patched(344, b"\0\0\0\0"),
    "unknown type of voxels": patched(70, b"\x63\x63"),
    "negative size": patched(42, b"\xff\xff"),
    "more rows than there are": patched(44, b"\xff\x7f"),
    "affine not a number": patched(280, np.float32([np.nan] * 4).tobytes()),
    "affine without volume": patched(280, bytes(48)),
    "all not a number": valued(floats * np.nan),
    "infinite": valued(np.where(np.arange(SHAPE[2]) == 1, np.inf, floats).astype(np.float32)),
    "complex": valued(floats.astype(np.complex64)),
    "several volumes": valued(np.ones((*SHAPE, 4), np.int16)),
    "a folder": lambda path: path.mkdir(),
    "a broken link": lambda path: path.symlink_to(path.parent / "gone"),
}


@pytest.mark.slow
def test_each_corrupt_volume_gets_its_reason_and_every_other_one_a_label_map(tmp_path, repository):
    config = ConfigParser.load_config_file(str(repository / "bundles/liver/configs/train.json"))
    network = ConfigParser(config | {"channels": [4, 8, 16]}).get_parsed_content("network_def")
    torch.save(network.state_dict(), tmp_path / "model.pt")
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(repository / "bundles", tmp_path / "bundles", symlinks=True, ignore=ignore)
    study, ways = tmp_path / "study", list(CORRUPT)
    study.mkdir()
    corrupt = {}
    for number in range(COUNT):
        path = study / f"c{number:03}.nii.gz"
        if number % 3 == 2:
            corrupt[f"c{number:03}"] = way = ways[number // 3 % len(ways)]
            CORRUPT[way](path)
        else:
            write(path, seed=number)
    words = ["segment", "study", "-o", "masks", "--predictor", "eager", *SMALL]
    code = "from medseg.cli import main; main()"
    command = [sys.executable, "-c", code, *words, "--weights", str(tmp_path / "model.pt")]
    done = commands.run(command, tmp_path)
    assert done.returncode == 1, done.stderr[-2000:]

    reasons = Counter(re.findall(r"case (c\d+)(?:\.nii\.gz)? failed: \S", done.stderr))
    passed = sorted(corrupt[name] for name in corrupt.keys() - reasons.keys())
    assert passed == []
    assert set(reasons) == set(corrupt)
    assert set(reasons.values()) == {1}
    assert "100 of 300 cases failed (c002, c005" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    good = [f"c{number:03}" for number in range(COUNT) if number % 3 != 2]
    expected = {f"{name}{end}" for name in good for end in OF_A_CASE}
    expected |= {"index.html", "labels.ctbl", "labels.json", "labels.label"}
    written = {path.name for path in (tmp_path / "masks").iterdir()}
    assert {name for name in written if not name.startswith("segmentation_")} == expected
    for name in good:
        mask = nib.load(tmp_path / "masks" / f"{name}.nii.gz")
        assert mask.shape == SHAPE
        assert np.array_equal(mask.affine, AFFINE)
        assert np.asarray(mask.dataobj).max() <= 1
