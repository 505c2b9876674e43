"""Tests of medseg.cli.bundles: bundles are listed, built and checked."""

import json
import shutil

import pytest
from cli.commands import REPOSITORY, run_medseg

from medseg.bundles.build import list_names
from medseg.cli import app
from medseg.cli.usage import BAD_ARGUMENTS


def test_bundles_are_listed_with_their_task(here):
    title, *printed = run_medseg("bundles", "list").output.splitlines()
    lines = [line for line in printed if line[0] != " "]
    assert title.startswith("name ")
    assert [line.split()[0] for line in lines] == list_names(REPOSITORY / "bundles")
    tasks = dict(zip(list_names(REPOSITORY / "bundles"), lines, strict=True))
    assert "the liver, and on demand" in tasks["liver"]
    assert "cell nuclei" in tasks["nuclei"]
    (below,) = printed[printed.index(tasks["nuclei"]) + 1 :][:1]
    assert below.strip().startswith("trained on: Data Science Bowl 2018")
    assert sum("trained on: " in line for line in printed) == 3  # those that have weights


def test_building_says_in_one_document_what_is_written(tmp_path):
    shutil.copytree(REPOSITORY / "bundles", tmp_path / "bundles", symlinks=True)
    config = tmp_path / "bundles" / "liver" / "configs" / "train.json"
    config.unlink()
    words = ("bundles", "build", "--bundles-dir", tmp_path / "bundles", "--json")
    ended = run_medseg(*words, "liver", "nuclei")
    assert json.loads(ended.stdout) == {"written": {"liver": [str(config)], "nuclei": []}}
    ended = run_medseg(*words, "lver")
    assert json.loads(ended.stdout)["error"] in ended.stderr


def test_building_a_bundle_that_is_not_there_names_those_that_are(tmp_path, monkeypatch):
    (tmp_path / "bundles" / "mine").mkdir(parents=True)
    (tmp_path / "bundles" / "mine" / "task.json").touch()
    monkeypatch.chdir(tmp_path)
    ended = run_medseg("bundles", "build", "nosuch")
    assert ended.exit_code == 2
    assert "no bundle nosuch to build in" in ended.stderr
    assert "(it has mine)" in ended.stderr


def test_built_bundles_need_no_building(here):
    ended = run_medseg("bundles", "build")
    assert (ended.exit_code, ended.output) == (app.DONE, "")


@pytest.mark.parametrize(
    ("verb", "page"), [("build", "override-a-config"), ("check", "choose-a-bundle")]
)
def test_an_unknown_bundle_is_one_line(here, verb, page):
    ended = run_medseg("bundles", verb, "lung")
    assert ended.exit_code == BAD_ARGUMENTS
    known = ", ".join(list_names(REPOSITORY / "bundles"))
    rule = f"error: no bundle 'lung' in bundles: name one of {known}"
    assert ended.stderr == f"{rule} (see docs/how-to/{page}.md)\n"


def test_bundles_are_listed_anywhere_and_also_those_without_layers(tmp_path, monkeypatch):
    shutil.copytree(REPOSITORY / "bundles" / "nuclei", tmp_path / "bundles" / "mine")
    monkeypatch.chdir(tmp_path)
    _, *lines = run_medseg("bundles", "list").output.splitlines()
    names = [line.split()[0] for line in lines if line[0] != " "]
    assert names == sorted({"mine", *list_names(REPOSITORY / "bundles")})
    ended = run_medseg("bundles", "list", "--bundles-dir", "bundles")
    assert ended.output.splitlines()[1].startswith("mine  9.2 MB   test Dice 0.902  cell nuclei in")


def test_a_folder_that_is_no_bundle_of_the_repository_can_be_checked_by_its_name(
    tmp_path, monkeypatch
):
    shutil.copytree(REPOSITORY / "bundles", tmp_path / "bundles", symlinks=True)
    shutil.copytree(REPOSITORY / "bundles" / "nuclei", tmp_path / "mine", symlinks=True)
    (tmp_path / "mine" / "LICENSE").unlink()
    monkeypatch.chdir(tmp_path)
    ended = run_medseg("bundles", "check", "mine")
    assert ended.exit_code == app.SOME_FAILED
    assert "LICENSE is missing" in ended.output


def test_a_damaged_bundle_does_not_hide_the_others(tmp_path, monkeypatch):
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(REPOSITORY / "bundles" / "liver", tmp_path / "bundles" / "liver", ignore=ignore)
    bad = tmp_path / "bundles" / "bad" / "configs"
    bad.mkdir(parents=True)
    (bad / "train.json").write_text("[")
    ended = run_medseg("bundles", "list", "--bundles-dir", tmp_path / "bundles")
    assert ended.exit_code == app.SOME_FAILED
    assert [line.split()[:2] for line in ended.output.splitlines()[1:]] == [
        ["bad", "cannot"],
        ["liver", "no"],
    ]


def test_a_folder_without_bundles_is_one_line(tmp_path):
    ended = run_medseg("bundles", "list", "--bundles-dir", tmp_path)
    assert ended.exit_code == BAD_ARGUMENTS
    assert f"{tmp_path} holds no bundles: name the folder that the bundles lie in" in ended.stderr
    ended = run_medseg("bundles", "list", "--bundles-dir", tmp_path / "absent")
    assert f"there is no folder {tmp_path / 'absent'}: name another --bundles-dir" in ended.stderr


