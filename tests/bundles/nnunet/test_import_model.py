"""Import model: a model of nnU-Net becomes a bundle that segments, or a line says why not."""

import json

import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from bundles.nnunet.models import make_configuration, make_plans, write_model
from cli.commands import run_medseg
from export.judges import find_errors, needs_dciodvfy
from export.test_segmentation import write_kind

from medseg.bundles.check import find_faults
from medseg.bundles.nnunet.checkpoint import read_checkpoint
from medseg.bundles.nnunet.import_model import import_model
from medseg.bundles.segmenter import Segmenter
from medseg.plausibility import read_trained_on

pytest.importorskip("dynamic_network_architectures")


def read_task(folder):
    return json.loads((folder / "task.json").read_text())


def make_volume(shape=(11, 12, 9), seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(60, 40, shape).astype(np.float32)
    return nib.Nifti1Image(values, np.diag([1.3, 0.9, 2.0, 1.0]))


def segment(folder, image):
    return Segmenter(folder, force=True, mixed_precision=False, predictor="eager")(image)


def test_a_model_becomes_a_bundle_without_faults_that_segments(tmp_path):
    made = import_model(write_model(tmp_path / "model"), tmp_path / "bundles" / "spleen")
    assert made.configuration == "3d_fullres"
    assert made.folds == ("0",)
    assert find_faults(made.folder) == []
    found = segment(made.folder, make_volume())
    assert found.mask.shape == (11, 12, 9)
    assert set(np.unique(found.mask)) <= {0, 1, 2}
    assert [label.name for label in found.labels] == ["background", "liver", "tumour"]


def test_the_labels_are_those_of_the_network_on_the_prepared_image(tmp_path):
    """One window, no mirroring and the spacing of the training: the chain is short enough."""
    model = write_model(tmp_path / "model", mirror=())
    made = import_model(model, tmp_path / "one")
    image = nib.Nifti1Image(make_volume((8, 8, 8)).get_fdata(), np.eye(4))
    from bundles.nnunet.models import CT, make_network

    network = make_network(make_configuration(), 1, 3)
    network.load_state_dict(read_checkpoint(model / "fold_0/checkpoint_final.pth").weights)
    values = image.get_fdata().clip(CT["percentile_00_5"], CT["percentile_99_5"])
    values = torch.from_numpy((values - CT["mean"]) / CT["std"]).float().permute(2, 1, 0)
    with torch.no_grad():
        expected = network.eval()(values[None, None])[0].argmax(0).permute(2, 1, 0)
    assert np.array_equal(segment(made.folder, image).mask, expected)


@needs_dciodvfy
def test_dicom_outputs_carry_the_codes_and_sides_of_known_names(tmp_path):
    names = ("kidney_left", "vertebrae_L1", "kidney_cyst_right", "a thing")
    labels = {"background": 0} | {name: value for value, name in enumerate(names, 1)}
    made = import_model(write_model(tmp_path / "model", labels=labels), tmp_path / "organs")
    write_kind("axial", tmp_path / "ct")
    out = tmp_path / "out"
    words = ("--sr", "True", "--force", "True", "--predictor", "eager")
    ended = run_medseg("segment", tmp_path / "ct", "-b", made.folder, "-o", out, *words)
    assert ended.exit_code == 0, ended.output
    (seg,), (report,) = out.rglob("*_seg.dcm"), out.rglob("*_sr.dcm")
    assert find_errors(seg) == find_errors(report) == []
    kidney, vertebra, cyst, other = pydicom.dcmread(seg).SegmentSequence
    assert "(0008,0104) Code Meaning                        LO: 'Left'" in str(kidney)
    assert vertebra.SegmentedPropertyTypeCodeSequence[0].CodeValue == "66794005"
    (site,) = cyst.AnatomicRegionSequence
    assert site.AnatomicRegionModifierSequence[0].CodeMeaning == "Right"
    assert other.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator == "99MEDSEG"
    told = str(pydicom.dcmread(report))
    for meaning in ("Finding Site", "Laterality", "Left", "Cyst", "L1 vertebra", "a thing"):
        assert f"LO: '{meaning}'" in told


@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_folds_become_an_ensemble(tmp_path, average):
    model = write_model(tmp_path / "model", folds=("0", "1", "2"))
    made = import_model(model, tmp_path / "one", folds=["0", "2"], average=average)
    assert read_task(made.folder)["fold_average"] == average
    assert "fold 1 is left out: folds 0, 2 are averaged" in made.notes
    state = torch.load(made.folder / "models/model.pt", weights_only=True)
    assert {key.split(".")[1] for key in state} == {"0", "1"}
    assert segment(made.folder, make_volume()).mask.shape == (11, 12, 9)


def test_a_network_in_2d_goes_along_the_first_axis_of_nnunet(tmp_path):
    plans = make_plans("2d", make_configuration(dims=2))
    made = import_model(
        write_model(tmp_path / "model", plans=plans, name="2d", mirror=(0, 1)), tmp_path / "flat"
    )
    task = read_task(made.folder)
    assert (task["slice_axis"], task["flips"]) == (0, [1, 2])
    assert segment(made.folder, make_volume()).mask.shape == (11, 12, 9)


def test_regions_and_several_channels(tmp_path):
    configuration = make_configuration(architecture="ResidualEncoderUNet", channels=2)
    model = write_model(
        tmp_path / "model",
        plans=make_plans(configuration=configuration),
        channels=("CT", "PET"),
        labels={"background": 0, "whole": [1, 2], "core": 2},
        regions_class_order=[1, 2],
    )
    made = import_model(model, tmp_path / "two")
    task = read_task(made.folder)
    assert task["image_channels"] == ["CT", "PET"]
    assert task["classes"]["whole"] == [1, 2]
    files = []
    for place in range(2):
        files.append(tmp_path / f"x_000{place}.nii.gz")
        nib.save(make_volume(seed=place), files[-1])
    assert segment(made.folder, [str(file) for file in files]).mask.shape == (11, 12, 9)


def test_a_volume_of_few_slices_has_a_note(tmp_path):
    made = import_model(write_model(tmp_path / "model"), tmp_path / "one")
    found = segment(made.folder, make_volume((16, 20, 1)))
    assert any("its window 8x8x8: it was trained on larger ones" in note for note in found.notes)
    assert not any("its window" in note for note in segment(made.folder, make_volume()).notes)


def test_one_class_has_one_channel_and_the_labels_of_its_two(tmp_path):
    model = write_model(tmp_path / "model", labels={"background": 0, "liver": 1}, mirror=())
    made = import_model(model, tmp_path / "one")
    state = torch.load(made.folder / "models/model.pt", weights_only=True)
    assert state["decoder.seg_layers.0.bias"].shape == (1,)
    assert set(np.unique(segment(made.folder, make_volume()).mask)) <= {0, 1}


def test_the_card_says_what_is_known_and_what_is_not(tmp_path):
    model = write_model(tmp_path / "model", name="3d_fullres", licence="CC BY 4.0")
    (model / "postprocessing.pkl").write_bytes(b"")
    made = import_model(model, tmp_path / "one")
    card = (made.folder / "docs" / "README.md").read_text()
    for part in ("licence: CC BY 4.0", "trained by nnUNetTrainer, 10 epochs", "fold 0: not stated"):
        assert part in card
    assert any("postprocessing.pkl is left out" in note for note in made.notes)
    assert "CC BY 4.0" in (made.folder / "LICENSE").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 4}, "does not fit the network of plans.json.*trained by nnUNetTrainer"),
        ({"channels": ("CT", "PET")}, "names 2 channels, and plans.json scales 1"),
        ({"file_ending": ".png"}, r"is for \.png files.*predict with nnU-Net itself"),
    ],
)
def test_what_is_of_another_training_or_for_pictures_is_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        import_model(write_model(tmp_path / "model", **options), tmp_path / "one")
    assert not (tmp_path / "one").exists()


