"""What a bundle takes for its input, what it says of anything else, and the choices of inference.

Networks are untrained."""

import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image

from medseg.base.errors import find_root_cause, is_documented
from medseg.bundles.run import run_bundle
from medseg.datasets import phantom
from medseg.ingest import find_series
from medseg.plausibility import TrainedOn, write_trained_on

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
TINY = {"channels": [2, 4, 6], "image_size": [16, 16]}
SHAPES = [(20, 24, 18), (14, 30, 16), (21, 17, 23)]
"""Of the volumes: larger and smaller than the patch, even and odd."""
LAS = np.diag([-1.0, 1.0, 1.5, 1.0])
"""An orientation in which a label map that stays in RAS+ is noticed."""


@pytest.fixture
def untrained(tmp_path, monkeypatch):
    """Copies a bundle into a working directory, with random weights of a tiny network."""

    def copy(name, **choices):
        root = tmp_path / "bundles" / name
        ignore = shutil.ignore_patterns("models")
        shutil.copytree(BUNDLES / name, root, symlinks=True, ignore=ignore)
        config = ConfigParser.load_config_file(str(root / "inference.json"))
        parser = ConfigParser({**config, **TINY, **choices})
        (root / "models").mkdir()
        torch.manual_seed(0)
        network = parser.get_parsed_content("network_def")
        torch.save(network.state_dict(), root / "models" / "model.pt")
        monkeypatch.chdir(tmp_path)
        return root

    return copy


def segment(bundle, source, **choices):
    overrides = {**TINY, **choices, "input": str(source), "output_dir": "masks"}
    arguments = [part for key, value in overrides.items() for part in (f"--{key}", str(value))]
    run_bundle(bundle, "inference", run_id="inference", arguments=arguments)


def cases(name, **choices):
    """What the inference config of a bundle takes for its cases."""
    config = ConfigParser.load_config_file(str(BUNDLES / name / "configs" / "inference.json"))
    return ConfigParser({**config, **choices}).get_parsed_content("cases")


def refusal(name, source, out):
    with pytest.raises(RuntimeError) as caught:  # MONAI's own, around ours
        cases(name, input=str(source), output_dir=str(out))
    cause = find_root_cause(caught.value)
    assert is_documented(cause)
    assert "\n" not in str(cause)
    return str(cause)


def test_pictures_of_any_kind_are_segmented_and_one_failure_costs_no_other(untrained, tmp_path):
    bundle, pictures = untrained("nuclei"), tmp_path / "pictures"
    pictures.mkdir()
    sizes = {"a.png": (40, 56), "b.jpg": (16, 16), "c.tif": (70, 50)}
    noise = np.random.default_rng(0)
    for name, size in sizes.items():
        values = noise.integers(0, 256, (*size[::-1], 3), np.uint8)
        Image.fromarray(values).save(pictures / name)
    (pictures / "broken.png").write_bytes((pictures / "a.png").read_bytes()[:200])
    with pytest.raises(RuntimeError) as failed:
        segment(bundle, pictures)
    assert str(find_root_cause(failed.value)).startswith("1 of 4 cases failed (broken)")
    names = [f"{case}{end}" for case in "abc" for end in (".png", "_instances.png", "_label.png")]
    names += ["labels.ctbl", "labels.json", "labels.label"]
    written = sorted(path.name for path in (tmp_path / "masks").iterdir())
    assert written.pop().startswith("segmentation_")  # the record of the command
    assert written == names
    for name, size in sizes.items():
        label = Image.open(tmp_path / "masks" / f"{name[0]}_label.png")
        assert (label.mode, label.size) == ("L", size)
        assert set(np.unique(label)) <= {0, 1}


