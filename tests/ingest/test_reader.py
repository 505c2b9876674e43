"""Tests of medseg.ingest.reader: the same data through MONAI's transforms."""

from __future__ import annotations

import gzip
import sys

import nibabel as nib
import numpy as np
import pytest
from ingest.dicom_writer import OBLIQUE, SAGITTAL, make_series, ramp, write_series
from monai.data import DataLoader, Dataset, MetaTensor, decollate_batch
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    Invertd,
    LoadImaged,
    Orientationd,
    SaveImage,
    Spacingd,
)

from medseg.base import memory
from medseg.ingest import IngestError, Reason, find_series, load
from medseg.ingest.metadata import RESAMPLED
from medseg.ingest.reader import SameGridd, VolumeReader
from medseg.ingest.volumes import voxels

READER = "medseg.ingest.reader.VolumeReader"


def save(array, affine, path):
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def voxel_grid(image):
    """What tells two loaded images apart: values, affine and shape."""
    return image.numpy(), image.affine.numpy(), tuple(image.shape)


@pytest.fixture(params=[SAGITTAL, OBLIQUE], ids=["sagittal", "oblique"])
def case(request, tmp_path):
    """One CT as DICOM folder and as NIfTI, with a label on its grid."""
    write_series(tmp_path / "ct", make_series(orientation=request.param))
    array, geometry = load(tmp_path / "ct")
    return {
        "dicom": tmp_path / "ct",
        "nifti": save(array, geometry.affine, tmp_path / "ct.nii.gz"),
        "label": save(
            (ramp().transpose(2, 1, 0) % 3).astype(np.uint8),
            geometry.affine,
            tmp_path / "label.nii.gz",
        ),
    }


def test_dicom_and_nifti_of_one_volume_load_alike(case):
    keys = ["dicom", "nifti"]
    loaded = Compose(
        [
            LoadImaged(keys, reader=READER),
            EnsureChannelFirstd(keys),
            SameGridd(keys),
            Orientationd(keys, axcodes="RAS", labels=None),
        ]
    )(case)
    dicom, nifti = voxel_grid(loaded["dicom"]), voxel_grid(loaded["nifti"])
    np.testing.assert_array_equal(dicom[0], nifti[0])
    np.testing.assert_allclose(dicom[1], nifti[1], atol=1e-4)
    assert dicom[2] == nifti[2]


def test_the_reader_agrees_with_monais_own_on_nifti(case):
    path = {"nifti": case["nifti"]}
    ours = LoadImaged("nifti", reader=READER, ensure_channel_first=True)(path)["nifti"]
    theirs = LoadImaged("nifti", reader="NibabelReader", ensure_channel_first=True)(path)["nifti"]
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-5)
    for key in ("space", "original_channel_dim"):
        assert str(ours.meta[key]) == str(theirs.meta[key])


def test_a_prediction_inverts_and_saves_onto_the_dicom_grid(case, tmp_path):
    preprocessing = Compose(
        [
            LoadImaged("dicom", reader=READER),
            EnsureChannelFirstd("dicom"),
            Orientationd("dicom", axcodes="RAS", labels=None),
            Spacingd("dicom", pixdim=(0.25, 0.25, 0.25)),
        ]
    )
    batch = next(iter(DataLoader(Dataset([{"dicom": case["dicom"]}], preprocessing), batch_size=1)))
    batch["pred"] = MetaTensor(batch["dicom"] > -1000, meta=batch["dicom"].meta)
    (item,) = decollate_batch(batch)
    inverted = Invertd("pred", preprocessing, orig_keys="dicom", nearest_interp=True)(item)["pred"]

    _, geometry = load(case["dicom"])
    assert tuple(inverted.shape) == (1, *geometry.shape)
    np.testing.assert_allclose(inverted.affine, geometry.affine, atol=1e-4)

    SaveImage(tmp_path / "out", output_postfix="seg", separate_folder=False, print_log=False)(
        inverted
    )
    mask, saved = load(tmp_path / "out" / "ct_seg.nii.gz")
    assert saved.same_grid(geometry)
    np.testing.assert_array_equal(mask, inverted.numpy()[0])


def test_labels_stay_integers_from_file_to_tensor(case):
    reader = VolumeReader(labels=(0, 1, 2))
    array, meta = reader.get_data(reader.read(case["label"]))
    assert array.dtype == np.uint8
    assert np.isnan(meta["original_channel_dim"])
    loaded = LoadImaged("label", reader=reader, dtype=None)(case)["label"]
    np.testing.assert_array_equal(loaded.numpy(), array)
    assert str(loaded.dtype) == "torch.uint8"


