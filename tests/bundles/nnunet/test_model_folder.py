"""Model folder: a model is found in its folder, above it and in a zip; others have their line."""

import json
import zipfile

import pytest
from bundles.nnunet.models import write_model

from medseg.bundles.nnunet.model_folder import ALL, ModelFolder, choose_folds, open_model

NAME = "nnUNetTrainer__nnUNetPlans__3d_fullres"

pytest.importorskip("dynamic_network_architectures")


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "results" / "Dataset001_Test" / NAME, folds=("0", "3"))


def zip_up(folder, file):
    with zipfile.ZipFile(file, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
    return file


def test_a_model_is_found_in_its_folder_and_below_one(model, tmp_path):
    for given in (model, tmp_path / "results"):
        with open_model(given) as found:
            assert (found.path, found.folds, found.configuration) == (
                model,
                ("0", "3"),
                "3d_fullres",
            )


def test_a_model_is_found_in_a_zip(model, tmp_path):
    with open_model(zip_up(tmp_path / "results", tmp_path / "x.zip")) as found:
        assert found.folds == ("0", "3")
        assert found.dataset["numTraining"] == 3


def test_a_zip_never_writes_outside_its_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../out.txt", "x")
    with pytest.raises(ValueError, match="leads out of it"), open_model(tmp_path / "x.zip"):
        pass


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK but no zip")
    with pytest.raises(ValueError, match="is no zip, or cut short"), open_model(tmp_path / "x.zip"):
        pass


def test_of_several_models_one_has_to_be_named(model, tmp_path):
    write_model(model.parent / "nnUNetTrainer__nnUNetPlans__3d_lowres")
    with pytest.raises(ValueError, match="holds 2 models"), open_model(tmp_path / "results"):
        pass
    with open_model(tmp_path / "results", configuration="3d_lowres") as found:
        assert found.configuration == "3d_lowres"


def test_a_model_of_version_1_is_refused_as_such(tmp_path):
    (tmp_path / "fold_0").mkdir()
    (tmp_path / "plans.pkl").write_bytes(b"")
    with pytest.raises(ValueError, match=r"nnU-Net v1.*train it again"), open_model(tmp_path):
        pass


def test_other_folders_are_refused_with_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no plans\.json beside"), open_model(tmp_path):
        pass
    for name in ("plans.json", "dataset.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(FileNotFoundError, match="no fold with a checkpoint"), open_model(tmp_path):
        pass
    with pytest.raises(FileNotFoundError, match="does not exist"), open_model(tmp_path / "absent"):
        pass


def test_numbered_folds_are_taken_before_that_of_all_cases(tmp_path):
    folder = ModelFolder(tmp_path, ("0", "1", ALL))
    assert choose_folds(folder, None) == ("0", "1")
    assert choose_folds(ModelFolder(tmp_path, (ALL,)), None) == (ALL,)
    assert choose_folds(folder, ["1", "all"]) == ("1", ALL)
    with pytest.raises(FileNotFoundError, match="no trained fold 4: name some of 0, 1, all"):
        choose_folds(folder, ["4"])


def test_the_final_checkpoint_is_taken_before_the_best(model):
    found = ModelFolder(model, ("0",))
    best = model / "fold_0" / "checkpoint_best.pth"
    best.write_bytes(b"")
    assert found.find_checkpoint("0").name == "checkpoint_final.pth"
    assert found.find_checkpoint("0", best.name) == best
    (model / "fold_0" / "checkpoint_final.pth").unlink()
    assert found.find_checkpoint("0") == best
    with pytest.raises(FileNotFoundError, match=r"no other.pth: name one of checkpoint_best"):
        found.find_checkpoint("0", "other.pth")


def test_the_score_of_a_fold_is_read_where_there_is_one(model):
    found = ModelFolder(model, ("0",))
    assert found.read_score("0") is None
    summary = model / "fold_0" / "validation" / "summary.json"
    summary.parent.mkdir()
    summary.write_text(json.dumps({"foreground_mean": {"Dice": 0.9}}))
    assert found.read_score("0") == 0.9


def test_a_folder_that_may_not_be_read_is_called_so(model, tmp_path, monkeypatch):
    """Whoever runs the tests may read all, so that the listing of the folder fails instead."""

    def walk(place, onerror):
        onerror(PermissionError(13, "Permission denied", str(place)))
        return iter(())

    monkeypatch.setattr("medseg.bundles.nnunet.model_folder.os.walk", walk)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PermissionError, match=r"empty cannot be read.* ask for the right"):
        open_model(tmp_path / "empty").__enter__()