def test_volumes_of_any_shape_come_back_on_their_own_grid(untrained, tmp_path):
    bundle, volumes = untrained("hippocampus"), tmp_path / "volumes"
    volumes.mkdir()
    for number, shape in enumerate(SHAPES):
        image = np.random.default_rng(number).random(shape, np.float32)
        nib.save(nib.Nifti1Image(image, LAS), volumes / f"v{number}.nii.gz")
    segment(bundle, volumes, image_size=[16, 16, 16], overlap=0)
    for number, shape in enumerate(SHAPES):
        label = nib.load(tmp_path / "masks" / f"v{number}.nii.gz")
        assert label.shape == shape
        assert np.allclose(label.affine, LAS)
        assert set(np.unique(label.dataobj)) <= {0, 1, 2}


def test_a_bundle_of_patches_segments_a_whole_ct_in_dicom(untrained, tmp_path):
    """The nodule bundle resamples to its own spacing and comes back to that of the CT."""
    bundle = untrained("lung_nodule")
    set_of_ct = phantom.write("ct", tmp_path / "ct", cases=1, test_cases=1, size=48, slices=4)
    choices = {"image_size": [16, 16, 16], "spacing_mm": [8, 8, 5]}
    segment(bundle, set_of_ct / "dicom/liver_001", **choices)
    source = nib.load(set_of_ct / "imagesTs/liver_001.nii.gz")
    label = nib.load(tmp_path / "masks/liver_001.nii.gz")
    assert sorted(label.shape) == sorted(source.shape)
    corners = [
        nib.affines.apply_affine(i.affine, np.array(np.meshgrid(*[(0, n - 1) for n in i.shape])).T)
        for i in (source, label)
    ]
    ends = [(c.reshape(-1, 3).min(0), c.reshape(-1, 3).max(0)) for c in corners]
    assert np.allclose(ends[0], ends[1], atol=0.01)


def test_the_2d_variant_by_one_key_segments_volumes_slice_by_slice(untrained, tmp_path):
    bundle = untrained("lung_nodule", view="slices")
    set_of_ct = phantom.write("ct", tmp_path / "ct", cases=1, test_cases=0, size=48, slices=3)
    choices = {"spacing_mm": [8, 8, 5], "view": "slices"}
    segment(bundle, set_of_ct / "imagesTr", **choices)
    state = torch.load(bundle / "models/model.pt", weights_only=True)
    assert state["nodes.x0_0.first.conv.weight"].ndim == 4
    assert nib.load(tmp_path / "masks/liver_000.nii.gz").shape == (48, 48, 3)


def test_pictures_that_have_outputs_are_refused_skipped_or_done_again(tmp_path):
    pictures, out = tmp_path / "pictures", tmp_path / "masks"
    pictures.mkdir()
    out.mkdir()
    for name in ("p0", "p1"):
        Image.new("RGB", (4, 4)).save(pictures / f"{name}.png")
    (out / "p1_label.png").touch()
    choices = {"input": str(pictures), "output_dir": str(out)}
    assert "1 of 2 cases would write over" in refusal("nuclei", pictures, out)
    assert [case["case"] for case in cases("nuclei", existing="skip", **choices)] == ["p0"]
    assert len(cases("nuclei", existing="overwrite", **choices)) == 2


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("imagesTr/liver_000.nii.gz", "is a NIfTI volume: this bundle segments pictures"),
        ("imagesTr", "holds no picture, liver_000.nii.gz is a NIfTI volume: this bundle"),
        ("dicom/liver_002", "is a DICOM file: this bundle segments pictures"),
    ],
)
def test_a_bundle_of_pictures_refuses_volumes_in_one_line(source, told, tmp_path):
    phantom.write("ct", tmp_path / "ct", cases=2, test_cases=1, size=48, slices=3)
    assert told in refusal("nuclei", tmp_path / "ct" / source, tmp_path / "masks")


