"""Tests of medseg.bundles.derive: a derived bundle describes what its configs are now."""

import json

import pytest

from medseg.bundles.build import FLAT_NAMES
from medseg.bundles.check import find_faults
from medseg.bundles.derive import write_derived

NOTE = "made by a test"


def derive(bundle, made, *, card=None, **changes):
    write_derived(
        bundle,
        made,
        changes={"train": changes, "inference": changes, "evaluate": changes},
        note=NOTE,
        title="changed",
        card=card,
    )
    return json.loads((made / "metadata.json").read_text())


def test_the_metadata_name_the_classes_and_channels_of_the_configs(committed, tmp_path):
    classes = {"body": [1], "lesion": [2]}
    metadata = derive(committed / "liver", tmp_path / "made", classes=classes, in_channels=2)
    network = metadata["network_data_format"]
    assert network["outputs"]["pred"]["channel_def"] == {
        "0": "background",
        "1": "body",
        "2": "lesion",
    }
    assert network["outputs"]["pred"]["num_channels"] == 3
    assert network["inputs"]["image"]["num_channels"] == 2
    assert metadata["pred_classes"] == "0 background, 1 body, 2 lesion"
    assert metadata["changelog"] == {metadata["version"]: NOTE}


@pytest.mark.parametrize("file", ["run.json", "models/model.run.json"])
def test_weights_of_a_training_are_said_to_be_of_its_cases(committed, tmp_path, file):
    liver = committed / "liver"
    options = {"changes": {}, "note": NOTE, "title": "changed", "scores": {"test_mean_dice": 0.5}}
    write_derived(liver, tmp_path / "first", **options)
    first, own = (
        json.loads((f / "metadata.json").read_text()) for f in (tmp_path / "first", liver)
    )
    assert first["data_source"] == own["data_source"]
    (liver / file).parent.mkdir(exist_ok=True)
    (liver / file).write_text(json.dumps({"started": "2026-01-02T03:04:05"}))
    write_derived(liver, tmp_path / "second", **options)
    second = json.loads((tmp_path / "second" / "metadata.json").read_text())
    assert second["data_source"] == "the cases of a training of yours, begun on 2026-01-02"


def test_unchanged_classes_keep_their_words(committed, tmp_path):
    before = json.loads((committed / "liver" / "metadata.json").read_text())
    after = derive(committed / "liver", tmp_path / "made")
    assert after["pred_classes"] == before["pred_classes"]
    assert after["network_data_format"] == before["network_data_format"]


def test_the_flat_names_lead_to_the_configs(committed, tmp_path):
    derive(committed / "liver", tmp_path / "made")
    for name in FLAT_NAMES:
        flat = tmp_path / "made" / name
        assert flat.read_text() == (tmp_path / "made" / "configs" / name).read_text()


def test_the_card_is_the_one_given_or_that_of_the_first_bundle_below_the_note(committed, tmp_path):
    card = tmp_path / "made" / "docs" / "README.md"
    derive(committed / "liver", tmp_path / "made", card="# new\n")
    assert card.read_text() == "# new\n"
    derive(committed / "liver", tmp_path / "made")
    assert card.read_text().startswith("Made by a test.\n\n# ")


def test_a_bundle_can_be_changed_in_place(committed):
    bundle = committed / "liver"
    before = (bundle / "metadata.json").read_text()
    derive(bundle, bundle, channels=[2, 4, 8])
    assert json.loads((bundle / "train.json").read_text())["channels"] == [2, 4, 8]
    assert (bundle / "metadata.json").read_text() == before


def test_a_derived_bundle_has_no_faults(committed, tmp_path):
    derive(committed / "hippocampus", tmp_path / "made", classes={"whole": [1, 2]})
    assert find_faults(str(tmp_path / "made")) == []


@pytest.mark.parametrize("file", ["configs/metadata.json", "configs/evaluate.json"])
def test_a_bundle_that_lacks_a_config_is_refused(committed, tmp_path, file):
    (committed / "liver" / file).unlink()
    with pytest.raises(FileNotFoundError, match=r"liver is not a complete bundle, it has no"):
        derive(committed / "liver", tmp_path / "made")


def test_licences_that_a_bundle_lacks_are_left_out_with_one_warning(committed, tmp_path, caplog):
    bundle, made = committed / "liver", tmp_path / "made"
    for file in ("LICENSE", "docs/README.md", "docs/data_license.txt"):
        (bundle / file).unlink()
    derive(bundle, made)
    assert caplog.messages == [
        f"{bundle} has no LICENSE, docs/data_license.txt, so neither has {made}"
    ]
    assert (made / "docs" / "README.md").read_text() == "Made by a test.\n"
    lacking = [fault.split()[0] for fault in find_faults(str(made))]
    assert lacking == ["LICENSE", "docs/data_license.txt"]


def test_no_link_leads_to_a_file_that_is_not_there(committed, tmp_path):
    (committed / "liver" / "configs" / "logging.conf").unlink()
    derive(committed / "liver", tmp_path / "made")
    assert not (tmp_path / "made" / "logging.conf").is_symlink()


def test_a_companion_stays_with_the_bundle_whose_files_it_is(committed, tmp_path):
    liver = committed / "liver"
    for name in ("evaluate", "inference"):
        file = liver / "configs" / f"{name}.json"
        file.write_text(
            json.dumps({**json.loads(file.read_text()), "companion": "$@bundle_root + '/x'"})
        )
    derive(liver, tmp_path / "made")
    derive(liver, liver)
    for root, expected in ((tmp_path / "made", None), (liver, "$@bundle_root + '/x'")):
        assert json.loads((root / "configs/inference.json").read_text())["companion"] == expected
