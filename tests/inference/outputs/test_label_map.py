"""Tests of medseg.inference.outputs.label_map: the written label map lies where its image lies."""

import nibabel as nib
import numpy as np
import pytest
import torch
from ingest.dicom_writer import OBLIQUE, make_series, write_series
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    Invertd,
    LoadImaged,
    Orientationd,
)

from medseg.inference import WriteLabelMapd, WritePreviewd
from medseg.inference.outputs.label_map import get_source_geometry, write_label_map
from medseg.ingest import load
from medseg.ingest.reader import VolumeReader
from medseg.transforms import LabelFromLogitsd

SHAPE = (6, 5, 4)


def affine(order, *, turn=0.0, spacing=(1.5, 2.0, 5.0)):
    """Voxel axes that point to `order`, turned about the long axis of the patient."""
    flips = [1.0 if letter in "RAS" else -1.0 for letter in order]
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.eye(4)
    rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    matrix[:3, :3] = rotation @ np.diag(flips) @ np.diag(spacing)
    matrix[:3, 3] = (-20.0, 31.5, -400.25)
    return matrix


GRIDS = {
    "RAS": affine("RAS"),
    "LPS": affine("LPS"),
    "LAI": affine("LAI"),
    "oblique": affine("LPS", turn=0.3),
    "axes in another order": affine("RAS")[:, [2, 0, 1, 3]],
}


def save(array, matrix, path):
    image = nib.Nifti1Image(array, matrix)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return str(path)


def pipeline(out):
    """The inference bundle's transforms before and after the network."""
    before = Compose(
        [
            LoadImaged("image", reader=VolumeReader()),
            EnsureChannelFirstd("image"),
            Orientationd("image", axcodes="RAS", labels=None),
        ]
    )
    after = Compose(
        [
            Invertd("pred", before, orig_keys="image", nearest_interp=False),
            LabelFromLogitsd("pred"),
            WriteLabelMapd("pred", out),
            WritePreviewd("pred", out, classes=["bright"]),
        ]
    )
    return before, after


def segment(path, out):
    """Run a network that finds what is brighter than 0.5."""
    before, after = pipeline(out)
    data = Dataset([{"case": "a", "image": path}], before)
    SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(data, batch_size=1),
        network=torch.nn.Identity(),
        inferer=lambda image, _: image - 0.5,
        postprocessing=after,
    ).run()
    return nib.load(out / "a.nii.gz")


@pytest.mark.parametrize("matrix", GRIDS.values(), ids=GRIDS.keys())
def test_the_label_map_lies_on_the_grid_of_its_image_voxel_by_voxel(tmp_path, matrix):
    truth = (np.random.default_rng(0).random(SHAPE) > 0.5).astype(np.float32)
    written = segment(save(truth, matrix, tmp_path / "image.nii.gz"), tmp_path)
    np.testing.assert_allclose(written.affine, matrix, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(written.dataobj), truth)


def test_the_label_map_of_an_oblique_dicom_series_lies_on_its_grid(tmp_path):
    write_series(tmp_path / "ct", make_series(orientation=OBLIQUE))
    values, geometry = load(tmp_path / "ct")
    segment(str(tmp_path / "ct"), tmp_path)
    label, grid = load(tmp_path / "a.nii.gz")  # our own reader accepts what we write
    assert grid.same_grid(geometry)
    np.testing.assert_array_equal(label, values > 0.5)


def test_the_label_map_of_a_nifti_of_two_axes_has_a_third_of_one_voxel(tmp_path):
    path = save(np.zeros(SHAPE[:2], np.float32), GRIDS["LPS"], tmp_path / "plane.nii")
    image = LoadImaged("image", reader=VolumeReader())({"image": path})["image"]
    label = MetaTensor(torch.ones(1, *SHAPE[:2], 1), affine=GRIDS["LPS"])
    write_label_map(label, tmp_path / "label.nii.gz", source=get_source_geometry(image))
    written = nib.load(tmp_path / "label.nii.gz")
    assert written.shape == (*SHAPE[:2], 1)
    np.testing.assert_allclose(written.affine, nib.load(path).affine)


def test_the_header_states_bytes_in_millimetres_by_scanner_coordinates_twice(tmp_path):
    written = segment(
        save(np.ones(SHAPE, np.float32), GRIDS["oblique"], tmp_path / "i.nii"), tmp_path
    )
    header = written.header
    assert written.get_data_dtype() == np.uint8
    assert header.get_xyzt_units()[0] == "mm"
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-4)
    assert header.get_slope_inter() == (None, None)
    assert header["descrip"] == b""