def test_a_bundle_of_volumes_refuses_a_picture_in_one_line(tmp_path):
    picture = tmp_path / "photo.png"
    picture.write_bytes(b"a picture by its name")
    formats = "NIfTI, NRRD, MetaImage, MGH or DICOM"
    message = (
        f"{picture} is a picture: this bundle segments volumes ({formats}), pass one or a folder "
        "of them"
    )
    assert refusal("hippocampus", picture, tmp_path / "masks") == message


# ---- the choices of inference


@pytest.fixture
def volume(tmp_path):
    """A folder with one volume whose left half is 0."""
    image = np.random.default_rng(0).random((40, 24, 18), np.float32)
    image[:20] = 0
    (tmp_path / "volumes").mkdir()
    nib.save(nib.Nifti1Image(image, LAS), tmp_path / "volumes" / "v.nii.gz")
    return tmp_path / "volumes"


def label_of(tmp_path, case="v"):
    return np.asarray(nib.load(tmp_path / "masks" / f"{case}.nii.gz").dataobj)


def test_probabilities_are_written_when_asked_for_and_agree_with_the_labels(
    untrained, volume, tmp_path
):
    bundle = untrained("hippocampus")
    segment(bundle, volume, image_size=[16, 16, 16], save_probabilities=True)
    written = np.load(tmp_path / "masks" / "v_probabilities.npy", mmap_mode="r")
    about = json.loads((tmp_path / "masks" / "v_probabilities.json").read_text())
    assert written.dtype == np.float16
    assert written.shape == (3, 40, 24, 18)
    assert about["channels"] == ["background", "anterior", "posterior"]
    assert np.abs(written.astype(np.float32).sum(0) - 1).max() < 2e-3
    inverse = np.linalg.inv(np.array(about["affine"])) @ LAS  # voxels of the file to theirs
    i, j, k = np.meshgrid(*map(np.arange, (40, 24, 18)), indexing="ij")
    places = np.rint(inverse[:3, :3] @ np.stack([i, j, k]).reshape(3, -1) + inverse[:3, 3:])
    moved = written[(slice(None), *places.astype(int))].astype(np.float32)
    labels = label_of(tmp_path).reshape(-1)
    chosen = np.take_along_axis(moved, labels[None].astype(int), axis=0)[0]
    assert (moved.max(0) - chosen).max() < 1e-3  # float16 makes ties


def test_no_probabilities_are_written_unasked(untrained, volume, tmp_path):
    segment(untrained("hippocampus"), volume, image_size=[16, 16, 16])
    written = sorted(
        p.name for p in (tmp_path / "masks").iterdir() if p.name[:13] != "segmentation_"
    )
    measured = ["v_measurements.csv", "v_measurements.json", "v_report.html"]
    labels = ["index.html", "labels.ctbl", "labels.json", "labels.label"]
    assert written == [*labels, "v.nii.gz", "v.png", *measured]


def test_what_is_passed_over_is_background(untrained, volume, tmp_path):
    bundle = untrained("hippocampus")
    segment(
        bundle,
        volume,
        image_size=[8, 8, 8],
        overlap=0,
        skip=0.0,
        intensity={"_target_": "Identityd", "keys": "image"},
    )
    label = label_of(tmp_path)
    assert not label[:16].any()  # windows of zeros alone


def test_labels_and_logits_give_the_same_map_where_nothing_is_resampled(
    untrained, volume, tmp_path
):
    bundle = untrained("hippocampus")
    segment(bundle, volume, image_size=[16, 16, 16])
    labels = label_of(tmp_path)
    segment(bundle, volume, image_size=[16, 16, 16], output="logits", existing="overwrite")
    assert np.array_equal(label_of(tmp_path), labels)


def test_flips_change_the_answer_a_little(untrained, volume, tmp_path):
    bundle = untrained("hippocampus")
    segment(bundle, volume, image_size=[16, 16, 16])
    labels = label_of(tmp_path)
    segment(bundle, volume, image_size=[16, 16, 16], flips=[0, 1], existing="overwrite")
    assert 0 < (label_of(tmp_path) != labels).mean() < 0.9


