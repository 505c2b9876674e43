"""Tests of medseg.bundles.publish: a bundle has the weights that somebody meant it to have."""

import json
import logging
import shutil

import pytest

from medseg.bundles.catalogue import locate
from medseg.bundles.derive import write_derived
from medseg.bundles.publish import find_differences, publish_if_none, publish_run
from medseg.plausibility import TrainedOn, read_ranges, write_trained_on


@pytest.fixture
def bundle(committed):
    return committed / "liver"


def make_run(bundle, folder, *, content=b"of the run", **changes):
    write_derived(bundle, folder, changes={"inference": changes}, note="a run", title="run")
    (folder / "run.json").write_text(json.dumps({"bundle": "liver", "seed": 5}))
    if content:
        (folder / "models").mkdir()
        (folder / "models" / "model.pt").write_bytes(content)
        write_trained_on(TrainedOn({"seed": 5}, 3, "CT", 3), folder / "models" / "model.pt")
    return folder


def test_a_bundle_without_weights_gets_those_of_a_run_with_what_is_known_of_them(bundle, tmp_path):
    run = make_run(bundle, tmp_path / "run")
    publish_if_none(run, bundle)
    weights = bundle / "models" / "model.pt"
    assert weights.read_bytes() == b"of the run"
    assert read_ranges(weights).about == {"seed": 5}
    assert json.loads((bundle / "models" / "model.run.json").read_text())["seed"] == 5


def test_new_weights_beside_a_companion_are_warned_of(bundle, tmp_path, caplog):
    file = bundle / "configs" / "inference.json"
    run = make_run(bundle, tmp_path / "run")
    file.write_text(json.dumps({**json.loads(file.read_text()), "companion": "x"}))
    publish_run(run, bundle)
    assert "segments with its companion as before, whose share in the mean is 0.5" in caplog.text


@pytest.mark.parametrize(("score", "is_copied"), [(0.0, False), (0.01, True)])
def test_a_run_that_found_nothing_gives_a_bundle_no_weights(
    score, is_copied, bundle, tmp_path, caplog
):
    run = make_run(bundle, tmp_path / "run")
    (run / "run.json").write_text(json.dumps({"bundle": "liver", "scores": {"dice": score}}))
    with caplog.at_level(logging.INFO):
        publish_if_none(run, bundle)
    assert (bundle / "models" / "model.pt").exists() is is_copied
    assert ("found nothing in the validation" in caplog.text) is not is_copied


def test_a_run_with_other_settings_leaves_nothing_in_the_bundle(bundle, tmp_path, caplog):
    run = make_run(bundle, tmp_path / "run", channels=[8, 16, 32, 64, 128])
    before = sorted(bundle.rglob("*"))
    with caplog.at_level(logging.INFO):
        publish_if_none(run, bundle)
    assert "because the run has other settings (channels: " in caplog.text
    assert sorted(bundle.rglob("*")) == before
    assert not (bundle / "models").exists()


def test_a_run_on_patches_of_another_size_leaves_nothing_in_a_bundle_whose_tiles_follow_it(
    committed, tmp_path, caplog
):
    bundle = committed / "hippocampus"
    shutil.rmtree(bundle / "models", ignore_errors=True)
    run = make_run(bundle, tmp_path / "run", image_size=[8, 8, 8])
    with caplog.at_level(logging.INFO):
        publish_if_none(run, bundle)
    assert "(image_size: trained with [8, 8, 8], used with [48, 64, 48])" in caplog.text
    assert "or give the bundle these settings and publish the run" in caplog.text
    assert not (bundle / "models" / "model.pt").exists()


def test_patches_of_another_size_do_not_matter_where_tiles_have_a_size_of_their_own(
    bundle, tmp_path
):
    run = make_run(bundle, tmp_path / "run", image_size=[128, 128])
    assert find_differences(run, bundle) == []


