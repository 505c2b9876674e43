"""Tests of medseg.bundles.bundle: a bundle is found by its name or path, and its files are read."""

import shutil
from pathlib import Path

import pytest
from bundles.edited import NAME

from medseg.bundles import bundle as bundle_module
from medseg.bundles.bundle import (
    METADATA,
    OPTIONAL,
    PUBLISHED,
    RUN_FILE,
    check_complete,
    check_metadata,
    check_weights_exist,
    cut_to_first_line,
    find_bundle,
    find_config,
    move_into_place,
    name_version,
    read_json_object,
)
from medseg.bundles.check import find_faults
from medseg.bundles.overrides import read_config
from medseg.engines.run_folder import RESUME_FILE


def test_a_bundle_is_found_by_its_path_as_by_its_name(folder, root, monkeypatch):
    (root / "LICENSE").unlink()
    expected = find_faults(NAME, folder)
    assert expected == ["LICENSE is missing, and every bundle needs it: add it"]
    for place, path in ((folder.parent, f"bundles/{NAME}"), (folder, f"{NAME}/"), (root, ".")):
        monkeypatch.chdir(place)
        assert find_bundle(path, Path("nowhere")) == find_bundle(NAME, folder)
    assert find_faults(str(root)) == expected


def test_a_bundle_is_named_with_the_version_in_its_metadata_if_it_has_one(root, tmp_path):
    assert name_version(NAME, root) == f"{NAME} 0.1.0"
    assert name_version(NAME, tmp_path) == NAME
    (root / METADATA).write_text("not JSON")
    assert name_version(NAME, root) == NAME


def test_a_run_and_published_weights_are_named_by_their_training(root):
    (root / "models").mkdir(exist_ok=True)
    (root / PUBLISHED).write_text('{"started": "2026-01-02T03:04:05+00:00"}')
    assert name_version(NAME, root) == f"{NAME} 0.1.0, trained on 2026-01-02"
    (root / PUBLISHED).write_text("{}")
    assert name_version(NAME, root) == f"{NAME} 0.1.0, trained on an unknown day"
    (root / RUN_FILE).write_text("{}")
    assert name_version(NAME, root) == f"{NAME} 0.1.0, run {root.name}"


def test_a_path_that_is_no_bundle_is_refused(folder):
    with pytest.raises(FileNotFoundError, match="no bundle 'lung'"):
        find_faults(str(folder / "lung"))


def test_an_unknown_bundle_is_refused(folder):
    with pytest.raises(FileNotFoundError, match="no bundle 'lung'"):
        find_faults("lung", folder)


@pytest.mark.parametrize(
    ("text", "is_readable"), [('{"a": 1}', True), ("[]", False), ("{", False), (None, False)]
)
def test_a_file_is_readable_that_is_a_json_object(tmp_path, text, is_readable):
    (tmp_path / "new" / "configs").mkdir(parents=True)
    if text is not None:
        (tmp_path / "new" / METADATA).write_text(text)
    bundle = find_bundle("new", tmp_path)
    assert bundle.is_readable(METADATA) == is_readable
    if is_readable:
        assert bundle.read_json(METADATA) == {"a": 1}