def test_labels_stored_as_floats_become_integers(tmp_path):
    path = save(np.eye(3, dtype=np.float32)[None] * 2, np.eye(4), tmp_path / "label.nii")
    assert VolumeReader((0, 2)).get_data([path])[0].dtype == np.uint8


def test_undeclared_labels_are_refused_by_file(case):
    loader = LoadImaged("label", reader=VolumeReader(labels=(0, 1)))
    with pytest.raises(IngestError, match=r"label.nii.gz holds 2 \(40 voxels\)") as caught:
        loader(case)
    assert caught.value.code is Reason.UNDECLARED_LABELS


def test_a_refused_series_is_not_handed_to_monais_other_readers(tmp_path):
    """MONAI's readers load it with a wrong spacing, so falling through would be silent."""
    slices = make_series()
    del slices[2]
    write_series(tmp_path, slices)
    with pytest.raises(IngestError, match="slices are missing") as caught:
        LoadImaged("image", reader=READER)({"image": tmp_path})
    assert caught.value.code is Reason.MISSING_SLICES


def test_in_a_pipeline_the_reason_is_the_cause_of_the_error(tmp_path):
    with pytest.raises(RuntimeError) as caught:
        Compose([LoadImaged("image", reader=READER)])({"image": tmp_path})
    assert caught.value.__cause__.code is Reason.EMPTY_FOLDER


def test_a_series_can_be_named(tmp_path):
    write_series(tmp_path, make_series(uid="1.2.3"), suffix=".a")
    write_series(tmp_path, make_series(ramp((3, 6, 4)), uid="1.2.4"), suffix=".b")
    array, _ = VolumeReader(series_uid="1.2.4").get_data([tmp_path])
    assert array.shape == (4, 6, 3)


def test_a_series_can_be_chosen_by_a_rule(tmp_path):
    write_series(tmp_path, make_series(uid="1.2.3"), suffix=".a")
    write_series(tmp_path, make_series(ramp((3, 6, 4)), uid="1.2.4"), suffix=".b")
    array, _ = VolumeReader(choose="largest").get_data([tmp_path])
    assert array.shape == (4, 6, 5)


def test_several_files_of_one_grid_become_channels(case, tmp_path):
    both = [case["nifti"], case["label"]]
    loaded = LoadImaged("image", reader=READER, ensure_channel_first=True)({"image": both})
    assert tuple(loaded["image"].shape) == (2, 4, 6, 5)
    other = save(ramp(), np.eye(4), tmp_path / "other.nii")
    with pytest.raises(IngestError, match=r"ct.nii.gz and .*other.nii lie on different grids"):
        LoadImaged("image", reader=READER)({"image": [case["nifti"], other]})


@pytest.mark.parametrize("channel_first", [True, False])
def test_image_and_label_on_different_grids_are_refused_by_file(case, tmp_path, channel_first):
    moved = nib.load(case["label"])
    affine = moved.affine.copy()
    affine[2, 3] += 1.5
    case["label"] = save(np.asarray(moved.dataobj), affine, tmp_path / "moved.nii.gz")
    keys = ["nifti", "label"]
    loaded = LoadImaged(keys, reader=READER, ensure_channel_first=channel_first)(case)
    words = r"ct.nii.gz and .*moved.nii.gz lie on different grids, origin .* 1.5 mm apart"
    with pytest.raises(IngestError, match=words) as caught:
        SameGridd(keys)(loaded)
    assert caught.value.code is Reason.DIFFERENT_GRIDS


def test_verify_suffix_takes_nifti_folders_and_dicom(tmp_path):
    reader = VolumeReader()
    assert reader.verify_suffix(["a.nii", "b.nii.gz"])
    assert reader.verify_suffix(tmp_path)
    assert reader.verify_suffix(["a.dcm", "b.IMA", "c"])
    assert not reader.verify_suffix("a.png")


def sparse_gzip(path, side, dtype=np.uint8):
    """A volume of zeros in few bytes."""
    head = nib.Nifti1Header()
    head.set_data_dtype(dtype)
    head.set_data_shape((side, side, side))
    head.set_sform(np.eye(4), 1)
    head["magic"], head["vox_offset"] = b"n+1", 352
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(head.binaryblock + bytes(4))
        for _ in range(side):
            file.write(bytes(side * side * np.dtype(dtype).itemsize))
    return path


def test_a_blank_image_of_many_bytes_is_refused_from_its_header_and_a_label_map_is_not(
    tmp_path, monkeypatch
):
    path = sparse_gzip(tmp_path / "a.nii.gz", 110)
    assert not VolumeReader().get_data([path])[0].any()  # small enough not to be asked
    monkeypatch.setattr(voxels, "UNASKED_BYTES", 2**20)
    with pytest.raises(IngestError, match=r"expand to 1331352, .* blank, or made to") as caught:
        VolumeReader().get_data([path])
    assert caught.value.code is Reason.TOO_LARGE
    labels, _ = VolumeReader(labels=(0, 1)).get_data([path])
    assert labels.shape == (110, 110, 110)


