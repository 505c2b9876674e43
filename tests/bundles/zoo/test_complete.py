"""Tests of medseg.bundles.zoo.complete: a bundle of another origin has what one of ours has."""

import json
import logging

import nibabel
import numpy as np
import pytest
from bundles.zoo.small import CONFIG, change, write_bundle
from ingest.dicom_writer import as_mr, make_series, write_series
from monai.bundle.scripts import run
from pydicom import dcmread

import medseg
from medseg.base.errors import format_error
from medseg.bundles.overrides import read_workflow
from medseg.bundles.run import run_bundle
from medseg.bundles.zoo.complete import check_takes_images, is_of_other_origin


@pytest.fixture
def zoo(tmp_path):
    return write_bundle(tmp_path / "bright")


@pytest.fixture
def image(tmp_path):
    """A volume with a bright half in a turned frame, whose voxels are no cubes."""
    values = np.random.default_rng(0).normal(300, 40, (24, 20, 14)).astype(np.float32)
    values[:12] += 500
    folder = tmp_path / "images"
    folder.mkdir()
    affine = np.array([[0, 1.5, 0, 4], [-2.0, 0, 0, 7], [0, 0, 3.0, -9], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(values, affine), folder / "a.nii.gz")
    return folder / "a.nii.gz"


@pytest.fixture
def series(tmp_path):
    stored = np.random.default_rng(0).integers(0, 400, (20, 40, 36)).astype(np.uint16)
    stored[:, 10:30] += 500
    write_series(tmp_path / "study", as_mr(make_series(stored)))
    return tmp_path / "study"


def segment(bundle, source, out, *more, run_id="inference"):
    return run_bundle(bundle, "inference", run_id=run_id,
                      arguments=[f"--input={source}", f"--output_dir={out}", *more])  # fmt: skip


def refuse(bundle, source, out):
    """The one line that ends a run."""
    with pytest.raises(Exception) as error:  # noqa: PT011
        segment(bundle, source, out)
    return format_error(error.value)


def test_its_label_map_is_that_of_monai_itself(zoo, image, tmp_path):
    segment(zoo, image, tmp_path / "out")
    config = change(preprocessing={**CONFIG["preprocessing"]})
    config["preprocessing"]["transforms"][0]["reader"] = "NibabelReader"
    (zoo / "configs" / "inference.json").write_text(json.dumps(config))
    run(config_file=str(zoo / "configs" / "inference.json"), bundle_root=str(zoo),
        dataset_dir=str(image.parent), output_dir=str(tmp_path / "monai"))  # fmt: skip
    ours = nibabel.load(tmp_path / "out" / "a.nii.gz")
    theirs = nibabel.load(tmp_path / "monai" / "a_trans.nii.gz")
    np.testing.assert_array_equal(ours.get_fdata(), theirs.get_fdata())
    np.testing.assert_allclose(ours.affine, theirs.affine)
    assert set(np.unique(ours.dataobj)) == {0, 1}


def test_it_writes_what_our_bundles_write_and_nothing_of_its_own(zoo, image, tmp_path):
    out = segment(zoo, image, tmp_path / "out")
    names = {path.name.partition("_20")[0] for path in out.iterdir()}
    assert names == {
        *("a.nii.gz", "a.png", "a_report.html", "a_measurements.json", "a_measurements.csv"),
        *("index.html", "labels.json", "labels.ctbl", "labels.label", "segmentation"),
    }
    labels = json.loads((out / "labels.json").read_text())["labels"]
    assert [one["name"] for one in labels] == ["background", "bright"]
    record = json.loads(next(out.glob("segmentation_*.json")).read_text())
    assert record["bundle"] == "bright 0.3.1"


def test_a_series_gives_dicom_objects_of_its_images(zoo, series, tmp_path):
    out = segment(zoo, series, tmp_path / "out", "--rtstruct=True", "--sr=True")
    made = {dcmread(path).Modality for path in out.glob("*.dcm")}
    assert made == {"SEG", "RTSTRUCT", "SR"}
    source = dcmread(next(series.iterdir()))
    seg = next(one for one in map(dcmread, out.glob("*.dcm")) if one.Modality == "SEG")
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert seg.SegmentSequence[0].SegmentLabel == "bright"


def test_a_series_that_lacks_a_slice_is_refused_by_its_verdict(zoo, series, tmp_path):
    sorted(series.iterdir())[8].unlink()
    assert "slices are missing" in refuse(zoo, series, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.nii.gz"))


def test_an_image_of_another_modality_is_refused(tmp_path, image):
    ct = write_bundle(tmp_path / "ct", modality="CT")
    said = refuse(ct, image, tmp_path / "out")
    assert "not a CT in Hounsfield units" in said
    assert "(a CT), or --force" in said


def test_a_result_on_another_grid_is_refused(tmp_path, image):
    config = change()
    config["postprocessing"]["transforms"].pop(1)  # Invertd
    bundle = write_bundle(tmp_path / "turned", config)
    assert "is not on the source grid (shape" in refuse(bundle, image, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.nii.gz"))


def test_its_windows_and_memory_are_planned(zoo, image, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        segment(zoo, image, tmp_path / "out", "--existing=None", run_id="planning")
    assert "windows of 16x16x16, 2 at a time; memory: at most" in caplog.text
    assert not (tmp_path / "out").exists()


def test_its_own_keys_can_be_set_beside_ours(zoo, image, tmp_path):
    out = segment(zoo, image, tmp_path / "out", "--inferer#overlap=0.25", "--report=False",
                  "--classes={'half': [1]}")  # fmt: skip
    assert not list(out.glob("*.html"))
    assert "half" in (out / "labels.json").read_text()
    with pytest.raises(ValueError, match="inferer#overlapp is not a key"):
        segment(zoo, image, tmp_path / "other", "--inferer#overlapp=0.25")


def test_weights_that_are_not_there_are_refused_in_one_line(zoo, image, tmp_path):
    (zoo / "models" / "model.pt").unlink()
    said = refuse(zoo, image, tmp_path / "out")
    assert "has no weights" in said
    assert "pass --weights with a file" in said


def test_regions_of_a_sigmoid_keep_every_combination(tmp_path, image):
    config = change(network_def=CONFIG["network_def"] | {"out_channels": 2})
    transforms = config["postprocessing"]["transforms"]
    transforms[0] = {"_target_": "Activationsd", "keys": "pred", "sigmoid": True}
    transforms[2] = {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}
    bundle = write_bundle(tmp_path / "regions", config, names=["whole", "core"])
    out = segment(bundle, image, tmp_path / "out")
    labels = json.loads((out / "labels.json").read_text())["labels"]
    assert [one["name"] for one in labels[1:]] == [
        "whole outside core",
        "core outside whole",
        "whole and core",
    ]
    assert set(np.unique(nibabel.load(out / "a.nii.gz").dataobj)) == {0, 2}


def test_several_channels_are_found_by_their_names(tmp_path, image):
    config = change(network_def=CONFIG["network_def"] | {"in_channels": 2})
    bundle = write_bundle(tmp_path / "two", config, channels=("T1", "FLAIR"))
    other = image.with_name("a_FLAIR.nii.gz")
    nibabel.save(nibabel.load(image), other)
    image.rename(image.with_name("a_T1.nii.gz"))
    out = segment(bundle, image.parent, tmp_path / "out")
    assert (np.asarray(nibabel.load(out / "a.nii.gz").dataobj)[:11] == 1).all()


def test_a_network_of_slices_goes_through_a_volume(tmp_path, image, caplog):
    config = change(
        network_def=CONFIG["network_def"] | {"_target_": "torch.nn.Conv2d"},
        inferer={"_target_": "SliceInferer", "roi_size": [16, 16], "spatial_dim": 2},
    )
    bundle = write_bundle(tmp_path / "slices", config)
    state = bundle / "models" / "model.pt"
    import torch

    weights = torch.load(state)
    torch.save(weights | {"weight": weights["weight"][..., 0]}, state)
    out = segment(bundle, image, tmp_path / "out")
    assert (np.asarray(nibabel.load(out / "a.nii.gz").dataobj)[:11] == 1).all()
    with caplog.at_level(logging.INFO):
        segment(bundle, image, tmp_path / "plan", "--existing=None", run_id="planning")
    assert "windows of 16x16x1" in caplog.text


def test_programs_segment_with_it(zoo, image):
    found = medseg.segment(str(image), bundle=zoo)
    assert found.labels.channel_def == {"0": "background", "1": "bright"}
    assert found.mask[:11].all()


def test_code_of_its_own_is_imported_from_its_folder(tmp_path, image):
    config = change()
    config["preprocessing"]["transforms"].insert(4, {"_target_": "scripts.shift.Shift"})
    bundle = write_bundle(tmp_path / "own", config)
    (bundle / "scripts").mkdir()
    (bundle / "scripts" / "shift.py").write_text(
        "class Shift:\n    def __call__(self, data):\n"
        "        return data | {'image': data['image'] - 1000}\n"
    )
    out = segment(bundle, image, tmp_path / "out")
    assert not np.asarray(nibabel.load(out / "a.nii.gz").dataobj).any()


def test_our_bundles_are_left_as_they_are(repository):
    config = read_workflow(repository / "bundles" / "hippocampus", "inference")
    assert not is_of_other_origin(config)


@pytest.mark.parametrize("missing", ["output_dir", "inferer", "dataset"])
def test_a_config_without_a_key_of_the_specification_is_refused(tmp_path, missing):
    config = {key: value for key, value in CONFIG.items() if key != missing}
    assert not is_of_other_origin(config)
    with pytest.raises(ValueError, match=rf"nor {missing}, .*python -m monai.bundle run"):
        check_takes_images(config, tmp_path)


def test_a_config_that_loads_the_image_in_its_own_way_is_refused(tmp_path):
    config = change()
    config["preprocessing"]["transforms"].pop(0)
    with pytest.raises(ValueError, match="nor LoadImaged of the key image"):
        check_takes_images(config, tmp_path)


def test_labels_are_not_interpolated(tmp_path, image, caplog):
    config = change()
    transforms = config["postprocessing"]["transforms"]
    transforms[1:3] = transforms[2:0:-1]
    bundle = write_bundle(tmp_path / "linear", config)
    out = segment(bundle, image, tmp_path / "out")
    assert set(np.unique(nibabel.load(out / "a.nii.gz").dataobj)) == {0, 1}
    assert "the nearest voxel is taken instead" in caplog.text


@pytest.mark.parametrize(
    "network",
    ["$nosuchpackage.Net()", {"_target_": "scripts.net.Net"}],
    ids=["named", "asked for by its own code"],
)
def test_a_missing_package_is_one_line(tmp_path, image, network):
    imports = [*CONFIG["imports"], "$import nosuchpackage"]
    config = change(network_def=network, network="@network_def", imports=imports)
    bundle = write_bundle(tmp_path / "packages", config)
    (bundle / "scripts").mkdir()
    (bundle / "scripts" / "net.py").write_text(
        "import nosuchpackage\n\nclass Net(nosuchpackage.Net):\n    pass\n"
    )
    said = refuse(bundle, image, tmp_path / "out")
    assert "nosuchpackage" in said
    assert "install" in said