def test_another_configuration_than_that_of_the_checkpoint_is_refused(tmp_path):
    model = write_model(tmp_path / "model")
    with pytest.raises(ValueError, match="no model of 2d: its checkpoint is of 3d_fullres"):
        import_model(model, tmp_path / "one", configuration="2d")


@pytest.mark.parametrize(
    ("plans", "dataset", "message"),
    [
        (make_plans(configuration=make_configuration(spacing=[2.0] * 3)), {}, "spacing_mm .*2.0"),
        ({}, {"labels": {"background": 0, "kidney": 1, "cyst": 2}}, "the labels kidney, cyst"),
    ],
)
def test_plans_and_labels_of_another_training_than_the_checkpoints_are_refused(
    tmp_path, plans, dataset, message
):
    model = write_model(tmp_path / "model", told={"plans": plans, "dataset_json": dataset})
    with pytest.raises(ValueError, match=f"trained with other settings.*{message}"):
        import_model(model, tmp_path / "one")


def test_the_weights_carry_what_they_were_trained_for(tmp_path):
    made = import_model(write_model(tmp_path / "model"), tmp_path / "one")
    trained = read_trained_on(made.folder / "models" / "model.pt")
    assert trained.cases == 3
    assert trained.settings["classes"] == {"liver": [1], "tumour": [2]}
    with pytest.raises(ValueError, match="trained for something else"):
        Segmenter(made.folder, classes={"kidney": [1], "cyst": [2]})


