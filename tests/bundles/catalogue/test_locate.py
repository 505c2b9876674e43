"""Tests of medseg.bundles.catalogue.locate: what `-b` may name, and where it is looked for."""

import json
from pathlib import Path

import pytest

from medseg.bundles.build import list_names
from medseg.bundles.catalogue import locate


def _make(folder, workflow="train"):
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / f"{workflow}.json").write_text(json.dumps({"name": folder.name}))
    return folder


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """An installed medseg with one bundle, seen from an empty working directory."""
    installed = tmp_path / "site-packages" / "medseg" / "bundles" / "shipped"
    _make(installed / "liver")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(locate, "_INSTALLED", installed)
    return installed


def test_a_checkout_ships_the_bundles_of_its_layers(repository):
    assert locate.find_shipped_folder() == repository / "bundles"
    assert list(locate.list_folders(repository / "bundles")) == list_names(repository / "bundles")


def test_a_name_is_looked_for_here_and_then_in_the_installed_package(shipped):
    assert locate.locate("liver") == shipped / "liver"
    _make(Path("bundles/liver"))
    assert locate.locate("liver") == Path("bundles/liver")
    _make(Path("liver"))
    assert locate.locate("liver") == Path("liver")


def test_a_folder_of_the_same_name_that_is_no_bundle_is_not_in_the_way(shipped):
    Path("liver").mkdir()
    assert locate.locate("liver") == shipped / "liver"


@pytest.mark.parametrize("word", ["zoo/spleen", "zoo/spleen/", "./zoo/spleen"])
def test_a_folder_needs_nothing_but_its_configs(shipped, word):
    _make(Path("zoo/spleen"), "inference")
    assert locate.locate(word) == Path("zoo/spleen")


def test_a_bundle_with_flat_files_alone_is_one(shipped):
    Path("flat").mkdir()
    Path("flat/evaluate.json").write_text("{}")
    assert locate.locate("flat") == Path("flat")
    assert "flat" not in locate.list_folders()


def test_an_unknown_name_is_refused_with_those_that_there_are(shipped):
    _make(Path("bundles/mine"))
    with pytest.raises(FileNotFoundError, match=r"^no bundle 'lung': name one of liver, mine, or"):
        locate.locate("lung")


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("bundles/liver", "there is no folder .*/bundles/liver: name only the bundle, -b liver,"),
        ("bundles/lung", "name the folder of a bundle or training run with -b, or one of liver"),
        ("runs", "runs is not a bundle, it has no configs/: name the folder of a bundle"),
        ("runs/liver", "name one of the runs in it, such as -b runs/liver/second$"),
    ],
)
def test_a_folder_that_is_no_bundle_is_refused_with_what_to_name(shipped, word, remedy):
    for run in ("first", "second"):
        Path("runs/liver", run).mkdir(parents=True)
        Path("runs/liver", run, "run.json").touch()
    with pytest.raises(FileNotFoundError, match=remedy):
        locate.locate(word)


@pytest.mark.parametrize("word", ["livre", "bundles/livre", "liverr", "li"])
def test_the_bundle_that_a_misspelt_name_means_is_named(shipped, word):
    with pytest.raises(FileNotFoundError, match=r": did you mean liver\? Otherwise name "):
        locate.locate(word)


def test_weights_without_their_configs_are_told_what_they_need(shipped):
    Path("mine/models").mkdir(parents=True)
    Path("mine/models/model.pt").touch()
    with pytest.raises(
        FileNotFoundError, match=r"without their configs: .*pass --weights mine/models/model\.pt$"
    ):
        locate.locate("mine/")


def test_paths_with_spaces_are_named_as_a_command_takes_them(shipped):
    Path("my runs/new one").mkdir(parents=True)
    Path("my runs/new one/run.json").touch()
    with pytest.raises(FileNotFoundError, match=r"such as -b 'my runs/new one'$"):
        locate.locate("my runs")
    Path("my net/models").mkdir(parents=True)
    Path("my net/models/model.pt").touch()
    with pytest.raises(FileNotFoundError, match=r"--weights 'my net/models/model\.pt'$"):
        locate.locate("my net")


def test_what_is_installed_is_known_by_its_place(shipped):
    assert locate.is_installed(shipped / "liver")
    assert not locate.is_installed(Path("bundles/liver"))
    Path("link").symlink_to(shipped / "liver")
    assert locate.is_installed(Path("link"))


def test_layers_are_looked_for_here_unless_a_folder_is_named(shipped):
    assert locate.find_layers(None) is None
    assert locate.find_layers(shipped) == shipped
    Path("bundles/layers").mkdir(parents=True)
    assert locate.find_layers(None) == Path("bundles")