def test_the_list_and_a_description_are_also_json(here):
    listed = json.loads(run_medseg("bundles", "list", "--json").output)["bundles"]
    assert [each["name"] for each in listed] == list_names(REPOSITORY / "bundles")
    described = json.loads(run_medseg("bundles", "info", "hippocampus", "--json").output)
    assert described == next(each for each in listed if each["name"] == "hippocampus")
    assert "classes: 1 anterior, 2 posterior" in run_medseg("bundles", "info", "hippocampus").output


@pytest.mark.parametrize("words", [["info", "lung"], ["check", "lung"], ["info"]])
def test_a_fault_is_json_too_where_json_is_asked_for(here, words):
    ended = run_medseg("bundles", *words, "--json")
    assert ended.exit_code == BAD_ARGUMENTS
    said = json.loads(ended.stdout)["error"]
    assert said in ended.stderr


def test_a_copy_is_a_bundle_of_its_own(here, tmp_path):
    ended = run_medseg("bundles", "copy", "nuclei", tmp_path / "mine")
    assert ended.output == f"copied bundle: {tmp_path / 'mine'}\n"
    again = run_medseg("bundles", "copy", "nuclei", tmp_path / "mine")
    assert (again.exit_code, again.stderr.partition(":")[0]) == (BAD_ARGUMENTS, "error")


@pytest.mark.parametrize(("found", "status"), [([], app.DONE), (["a [b]"], app.SOME_FAILED)])
def test_check_fails_where_a_bundle_has_faults(here, monkeypatch, found, status):
    from medseg.bundles import check

    monkeypatch.setattr(check, "find_faults", lambda name, bundles_dir: found)
    ended = run_medseg("bundles", "check", "liver")
    assert ended.exit_code == status
    assert ended.output == ("liver: 1 fault\n  a [b]\n" if found else "liver: ok\n")
    ended = run_medseg("bundles", "check", "liver", "--json")
    document = {"faults": {"liver": found}, "notes": {"liver": []}}
    assert (ended.exit_code, json.loads(ended.output)) == (status, document)


def test_what_only_the_model_zoo_asks_for_is_a_note_and_no_fault(here, monkeypatch):
    from medseg.bundles import check

    monkeypatch.setattr(check, "find_faults", lambda name, bundles_dir: [])
    monkeypatch.setattr(check, "find_notes", lambda name, bundles_dir: ["it is large"])
    ended = run_medseg("bundles", "check", "liver")
    assert (ended.exit_code, ended.output) == (app.DONE, "liver: ok\n  note: it is large\n")


def test_bundles_are_checked_anywhere_by_name_and_by_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_medseg("bundles", "copy", "nuclei", "bundles/mine")
    ended = run_medseg("bundles", "check", "mine", "bundles/mine")
    assert ended.output == "mine: ok\nbundles/mine: ok\n"
    ended = run_medseg("bundles", "check", "lung")
    assert (ended.exit_code, ended.stderr[:24]) == (BAD_ARGUMENTS, "error: no bundle 'lung':")


def test_publish_says_where_the_earlier_weights_are(here, monkeypatch, tmp_path):
    from medseg.bundles import publish

    kept = tmp_path / "old.pt"
    monkeypatch.setattr(publish, "publish_run", lambda run, bundle: kept)
    ended = run_medseg("bundles", "publish", "runs/liver/first", "bundles/liver")
    assert ended.exit_code == app.DONE
    assert ended.output == (
        f"bundles/liver has the weights of runs/liver/first; the earlier ones: {kept}\n"
    )


def test_what_was_published_can_be_had_as_json(here, monkeypatch, tmp_path):
    from medseg.bundles import publish

    monkeypatch.setattr(publish, "publish_run", lambda run, bundle: None)
    ended = run_medseg("bundles", "publish", "runs/liver/first", "bundles/liver", "--json")
    places = json.loads(ended.output)
    assert places["replaced"] is None
    assert places["run"].endswith("/runs/liver/first")
    assert places["bundle"].endswith("/bundles/liver")


def test_a_copy_is_described_as_json(here, tmp_path):
    ended = run_medseg("bundles", "copy", "bundles/nuclei", tmp_path / "mine", "--json")
    assert json.loads(ended.output)["folder"] == str(tmp_path / "mine")


def test_publishing_what_is_no_run_is_one_line(here):
    ended = run_medseg("bundles", "publish", "bundles/nuclei", "bundles/liver")
    assert ended.exit_code == BAD_ARGUMENTS
    assert ended.stderr.startswith(
        "error: bundles/nuclei is not the folder of a run, it has no run.json: name a folder"
    )


def test_a_folder_that_is_no_model_of_nnunet_is_one_line(here, tmp_path):
    (tmp_path / "model").mkdir()
    ended = run_medseg("bundles", "import-nnunet", str(tmp_path / "model"), "-o", "spleen")
    assert ended.exit_code == 2
    assert "has no plans.json beside a dataset.json" in ended.output
    assert len(ended.output.splitlines()) == 1


def test_what_was_imported_can_be_had_as_json(here, monkeypatch, tmp_path):
    from medseg.bundles.nnunet import import_model

    made = import_model.Imported(tmp_path / "spleen", ("0", "1"), "3d_fullres", ("a note",))
    monkeypatch.setattr(import_model, "import_model", lambda *given, **options: made)
    printed = run_medseg("bundles", "import-nnunet", "model", "-o", "spleen", "--json").output
    assert json.loads(printed) == {
        "bundle": str(tmp_path / "spleen"),
        "configuration": "3d_fullres",
        "folds": ["0", "1"],
        "notes": ["a note"],
    }
    said = run_medseg("bundles", "import-nnunet", "model", "-o", "spleen").output.splitlines()
    assert said[0] == "note: a note"
    assert "folds 0, 1; next: medseg segment" in said[1]