def test_a_fold_without_a_checkpoint_is_told(tmp_path):
    model = write_model(tmp_path / "model")
    (model / "fold_3").mkdir()
    made = import_model(model, tmp_path / "one")
    assert "fold_3 has no checkpoint, and is left out" in made.notes


def test_an_unknown_average_is_refused_by_its_name(tmp_path):
    with pytest.raises(ValueError, match="average must be one of"):
        import_model(tmp_path, tmp_path / "one", average="mean")


def test_a_folder_that_is_there_is_not_touched(tmp_path):
    (tmp_path / "one").mkdir()
    with pytest.raises(FileExistsError, match="remove it, or name another folder"):
        import_model(write_model(tmp_path / "model"), tmp_path / "one")


def test_a_place_that_cannot_be_written_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"is not a folder.*choose another folder"):
        import_model(tmp_path / "model", tmp_path / "file" / "one")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "PlainConvUNet"}, "value of another kind"),
        ({"normalization_schemes": 3}, "value of another kind"),
        ({"resampling_fn_data_kwargs": {"force_separate_z": "$exit()"}}, "force_separate_z"),
    ],
)
def test_damaged_plans_are_refused_in_one_line(tmp_path, changes, message):
    model = write_model(tmp_path / "model")
    plans = make_plans()
    plans["configurations"]["3d_fullres"] |= changes
    (model / "plans.json").write_text(json.dumps(plans))
    with pytest.raises(ValueError, match=message):
        import_model(model, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_no_text_of_the_model_is_ever_evaluated(tmp_path):
    texts = dict.fromkeys(("name", "reference", "License", "description"), "$1/0")
    made = import_model(
        write_model(tmp_path / "model", channels=("$1/0",), **texts), tmp_path / "bundle"
    )
    for name in ("task.json", "configs/inference.json", "configs/metadata.json"):
        assert '"$1/0"' not in (made.folder / name).read_text()
    assert segment(made.folder, make_volume()).mask.shape == (11, 12, 9)


@pytest.mark.parametrize("name", ["$exit()", "@device", "_target_", "a#b", "%x"])
def test_a_label_that_a_config_would_interpret_is_refused(tmp_path, name):
    model = write_model(tmp_path / "model", labels={"background": 0, name: 1, "b": 2})
    with pytest.raises(ValueError, match="would not take for text"):
        import_model(model, tmp_path / "bundle")


def test_the_metadata_name_the_package_of_the_network(tmp_path):
    made = import_model(write_model(tmp_path / "model"), tmp_path / "bundle")
    metadata = json.loads((made.folder / "configs/metadata.json").read_text())
    assert "dynamic-network-architectures" in metadata["required_packages_version"]


def test_a_fast_model_segments_in_fewer_windows_and_finds_about_the_same(tmp_path):
    made = import_model(write_model(tmp_path / "model"), tmp_path / "bundle")
    image = make_volume((24, 24, 24))
    fast = Segmenter(made.folder, force=True, predictor="eager", fast=True)(image).mask
    assert fast.shape == (24, 24, 24)
    assert (fast == segment(made.folder, image).mask).mean() > 0.5