@pytest.mark.openvino
@pytest.mark.parametrize("backend", ["eager", "openvino"])
def test_the_backend_is_a_choice(untrained, volume, tmp_path, backend):
    bundle = untrained("hippocampus")
    segment(bundle, volume, image_size=[16, 16, 16], predictor=backend, mixed_precision=False)
    labels = label_of(tmp_path)
    segment(
        bundle,
        volume,
        image_size=[16, 16, 16],
        predictor="eager",
        mixed_precision=False,
        existing="overwrite",
    )
    assert (label_of(tmp_path) == labels).mean() > 0.999


def test_a_memory_limit_refuses_the_case_with_the_setting_that_fits(untrained, volume):
    bundle = untrained("hippocampus")
    with pytest.raises(RuntimeError) as failed:
        segment(bundle, volume, image_size=[16, 16, 16], memory_limit="100 KiB")
    error = find_root_cause(failed.value)
    assert str(error).startswith("case v failed: ")
    assert "needs" in error.failures["v"]
    assert (
        "the limit is 100 KiB: the least that works, with windows as in training, is "
        in error.failures["v"]
    )


def test_planning_tells_windows_and_memory_and_writes_nothing(untrained, volume, tmp_path, capfd):
    bundle = untrained("hippocampus")
    arguments = ["--input", str(volume), "--output_dir", "masks", "--channels", "[2,4,6]"]
    run_bundle(bundle, "inference", run_id="planning", arguments=arguments)
    told = [line for line in "".join(capfd.readouterr()).splitlines() if "window of" in line]
    assert len(told) == 1
    assert "case v: 1 window of 48x64x48, 1 at a time; memory: at most " in told[0]
    assert not (tmp_path / "masks").exists()


@pytest.mark.parametrize("name", ["hippocampus", "liver_3d", "lung_nodule", "liver"])
def test_windows_unlike_the_training_patches_are_warned_of(repository, name):
    parser = ConfigParser()
    parser.read_config(str(repository / "bundles" / name / "configs" / "inference.json"))
    assert parser["window_inferer"]["patch_size"] == "@image_size"


# ---- images that cannot be of the kind a network was trained on


def said_of(capfd):
    """What was logged, on either stream."""
    return "".join(capfd.readouterr())


def mask(shape):
    label = np.zeros(shape, np.uint8)
    label[4:12, 5:13] = 1
    return label


@pytest.mark.parametrize("force", ["False", "True"])
def test_a_volume_that_is_none_is_refused_and_forced_alone(untrained, tmp_path, force, capfd):
    """A label map between two images: they are segmented, and so is it where it is forced."""
    bundle, volumes = untrained("hippocampus"), tmp_path / "volumes"
    volumes.mkdir()
    for name, values in (("a", None), ("b", mask(SHAPES[0])), ("c", None)):
        noise = np.random.default_rng(0).random(SHAPES[0], np.float32)
        nib.save(nib.Nifti1Image(noise if values is None else values, LAS), volumes / f"{name}.nii")
    choices = {"image_size": [16, 16, 16], "overlap": 0, "force": force}
    said = "this is a label map or mask, not an image: it holds only 2 values from 0 to 1"
    if force == "False":
        with pytest.raises(RuntimeError) as failed:
            segment(bundle, volumes, **choices)
        assert str(find_root_cause(failed.value)).startswith("1 of 3 cases failed (b)")
        assert f"case b failed: {said}" in said_of(capfd)
    else:
        segment(bundle, volumes, **choices)
        assert f"case b: forced: {said}" in said_of(capfd)
    headers = {p.name[0]: nib.load(p).header for p in (tmp_path / "masks").glob("*.nii.gz")}
    short = f"forced: {said.partition(' from')[0]}..."  # the header has room for 79 characters
    expected = {"a": b"", "b": short.encode(), "c": b""}
    assert {name: header["descrip"].item() for name, header in headers.items()} == {
        name: text for name, text in expected.items() if name != "b" or force == "True"
    }