def test_an_image_is_counted_with_what_is_made_of_it(tmp_path, monkeypatch):
    path = sparse_gzip(tmp_path / "a.nii.gz", 10)
    monkeypatch.setattr(memory, "find_available_bytes", lambda: 9 * 1000 - 1)
    with pytest.raises(IngestError, match="of memory") as caught:
        VolumeReader().get_data([path])
    assert caught.value.code is Reason.NO_MEMORY
    VolumeReader(labels=(0, 1)).get_data([path])
    monkeypatch.setattr(memory, "find_available_bytes", lambda: 9 * 1000)
    VolumeReader().get_data([path])


def test_the_modality_of_ct_that_leaves_it_out_is_that_of_its_class(tmp_path):
    """`segment` compares it with what a bundle was trained on."""
    slices = make_series()
    for dataset in slices:
        del dataset.Modality
    write_series(tmp_path, slices)
    _, meta = VolumeReader().get_data([tmp_path])
    assert meta["modality"] == "CT"


@pytest.mark.parametrize(("stated", "unit"), [("US", "US"), ("HU", ""), (None, "")])
def test_the_unit_that_a_ct_states_is_kept_where_it_is_not_hu(tmp_path, stated, unit):
    slices = make_series()
    for dataset in slices:
        if stated is None:
            dataset.pop("RescaleType", None)
        else:
            dataset.RescaleType = stated
    write_series(tmp_path, slices)
    _, meta = VolumeReader().get_data([tmp_path])
    assert meta["value_unit"] == unit


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        *[({"volume": volume}, TypeError) for volume in ("x", 1.5, True, [0])],
        *[({"units": "inch"}, ValueError), ({"affine": "both"}, ValueError)],
    ],
)
def test_a_choice_that_is_none_is_refused_before_any_case_is_read(choice, kind):
    (name,) = choice
    with pytest.raises(kind, match=f"^{name} is .*: (pass|choose)"):
        VolumeReader(**choice)


def test_a_series_that_is_read_again_is_judged_once_while_its_files_stay(tmp_path, monkeypatch):
    judged = []

    def count(path, **options):
        judged.append(path)
        return find_series(path, **options)

    monkeypatch.setattr(sys.modules[load.__module__], "find_series", count)
    write_series(tmp_path / "ct", make_series())
    reader = VolumeReader()
    before = reader.get_data([tmp_path / "ct"])[0]
    reader.get_data([tmp_path / "ct"])
    assert len(judged) == 1
    write_series(tmp_path / "ct", make_series(ramp() + 1))
    np.testing.assert_array_equal(reader.get_data([tmp_path / "ct"])[0], before + 1)
    assert len(judged) == 2


def test_a_reader_remembers_the_last_series_alone(tmp_path):
    reader = VolumeReader()
    for name in "abcdef":
        write_series(tmp_path / name, make_series())
        reader.get_data([tmp_path / name])
    assert [path.name for path in reader._series] == ["c", "d", "e", "f"]


def test_volumes_of_a_file_are_channels_only_where_it_is_asked_for(tmp_path):
    array = np.random.default_rng(0).integers(0, 99, (3, 4, 5, 2)).astype(np.int16)
    image = nib.Nifti1Image(array, np.eye(4))
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "a.nii")
    paths = [tmp_path / "a.nii"]
    with pytest.raises(IngestError, match="not one volume"):
        VolumeReader().get_data(paths)
    values, _ = VolumeReader(all_volumes=True).get_data(paths)
    np.testing.assert_array_equal(values, np.moveaxis(array, -1, 0))
    one, _ = VolumeReader(all_volumes=True, volume=1).get_data(paths)
    np.testing.assert_array_equal(one, array[..., 1])


def test_channels_that_were_resampled_are_named_in_the_meta_data(tmp_path):
    for name, step in (("fine", 1.0), ("coarse", 2.0)):
        image = nib.Nifti1Image(np.ones((8, 4, 4), np.int16), np.diag([step, 1, 1, 1]))
        image.header.set_xyzt_units("mm")
        nib.save(image, tmp_path / f"{name}.nii")
    paths = [tmp_path / "fine.nii", tmp_path / "coarse.nii"]
    _, meta = VolumeReader(resample_channels=True).get_data(paths)
    assert meta[RESAMPLED] == "channel 2 onto the grid of the first, 100% covered"