def test_a_run_does_not_replace_weights_unless_it_is_published(bundle, tmp_path, caplog):
    weights = bundle / "models" / "model.pt"
    weights.parent.mkdir(exist_ok=True)
    weights.write_bytes(b"good ones")
    (bundle / "models" / "model.run.json").write_text('{"seed": 1}')
    run = make_run(bundle, tmp_path / "run")
    with caplog.at_level(logging.INFO):
        publish_if_none(run, bundle)
    assert weights.read_bytes() == b"good ones"
    assert f"to replace them: medseg bundles publish {run} {bundle}" in caplog.text

    kept = publish_run(run, bundle)
    assert weights.read_bytes() == b"of the run"
    assert kept.parent == bundle / "replaced"
    assert kept.read_bytes() == b"good ones"
    (record,) = kept.parent.glob("model.run-*.json")
    assert json.loads(record.read_text())["seed"] == 1


def test_a_run_published_again_keeps_no_copy_of_its_own_weights(bundle, tmp_path):
    """As where a training is killed while it publishes, and run again."""
    run = make_run(bundle, tmp_path / "run")
    publish_if_none(run, bundle)
    (bundle / "models" / "model.run.json").unlink()
    publish_if_none(run, bundle)
    assert (bundle / "models" / "model.run.json").is_file()
    assert publish_run(run, bundle) is None
    assert not (bundle / "replaced").exists()


def test_a_run_that_went_on_brings_its_own_weights_up_to_date(bundle, tmp_path):
    run = make_run(bundle, tmp_path / "run")
    about = {"started": "2026-01-02T03:04:05+00:00", "data_sha256": "a"}
    (run / "run.json").write_text(json.dumps(about))
    publish_if_none(run, bundle)
    (run / "models" / "model.pt").write_bytes(b"after more epochs")
    publish_if_none(run, bundle)
    assert (bundle / "models" / "model.pt").read_bytes() == b"after more epochs"
    (run / "models" / "model.pt").write_bytes(b"of another run")
    (run / "run.json").write_text(json.dumps({**about, "data_sha256": "b"}))
    publish_if_none(run, bundle)
    assert (bundle / "models" / "model.pt").read_bytes() == b"after more epochs"


def test_weights_that_need_other_settings_are_not_published(bundle, tmp_path):
    run = make_run(bundle, tmp_path / "run", channels=[2, 4, 8], window_hu=[0, 80])
    assert [line.partition(":")[0] for line in find_differences(run, bundle)] == [
        "window_hu",
        "channels",
    ]
    with pytest.raises(ValueError, match=r"trained with other settings than .*\[0, 80\].*segment"):
        publish_run(run, bundle)
    assert not (bundle / "models" / "model.pt").exists()


@pytest.mark.parametrize("has_weights", [True, False])
def test_a_bundle_of_other_settings_stays_as_it_is(bundle, tmp_path, caplog, has_weights):
    weights = bundle / "models" / "model.pt"
    if has_weights:
        weights.parent.mkdir(exist_ok=True)
        weights.write_bytes(b"good ones")
    run = make_run(bundle, tmp_path / "run", channels=[2, 4, 8])
    with caplog.at_level(logging.INFO):
        publish_if_none(run, bundle)
    assert "the run has other settings (channels: trained with [2, 4, 8]" in caplog.text
    assert f"use the run itself, -b {run}" in caplog.text
    assert "medseg bundles publish" not in caplog.text
    assert weights.exists() == has_weights


def test_paths_with_spaces_are_named_as_a_command_takes_them(bundle, tmp_path, caplog):
    mine = shutil.copytree(bundle, tmp_path / "my net", symlinks=True)
    run = make_run(bundle, tmp_path / "new run")
    other = make_run(bundle, tmp_path / "other run", content=b"more", channels=[2, 4, 8])
    with caplog.at_level(logging.INFO):
        publish_if_none(other, mine)
        publish_if_none(run, mine)
        (mine / "models" / "model.pt").write_bytes(b"good ones")
        (mine / "models" / "model.run.json").unlink()
        publish_if_none(run, mine)
    assert f"use the run itself, -b '{other}'" in caplog.text
    assert f"to replace them: medseg bundles publish '{run}' '{mine}'" in caplog.text
    with pytest.raises(ValueError, match=f"segment with the run itself, -b '{other}', or"):
        publish_run(other, mine)
    with pytest.raises(ValueError, match=f"medseg bundles copy '{other}' DIR"):
        publish_run(run, other)


