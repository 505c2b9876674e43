"""Tests of medseg.datasets.lidc.scan: nodules become patches and slices, by the settings."""

import nibabel as nib
import numpy as np
import pytest
from datasets.lidc.small_collection import PATIENTS, prepare_small, read_table
from scipy.ndimage import label

from medseg.datasets.lidc import Settings


def test_every_nodule_becomes_a_patch_and_slices(done):
    out, report = done
    rows = read_table(out / "nodules.csv")
    nodules = [row for row in rows if row["kind"] == "nodule"]
    assert report.ok
    assert report.cases == PATIENTS
    assert report.nodules == report.patches == len(nodules) >= 2 * PATIENTS
    assert {row["kind"] for row in rows} >= {"nodule", "non-nodule"}
    assert all(2 <= int(row["readers"]) <= 4 and row["agreement"] for row in nodules)
    assert len(list((out / "patches/images").iterdir())) == report.patches
    assert len(list((out / "slices/labels").iterdir())) == report.slices
    assert read_table(out / "problems.csv") == []


def test_patches_are_integer_hu_on_a_ras_grid_of_the_chosen_size_and_spacing(done):
    out, _ = done
    for path in (out / "patches/images").iterdir():
        image = nib.load(path)
        assert image.shape == (16, 16, 16)
        assert image.get_data_dtype() == np.int16
        assert np.allclose(image.header.get_zooms(), 4.0)
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
        mask = np.asarray(nib.load(out / "patches/labels" / path.name).dataobj)
        assert np.unique(mask).tolist() == [0, 1]
        dense, around = image.get_fdata()[mask == 1], image.get_fdata()[mask == 0]
        assert np.median(dense) > np.median(around) + 300


def test_a_nodule_has_its_volume_at_its_place_in_its_patch(done):
    out, _ = done
    rows = [row for row in read_table(out / "nodules.csv") if row["patch"]]
    apart = 0
    for row in rows:
        patch = nib.load(out / "patches/labels" / f"{row['patch']}.nii.gz")
        centre = [float(row[f"{axis}_mm"]) for axis in "xyz"]
        at = np.rint(np.linalg.inv(patch.affine) @ [*centre, 1])[:3].astype(int)
        assert np.abs(at - 7.5).max() <= 0.5
        volume = float((np.asarray(patch.dataobj) > 0).sum() * 64)
        # a nodule is a few pixels here and other nodules may reach into its patch
        assert volume > 0.75 * float(row["volume_mm3"])
        apart += volume < 1.25 * float(row["volume_mm3"])
    assert apart >= len(rows) / 2


def test_a_slice_is_the_plane_of_its_patch_and_holds_a_nodule(done):
    out, _ = done
    for path in sorted((out / "slices/images").iterdir())[::7]:
        name, _, plane = path.name.removesuffix(".nii.gz").rpartition("_z")
        image, patch = nib.load(path), nib.load(out / "patches/images" / f"{name}.nii.gz")
        assert image.shape == (16, 16, 1)
        assert np.array_equal(image.dataobj[..., 0], patch.dataobj[..., int(plane)])
        assert np.allclose(image.affine @ [0, 0, 0, 1], patch.affine @ [0, 0, int(plane), 1])
        assert np.asarray(nib.load(out / "slices/labels" / path.name).dataobj).any()


def test_the_consensus_is_that_of_the_true_masks(published, done):
    found = {}
    for row in read_table(done[0] / "nodules.csv"):
        if row["kind"] == "nodule":
            found.setdefault(row["patient"], []).append(float(row["volume_mm3"]))
    for patient, volumes in found.items():
        truth = nib.load(published / "truth" / f"{patient}.nii.gz")
        voxel_mm3 = abs(np.linalg.det(truth.affine[:3, :3]))
        expected = _voxels_of_half_the_readers(np.asarray(truth.dataobj))
        assert np.array(sorted(volumes)) / voxel_mm3 == pytest.approx(expected, abs=0.01)


def _voxels_of_half_the_readers(bits):
    """Count, nodule by nodule, the voxels that half of those who saw the nodule meant."""
    readers = np.stack([(bits >> n) & 1 for n in range(4)])
    nodules, count = label(bits > 0)
    masks = [nodules == number for number in range(1, count + 1)]
    seen = [sum(reader[mask].any() for reader in readers) for mask in masks]
    votes = readers.sum(axis=0)
    return sorted(int((votes[m] >= n / 2).sum()) for m, n in zip(masks, seen, strict=True))


def test_nodules_of_too_few_readers_are_in_the_table_only(published, tmp_path):
    settings = Settings(size=16, spacing_mm=3.0, min_readers=4)
    report = prepare_small(published, tmp_path / "out", settings=settings)
    rows = [row for row in read_table(tmp_path / "out/nodules.csv") if row["kind"] == "nodule"]
    assert [bool(row["patch"]) for row in rows] == [row["readers"] == "4" for row in rows]
    assert report.patches >= PATIENTS  # the first nodule of each patient
    assert any(row["readers"] != "4" for row in rows)


def test_staple_gives_other_masks_than_the_union_and_the_intersection(published, tmp_path):
    volumes = {}
    for name, settings in {
        "staple": Settings(size=8, spacing_mm=2.0, method="staple"),
        "all": Settings(size=8, spacing_mm=2.0, agreement=1.0),
        "any": Settings(size=8, spacing_mm=2.0, agreement=0.01),
    }.items():
        prepare_small(
            published / "LIDC-IDRI" / "LIDC-IDRI-9001", tmp_path / name, settings=settings
        )
        rows = read_table(tmp_path / name / "nodules.csv")
        volumes[name] = [float(r["volume_mm3"]) for r in rows if r["kind"] == "nodule"]
    for least, middle, most in zip(*(volumes[n] for n in ("all", "staple", "any")), strict=True):
        assert least <= middle <= most
    assert sum(volumes["all"]) < sum(volumes["staple"]) < sum(volumes["any"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "vote"}, "method 'vote' is unknown"),
        ({"agreement": 0.0}, "agreement is 0.0"),
        ({"agreement": 1.5}, "agreement is 1.5"),
        ({"min_readers": 5}, "min_readers is 5"),
        ({"size": 4}, "size is 4 voxels"),
        ({"spacing_mm": 0.0}, "spacing_mm is 0.0"),
        ({"agreement": "half"}, "agreement is half: choose a share"),
        ({"min_readers": 2.5}, "min_readers is 2.5: choose 1 to 4"),
        ({"size": "large"}, "size is large voxels: choose 8 or more"),
        ({"spacing_mm": [1, 1, 1]}, r"spacing_mm is \[1, 1, 1\]: choose 0.1 to 10"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Settings(**wrong)


def test_resample_is_true_or_false_and_no_text():
    with pytest.raises(TypeError, match="resample must be True or False, got 'false'"):
        Settings(resample="false")


def test_the_default_is_the_input_of_the_paper():
    assert (Settings().size, Settings().spacing_mm, Settings().agreement) == (64, 1.0, 0.5)
