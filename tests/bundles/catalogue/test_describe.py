"""Tests of medseg.bundles.catalogue.describe: what a bundle is, by its files alone."""

import json
import re

import pytest

from medseg.bundles.build import list_names
from medseg.bundles.catalogue import describe as module
from medseg.bundles.catalogue.describe import describe, describe_all, format_lines, format_table


@pytest.fixture
def zoo(tmp_path):
    """A bundle in the form of the model zoo, of another origin."""
    configs = tmp_path / "spleen" / "configs"
    configs.mkdir(parents=True)
    (configs / "inference.json").write_text(json.dumps({"network_def": {"_target_": "Net"}}))
    image = {"num_channels": 1, "modality": "CT"}
    pred = {"channel_def": {"0": "background", "1": "spleen"}}
    metadata = {
        "version": "0.5.9",
        "task": "Spleen",
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": pred}},
    }
    (configs / "metadata.json").write_text(json.dumps(metadata))
    return tmp_path / "spleen"


def test_the_hippocampus_is_described_in_full(repository):
    found = describe(repository / "bundles" / "hippocampus")
    assert [(each["value"], each["name"]) for each in found["classes"]] == [
        (1, "anterior"),
        (2, "posterior"),
    ]
    expected = {
        **{"name": "hippocampus", "kind": "bundle", "spatial_dims": 3, "window": [48, 64, 48]},
        **{"intensity_window_hu": None, "spacing_mm": None, "scores": {"test_mean_dice": 0.882}},
    }
    assert {key: found[key] for key in expected} == expected
    assert (found["inputs"]["channels"], found["inputs"]["modality"]) == (1, "MR")
    assert found["licence"]["code"] == "Apache License, Version 2.0, January 2004"
    assert "CC BY-SA 4.0" in found["licence"]["data"]
    weights = repository / "bundles" / "hippocampus" / "models" / "model.pt"
    assert found["weights_bytes"] == weights.stat().st_size < found["bytes"]


def test_an_imported_model_has_the_spacing_that_prepares_its_images_and_notes(zoo):
    config = zoo / "configs" / "inference.json"
    config.write_text(json.dumps({"prepare": {"_target_": "P", "spacing_mm": [2.5, 0.8, 0.8]}}))
    file = zoo / "configs" / "metadata.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "notes": ["fold 1 is left out"]}))
    found = describe(zoo)
    assert (found["spacing_mm"], found["notes"]) == ([2.5, 0.8, 0.8], ["fold 1 is left out"])
    assert "notes: fold 1 is left out" in format_lines(found)


def test_classes_have_codes_where_they_are_known(repository):
    liver, tumour = describe(repository / "bundles" / "liver_3d")["classes"]
    assert liver["code"] == {"value": "10200004", "scheme": "SCT", "meaning": "Liver"}
    assert tumour["code"]["value"] == "108369006"
    assert describe(repository / "bundles" / "nuclei")["classes"][0]["code"] is None
    found = describe(repository / "bundles" / "liver_3d")
    assert (found["intensity_window_hu"], found["spacing_mm"]) == ([-160, 240], [1.0, 1.0, 2.5])


@pytest.mark.parametrize("name", ["hippocampus", "liver_slices", "nuclei"])
def test_a_score_stands_in_the_card(repository, name):
    [score] = describe(repository / "bundles" / name)["scores"].values()
    card = (repository / "bundles" / name / "docs" / "README.md").read_text()
    parts = (0.893, 0.871) if name == "hippocampus" else (score,)  # a mean of two classes
    assert score == pytest.approx(sum(parts) / len(parts), abs=5e-4)
    assert all(f"| {part} (median" in card for part in parts)


def test_every_bundle_with_weights_has_a_score_and_none_without(repository):
    listed = describe_all(repository / "bundles")
    assert [each["name"] for each in listed] == list_names(repository / "bundles")
    assert {bool(each["scores"]) == bool(each["weights_bytes"]) for each in listed} == {True}
    assert {bool(each["training_cases"]) == bool(each["weights_bytes"]) for each in listed} == {
        True
    }