def test_a_setting_that_is_none_is_shown_as_it_is_given(bundle, tmp_path):
    (difference,) = find_differences(make_run(bundle, tmp_path / "run", norm="$None"), bundle)
    assert difference == "norm: trained with null, used with batch"


def test_a_run_without_weights_and_a_folder_that_is_no_run_are_refused(bundle, tmp_path):
    run = make_run(bundle, tmp_path / "run", content=b"")
    with pytest.raises(FileNotFoundError, match=r"run has no weights yet: none .* begin it again"):
        publish_run(run, bundle)
    with pytest.raises(FileNotFoundError, match=r"liver is not the folder of a run, it has no run"):
        publish_run(bundle, bundle)
    with pytest.raises(FileNotFoundError, match=r"is not a bundle, it has no inference\.json"):
        publish_run(make_run(bundle, tmp_path / "other"), tmp_path / "nowhere")


@pytest.mark.parametrize("damaged", ["run", "liver"])
def test_a_config_that_is_gone_or_damaged_is_refused_in_one_line(bundle, tmp_path, damaged):
    run = make_run(bundle, tmp_path / "run")
    config = {"run": run, "liver": bundle}[damaged] / "configs" / "inference.json"
    config.write_text("{")
    with pytest.raises(ValueError, match=rf"{damaged}/configs/inference\.json is not JSON"):
        publish_run(run, bundle)
    config.unlink()
    with pytest.raises(FileNotFoundError, match=rf"{damaged} has no configs/inference\.json: rest"):
        publish_run(run, bundle)
    assert not (bundle / "models" / "model.pt").exists()


def test_a_training_ends_well_where_the_bundle_has_a_damaged_config(bundle, tmp_path, caplog):
    run = make_run(bundle, tmp_path / "run")
    (bundle / "configs" / "inference.json").write_text("{")
    publish_if_none(run, bundle)
    assert "inference.json is not JSON" in caplog.text


def test_a_run_keeps_its_own_weights(bundle, tmp_path, caplog):
    run, other = (make_run(bundle, tmp_path / name) for name in ("run", "other"))
    (other / "models" / "model.pt").unlink()
    for target in (other, run):
        with pytest.raises(ValueError, match=r"is a training run, and its run.json describes"):
            publish_run(run, target)
    with caplog.at_level(logging.INFO):
        publish_if_none(run, other)
    assert f"{other}, which is a run of its own" in caplog.text
    assert not (other / "models" / "model.pt").exists()


def test_a_bundle_that_cannot_be_written_leaves_the_run_as_it_is(bundle, tmp_path, caplog):
    run = make_run(bundle, tmp_path / "run")
    (bundle / "models").write_text("a file where the folder should be")
    publish_if_none(run, bundle)
    assert "was not given the weights of this run" in caplog.text
    assert (run / "models" / "model.pt").is_file()


def test_a_bundle_of_an_installed_medseg_is_not_written(bundle, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(locate, "_INSTALLED", bundle.parent)
    run = make_run(bundle, tmp_path / "run")
    before = sorted(bundle.rglob("*"))
    with caplog.at_level(logging.INFO):
        publish_if_none(run, bundle)
    assert (
        "were not copied to the bundle liver, which is part of the installed medseg" in caplog.text
    )
    with pytest.raises(ValueError, match=r"nothing is written to it: .* medseg bundles copy liver"):
        publish_run(run, bundle)
    assert sorted(bundle.rglob("*")) == before