def test_a_result_of_weights_used_with_other_settings_says_so(untrained, volume, tmp_path, capfd):
    bundle = untrained("hippocampus")
    trained = TrainedOn({}, 3, "MR", 3, settings={"classes": {"a": [1]}})
    write_trained_on(trained, bundle / "models/model.pt")
    with pytest.raises(RuntimeError) as refused:
        segment(bundle, volume, image_size=[16, 16, 16])
    assert "trained for something else" in str(find_root_cause(refused.value))
    segment(bundle, volume, image_size=[16, 16, 16], other_settings=True)
    header = nib.load(tmp_path / "masks/v.nii.gz").header
    assert header["intent_name"].item() == b"forced"
    short = b"forced: other settings than in training (classes: trained with a, used with..."
    assert header["descrip"].item() == short
    assert "case v: forced: other settings than in training" in said_of(capfd)


def test_the_result_of_a_series_that_was_resampled_says_so(untrained, tmp_path, capfd):
    bundle = untrained("liver")
    written = phantom.write("ct", tmp_path / "ct", cases=1, test_cases=1, size=48, slices=8)
    study = written / "dicom/liver_001"
    (series,) = find_series(study)
    series.files[3].unlink()
    segment(bundle, study, resample=True)
    header = nib.load(tmp_path / "masks/liver_001.nii.gz").header
    assert header["intent_name"].item() == b"warned"
    assert b"resampled: 1 slice missing" in header["descrip"].item()
    assert "case liver_001: resampled: 1 slice missing" in said_of(capfd)


def test_a_mask_is_no_picture_for_any_bundle_of_pictures(untrained, tmp_path):
    bundle = untrained("nuclei")
    Image.fromarray(255 * mask((40, 40))).save(tmp_path / "mask.png")
    with pytest.raises(RuntimeError) as failed:
        segment(bundle, tmp_path / "mask.png")
    said = "case mask failed: this is a label map or mask"
    assert str(find_root_cause(failed.value)).startswith(said)


def test_every_bundle_checks_what_it_segments_before_it_changes_the_values():
    for config in sorted(BUNDLES.glob("*/configs/inference.json")):
        steps = json.loads(config.read_text())["preprocessing"]["transforms"]
        names = [step if isinstance(step, str) else step["_target_"] for step in steps]
        assert names.index("@check_image") < names.index("@intensity"), config


def test_the_line_of_a_case_has_the_volume_of_each_class(untrained, volume, tmp_path, capfd):
    segment(untrained("hippocampus"), volume, image_size=[16, 16, 16])
    label = nib.load(tmp_path / "masks" / "v.nii.gz")
    voxel_ml = abs(np.linalg.det(label.affine[:3, :3])) / 1000
    (line,) = [line for line in said_of(capfd).splitlines() if "case v: " in line]
    for value, name in enumerate(("anterior", "posterior"), start=1):
        (said,) = re.findall(rf"{name}(?:: (none)| ([\d.]+) mL)", line)
        count = int((np.asarray(label.dataobj) == value).sum())
        assert float(said[1] or 0) == pytest.approx(count * voxel_ml, abs=0.06)
    assert re.search(r", \d+\.\d s$", line)


def test_the_line_of_a_picture_has_the_area_of_each_class(untrained, tmp_path, capfd):
    Image.fromarray(np.full((40, 56, 3), 90, np.uint8)).save(tmp_path / "p.png")
    segment(untrained("nuclei"), tmp_path / "p.png")
    (line,) = [line for line in said_of(capfd).splitlines() if "case p: " in line]
    count = int((np.asarray(Image.open(tmp_path / "masks" / "p_label.png")) == 1).sum())
    area = f"nucleus {count} pixels" if count else "nucleus: none"
    assert re.search(rf": \d+ objects?, {area}", line)