@pytest.mark.parametrize("name", ["hippocampus", "liver_slices", "nuclei"])
def test_the_number_of_training_cases_stands_in_the_card(repository, name):
    found = describe(repository / "bundles" / name)
    card = " ".join((repository / "bundles" / name / "docs" / "README.md").read_text().split())
    count = found["training_cases"]
    assert re.search(
        rf"fold 0:? {count} to train|{count} cases \(\d+ slices\) are for training", card
    )
    assert f"training cases: {count}" in format_lines(found)


def test_a_run_and_published_weights_have_the_scores_of_their_training(committed):
    root = committed / "nuclei"
    (root / "models").mkdir()
    (root / "models" / "model.pt").write_bytes(b"12345")
    run = {
        "scores": {"val_mean_dice": 0.5, "val_nucleus": 0.4},
        "cases": {"training": 7},
        "started": "2026-01-02T03:04:05",
    }
    for file, kind in (("models/model.run.json", "bundle"), ("run.json", "run")):
        (root / file).write_text(json.dumps(run))
        found = describe(root)
        data = "data/nuclei" if kind == "run" else "the cases of a training of yours, begun on 2026"
        assert found["training_data"].startswith(data)
        assert (found["kind"], found["scores"], found["training_cases"]) == (kind, run["scores"], 7)
        assert format_table([found])[1].split()[1:6] == ["0.0", "kB", "validation", "Dice", "0.500"]


def test_a_bundle_of_another_origin_is_described_by_its_metadata(zoo):
    found = describe(zoo)
    spleen = {"value": "78961009", "scheme": "SCT", "meaning": "Spleen"}
    assert found["classes"] == [{"value": 1, "name": "spleen", "code": spleen}]
    assert (found["inputs"]["channels"], found["inputs"]["modality"]) == (1, "CT")
    assert found["licence"] == {"code": None, "data": None}
    assert "licence" not in " ".join(format_lines(found))


def test_a_bundle_without_metadata_is_described_by_its_config(committed):
    (committed / "liver" / "configs" / "metadata.json").unlink()
    found = describe(committed / "liver")
    assert (found["version"], found["classes"][0]["name"]) == (None, "liver")
    assert "a bundle that does not say its task" in format_table([found])[1]


def test_damaged_files_are_named(zoo):
    (zoo / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"run\.json is not JSON"):
        describe(zoo)
    (zoo / "configs" / "inference.json").rename(zoo / "configs" / "train.json")
    (zoo / "run.json").unlink()
    assert describe(zoo)["task"] == "Spleen"
    (zoo / "configs" / "train.json").write_text("[]")
    with pytest.raises(ValueError, match=r"train\.json holds no keys"):
        describe(zoo)


def test_a_score_is_chosen_that_speaks_for_all():
    assert module.choose_score(None) == ""
    assert module.choose_score({"iou": 0.51239}) == "IoU 0.512"


def test_a_list_has_a_title_and_lines_in_columns_that_fit_a_screen(repository):
    title, *lines = format_table(describe_all(repository / "bundles"))
    assert title.split() == ["name", "weights", "score", "segments"]
    ends = [title.index(word) for word in ("weights", "score", "segments")]
    for line in lines:
        assert len(line) <= 130, line
        is_below = line.strip().startswith("trained on: ")
        assert is_below or all(line[end - 2 : end] == "  " for end in ends), line
    assert module.format_table([{"name": "bad", "error": "broken"}])[1].split() == [
        *("bad", "cannot", "be", "read:", "broken")
    ]


def test_the_score_of_slices_and_the_volumes_that_a_bundle_takes_are_said(repository):
    lines = format_lines(describe(repository / "bundles" / "liver_slices"))
    assert "scores: test Dice 0.847 of slices" in lines
    assert any("also CT volumes (DICOM or nifti)" in line for line in lines)
