"""Tests of medseg.engines.faulty_cases: faulty cases of all sections are named at once."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from monai.bundle import ConfigParser

from medseg.base.errors import find_root_cause
from medseg.bundles.build import list_names
from medseg.datasets import phantom
from medseg.transforms.refused_cases import RefusedCasesError

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"


def make_parser(name, folder, **changes):
    """The training config of a bundle; `asked` makes its datasets as its training does."""
    config = json.loads((BUNDLES / name / "configs" / "train.json").read_text())
    places = {"dataset_dir": str(folder / "data"), "output_dir": str(folder / "run"), "folds": 2}
    parser = ConfigParser({**config, **places, "cache_dir": str(folder / "cache"), **changes})
    (call,) = (line for line in config["training"] if "check_cases(" in line)
    parser["asked"] = call
    return parser


def ask(parser):
    """What the training of a config refuses."""
    with pytest.raises(RuntimeError) as caught:
        parser.get_parsed_content("asked")
    cause = find_root_cause(caught.value)
    assert isinstance(cause, RefusedCasesError)
    assert "\n" not in str(cause)
    return str(cause)


def damage(data, case, part, change):
    """Change the voxels of an image or a label of a case; None cuts the file short."""
    (file,) = data.glob(f"{part}*/{case}.nii.gz")
    if change is None:
        file.write_bytes(file.read_bytes()[:100])
        return
    image = nibabel.load(file)
    nibabel.save(nibabel.Nifti1Image(change(np.asarray(image.dataobj)), image.affine), file)


@pytest.fixture
def folder(tmp_path):
    phantom.write("ct", tmp_path / "data", cases=5, size=48, slices=2)
    return tmp_path


def split(parser):
    """The names of the cases of each section."""
    return {
        section: [case["case"] for case in parser.get_parsed_content(f"{key}#dataset#data")]
        for section, key in (("training", "train"), ("validation", "validate"))
    }


@pytest.mark.parametrize(
    ("name", "changes"),
    [("liver", {}), *(("liver_3d", {"cache": cache}) for cache in ("memory", "disk", "none"))],
)
def test_every_faulty_case_of_every_section_is_named(name, changes, folder):
    cases = split(make_parser(name, folder, **changes))
    first, second = cases["training"][:2]
    (third, *_) = cases["validation"]
    data = folder / "data"
    damage(data, first, "images", None)
    damage(data, second, "labels", lambda label: label[:, :, :1])
    damage(data, third, "labels", lambda label: np.where(label > 0, 7, label).astype(np.uint8))
    (test,) = (data / "labelsTs").glob("*.nii.gz")
    damage(data, test.name.removesuffix(".nii.gz"), "labelsTs", None)
    said = ask(make_parser(name, folder, **changes))
    for reason in (
        f"training case {first}: ",
        f"training case {second}: ",
        f"validation case {third}: ",
        "test case liver_005: ",
    ):
        assert reason in said
    assert "; training case" in said
    assert said.startswith("4 of ")


def test_test_cases_alone_do_not_keep_a_training_from_starting(folder):
    for file in (folder / "data" / "labelsTs").glob("*"):
        file.write_bytes(b"damaged")
    parser = make_parser("liver", folder)
    assert parser.get_parsed_content("asked") is None
    assert len(parser.get_parsed_content("train#dataset")) > 0


def test_another_fault_keeps_its_own_message(folder):
    parser = make_parser("liver", folder, background_slices=-1)
    with pytest.raises(RuntimeError) as caught:
        parser.get_parsed_content("asked")
    assert "background must be >= 0" in str(find_root_cause(caught.value))


@pytest.mark.parametrize("name", list_names(BUNDLES))
def test_every_training_asks_before_its_datasets_are_used(name):
    config = json.loads((BUNDLES / name / "configs" / "train.json").read_text())
    (place,) = (i for i, line in enumerate(config["training"]) if "check_cases(" in line)
    assert not any("dataset." in line for line in config["training"][:place])