def test_an_unknown_bundle_is_refused_with_those_that_there_are(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no bundle 'new' in .*: name a bundle or its fol"):
        find_bundle("new", tmp_path)
    (tmp_path / "layers" / "tasks").mkdir(parents=True)
    for name in "ba":
        (tmp_path / "layers" / "tasks" / f"{name}.json").touch()
    with pytest.raises(FileNotFoundError, match=r"no bundle 'new' in .*: name one of a, b$"):
        find_bundle("new", tmp_path)
    assert find_bundle("a", tmp_path).task == tmp_path / "layers" / "tasks" / "a.json"


@pytest.mark.parametrize(
    ("text", "line"), [("\n a:\nb", "a"), ("a.", "a"), ("a" * 201, "a" * 200 + "..."), ("", "")]
)
def test_of_a_long_message_the_first_line_is_shown(text, line):
    assert cut_to_first_line(text) == line


def test_a_bundle_without_weights_names_those_that_have_some(folder):
    (folder / "nuclei" / "models").mkdir()
    (folder / "nuclei" / "models" / "model.pt").touch()
    check_weights_exist(folder / "nuclei", "inference", {})
    check_weights_exist(folder / "liver", "inference", {"weights": "other.pt"})
    with pytest.raises(
        FileNotFoundError,
        match=r"^nuclei can be used at once, with -b; the bundle .*liver has no weights",
    ):
        check_weights_exist(folder / "liver", "evaluate", {})


def test_a_bundle_whose_run_was_not_published_names_the_run(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for run in ("2026-01-01", "2026-01-02", "2026-01-03"):
        Path("runs/liver", run, "models").mkdir(parents=True)
    for run in ("2026-01-01", "2026-01-02"):
        Path("runs/liver", run, "models/model.pt").touch()
    remedy = r"its run runs/liver/2026-01-02 has: .* publish runs/liver/2026-01-02 bundles/liver$"
    with pytest.raises(FileNotFoundError, match=remedy):
        check_weights_exist(Path("bundles/liver"), "inference", {})


def test_a_bundle_in_a_folder_with_a_space_is_trained_first_by_a_command_that_runs(
    folder, tmp_path
):
    mine = shutil.copytree(folder / "liver", tmp_path / "my net", symlinks=True)
    said = rf"or train it first: medseg train -b '{mine}'$"
    with pytest.raises(FileNotFoundError, match=said):
        check_weights_exist(mine, "inference", {})


def test_a_bundle_that_lacks_a_config_is_told_from_a_folder_that_is_none(root, tmp_path):
    (root / "configs" / "inference.json").unlink()
    (root / "inference.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no configs/inference.json: restore the file"):
        find_config(root, "inference")
    with pytest.raises(FileNotFoundError, match=r"is not a bundle, it has no inference.json"):
        find_config(tmp_path, "inference")


@pytest.mark.parametrize(
    ("workflow", "remedy"),
    [
        ("train", "by nnU-Net, or a bundle of your own data by `medseg new`"),
        ("evaluate", "compare the masks with their labels by nnU-Net's nnUNetv2_evaluate_folder"),
        ("multi_gpu_train", "pass another one with -b"),
    ],
)
def test_a_bundle_that_only_segments_says_so_and_what_to_do(root, workflow, remedy):
    (root / "task.json").write_text('{"_layers_": {"inference": ["3d"]}}')
    for place in (root / "configs", root):
        (place / f"{workflow}.json").unlink()
    with pytest.raises(FileNotFoundError, match=f"only segments, as a model .*{remedy}"):
        find_config(root, workflow)
    find_config(root, "inference")


def test_every_config_that_a_bundle_lacks_is_named_before_it_is_trained(root):
    check_complete(root)
    for file in OPTIONAL:
        (root / file).unlink()
    check_complete(root)
    for file in (METADATA, "configs/inference.json"):
        (root / file).unlink()
    said = "no configs/metadata.json, configs/inference.json: restore them"
    with pytest.raises(FileNotFoundError, match=said):
        check_complete(root)


def test_a_line_that_stands_for_a_link_is_told_from_a_damaged_file(tmp_path):
    file = tmp_path / "train.json"
    file.write_text("../liver/configs/train.json\n")
    said = r"train.json holds nothing but '../liver/configs/train.json', as Git .* in its place$"
    for read in (read_json_object, read_config):
        with pytest.raises(ValueError, match=said):
            read(file)


def test_a_run_without_weights_is_to_be_resumed_or_begun_again_if_no_epoch_is_complete(folder):
    run = folder / "my run"
    shutil.copytree(folder / "liver", run)
    (run / "run.json").touch()
    said = rf"has no weights yet: none .* medseg train -b '{run}' --output_dir '{run}'$"
    with pytest.raises(FileNotFoundError, match=said):
        check_weights_exist(run, "inference", {"bundle_root": run})
    (run / "resume.pt").touch()
    said = rf"has no weights yet: resume it until .* medseg train -b '{run}' --resume True$"
    with pytest.raises(FileNotFoundError, match=said):
        check_weights_exist(run, "inference", {"bundle_root": run})


def test_the_resume_file_of_a_run_has_one_name():
    assert bundle_module._RESUME_FILE == RESUME_FILE


def test_a_folder_that_another_process_made_first_is_left_alone(tmp_path):
    made, out = tmp_path / "made", tmp_path / "out"
    for folder in (made, out):
        folder.mkdir()
        (folder / "file").write_text(folder.name)
    with pytest.raises(FileExistsError, match="out exists: remove it, or name another folder"):
        move_into_place(made, out)
    assert (out / "file").read_text() == "out"
    move_into_place(made, tmp_path / "other")
    assert (tmp_path / "other" / "file").read_text() == "made"


def test_damaged_metadata_are_named(root):
    check_metadata(root)
    (root / METADATA).write_text("{")
    with pytest.raises(ValueError, match=r"metadata\.json is not JSON .*: restore it$"):
        check_metadata(root)
    (root / METADATA).unlink()
    check_metadata(root)
