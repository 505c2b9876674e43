"""Card: what is known of a model is said, and what is not is called so."""

import json

import pytest
from bundles.nnunet.models import make_configuration, make_plans, write_model

from medseg.bundles.nnunet.card import NOT_STATED, describe_model, write_card
from medseg.bundles.nnunet.checkpoint import read_checkpoint
from medseg.bundles.nnunet.classes import read_labels
from medseg.bundles.nnunet.configuration import read_configuration
from medseg.bundles.nnunet.model_folder import ModelFolder

pytest.importorskip("dynamic_network_architectures")


def describe(path, folds=("0",), **dataset):
    write_model(path, folds=folds, **dataset)
    model = ModelFolder(path, folds)
    found = read_configuration(make_plans(), "3d_fullres")
    labels = read_labels(model.dataset)
    return model, describe_model(model, found, labels, folds=folds, channels=["CT"])


def test_what_is_stated_is_taken_over(tmp_path):
    _, about = describe(tmp_path / "x", licence="CC0", reference="a hospital")
    assert (about.title, about.licence, about.reference) == (
        "Dataset001_Test, 3d_fullres",
        "CC0",
        "a hospital",
    )


def test_what_is_not_stated_is_called_so(tmp_path):
    model, about = describe(tmp_path / "x")
    assert (about.licence, about.reference, about.scores) == (NOT_STATED, NOT_STATED, {"0": None})
    checkpoint = read_checkpoint(model.find_checkpoint("0"))
    texts = write_card(tmp_path / "spleen", about, checkpoint=checkpoint, notes=["left out"])
    assert texts["LICENSE"] == "not stated\n"
    assert "- left out" in texts["docs/README.md"]


def test_scores_of_the_folds_are_averaged_for_the_metadata(tmp_path):
    model, _ = describe(tmp_path / "x", folds=("0", "1"))
    for fold, dice in (("0", 0.8), ("1", 0.9)):
        summary = model.path / f"fold_{fold}" / "validation" / "summary.json"
        summary.parent.mkdir()
        summary.write_text(json.dumps({"foreground_mean": {"Dice": dice}}))
    found = read_configuration(model.plans, "3d_fullres")
    labels = read_labels(model.dataset)
    about = describe_model(model, found, labels, folds=("0", "1"), channels=["CT"])
    assert about.metadata["eval_metrics"] == {
        **{"val_mean_dice": 0.85, "val_dice_of_fold_0": 0.8, "val_dice_of_fold_1": 0.9}
    }


def test_the_metadata_have_what_the_model_knows(tmp_path):
    model = ModelFolder(write_model(tmp_path / "x"), ("0",))
    schemes = ["CTNormalization", "ZScoreNormalization"]
    configuration = make_configuration(
        channels=2, normalization_schemes=schemes, use_mask_for_norm=[False, True]
    )
    found = read_configuration(make_plans(configuration=configuration), "3d_fullres")
    options = {"folds": ("0",), "channels": ["CT", "PET"], "notes": ["left out"]}
    metadata = describe_model(model, found, read_labels(model.dataset), **options).metadata
    assert (metadata["training_cases"], metadata["notes"]) == (3, ["left out"])
    assert metadata["data_source"] == "Dataset001_Test"
    assert metadata["image_classes"] == (
        "CT: cut to -160 to 240 HU, less 40, divided by 60; "
        "PET: less its mean, divided by its standard deviation of what is not 0"
    )