def test_only_finished_files_are_left_in_the_folder(tmp_path):
    segment(save(np.ones(SHAPE, np.float32), GRIDS["RAS"], tmp_path / "i.nii"), tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.nii.gz", "a.png"]


def test_a_write_that_fails_leaves_the_label_map_before_it(tmp_path, monkeypatch):
    source = save(np.ones(SHAPE, np.float32), GRIDS["RAS"], tmp_path / "i.nii")
    segment(source, tmp_path / "out")
    before = (tmp_path / "out" / "a.nii.gz").read_bytes()

    def full(image, path):
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(nib, "save", full)
        with pytest.raises(RuntimeError, match="applying transform"):
            segment(source, tmp_path / "out")
    assert (tmp_path / "out" / "a.nii.gz").read_bytes() == before
    assert len(list((tmp_path / "out").iterdir())) == 2


# ---- refusals


def image_on(matrix):
    meta = {"original_affine": matrix, "spatial_shape": np.array(SHAPE)}
    return MetaTensor(torch.zeros(1, *SHAPE), affine=torch.from_numpy(matrix), meta=meta)


@pytest.mark.parametrize(
    ("label", "match"),
    [
        (MetaTensor(torch.zeros(1, *SHAPE), affine=affine("LPS")), "orientation LPS against RAS"),
        (MetaTensor(torch.zeros(1, 3, 5, 4), affine=affine("RAS")), r"shape \(3, 5, 4\) against"),
        (
            MetaTensor(torch.zeros(1, *SHAPE), affine=affine("RAS", spacing=(1.5, 2, 2.5))),
            "spacing",
        ),
    ],
)
def test_a_label_map_off_the_source_grid_is_refused(tmp_path, label, match):
    write = WriteLabelMapd("pred", tmp_path)
    with pytest.raises(ValueError, match=f"a.nii.gz is not on the source grid .{match}"):
        write({"case": "a", "image": image_on(affine("RAS")), "pred": label})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [256, -1, 0.5, float("nan")])
def test_values_that_are_no_class_index_are_refused(tmp_path, value):
    image = image_on(affine("RAS"))
    label = MetaTensor(torch.full((1, *SHAPE), float(value)), affine=image.affine)
    with pytest.raises(ValueError, match="write class indices of 0 to 255"):
        write_label_map(label, tmp_path / "a.nii.gz", source=get_source_geometry(image))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_class_indices_of_every_type_are_written_as_they_are(tmp_path, dtype):
    image = image_on(affine("RAS"))
    label = MetaTensor(torch.full((1, *SHAPE), 255, dtype=dtype), affine=image.affine)
    write_label_map(label, tmp_path / "a.nii.gz", source=get_source_geometry(image))
    assert np.unique(nib.load(tmp_path / "a.nii.gz").dataobj) == [255]


def test_what_shows_an_earlier_label_map_is_removed_before_it_is_replaced(tmp_path, monkeypatch):
    """So that no preview lies beside a label map that it does not show, were the run killed."""
    seen = []

    def save(image, path):
        seen.extend(p.name for p in tmp_path.iterdir())
        path.write_bytes(b"new")

    for name in ("a.png", "a.nii.gz", "a_more.png", "b.png"):
        (tmp_path / name).touch()
    monkeypatch.setattr(nib, "save", save)
    image = image_on(affine("RAS"))
    label = MetaTensor(torch.zeros(1, *SHAPE), affine=image.affine)
    WriteLabelMapd("pred", tmp_path, replaces=[".png"])(
        {"case": "a", "image": image, "pred": label}
    )
    assert {"a.nii.gz", "a_more.png", "b.png"} <= set(seen)
    assert "a.png" not in seen


@pytest.mark.parametrize("existing", ["refuse", "skip"])
def test_a_label_map_that_another_run_has_written_meanwhile_stays(tmp_path, existing):
    image = image_on(affine("RAS"))
    item = {"image": image, "pred": MetaTensor(torch.zeros(1, *SHAPE), affine=image.affine)}
    write = WriteLabelMapd("pred", tmp_path, replaces=[".png"], existing=existing)
    write({**item, "case": "new"})
    for name in ("a.nii.gz", "a.png"):
        (tmp_path / name).write_text("of another run")
    with pytest.raises(FileExistsError, match=r"a\.nii\.gz was written by another program at"):
        write({**item, "case": "a"})
    assert (tmp_path / "a.png").read_text() == "of another run"
    assert (tmp_path / "a.nii.gz").read_text() == "of another run"
    assert {path.name for path in tmp_path.iterdir()} == {"new.nii.gz", "a.nii.gz", "a.png"}
