"""Tests of medseg.base.path_keys: a path is a path, whatever its characters."""

import json
from pathlib import Path

import pytest
from hostile import NAMES
from monai.bundle import ConfigParser

from medseg.base.path_keys import (
    PATH_KEYS,
    TEXT_KEYS,
    escape_for_monai,
    escape_for_monai_if_needed,
    is_absolute_path,
    is_path_key,
    is_text_key,
    require_path,
)
from medseg.bundles.build import WORKFLOWS, list_names
from medseg.bundles.overrides import parse_overrides, read_overrides, write_for_monai

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"


def _configs():
    for name in list_names(BUNDLES):
        for workflow in WORKFLOWS:
            file = BUNDLES / name / f"{workflow}.json"
            yield file, json.loads(file.read_text())


def _values(value, key=""):
    """Every plain value of a config with its id."""
    if isinstance(value, dict):
        for part, inner in value.items():
            yield from _values(inner, f"{key}#{part}" if key else part)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _values(inner, f"{key}#{number}")
    else:
        yield key, value


@pytest.mark.parametrize("form", [escape_for_monai, escape_for_monai_if_needed])
@pytest.mark.parametrize("name", [*NAMES, "", "liver_small"])
def test_monai_takes_any_text_as_it_is_wherever_it_stands(tmp_path, monkeypatch, name, form):
    monkeypatch.chdir(tmp_path)
    text = form(name)
    config = {"a": text, "b": "@a", "c": ["@a", {"d": text}], "e": "$@a + 'e'"}
    parser = ConfigParser(json.loads(json.dumps(config)))
    assert [parser.get_parsed_content(key) for key in "abe"] == [name, name, name + "e"]
    assert parser.get_parsed_content("c") == [name, {"d": name}]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("workflow", ["train", "evaluate", "inference"])
def test_each_path_of_a_command_line_reaches_the_config_absolute(
    tmp_path, monkeypatch, workflow, name
):
    monkeypatch.chdir(tmp_path)
    bundle = BUNDLES / "liver_3d"
    config = json.loads((bundle / f"{workflow}.json").read_text())
    keys = [key for key in PATH_KEYS if key in config]
    words = [f"--{key}=./{name}" for key in keys]
    parser = ConfigParser(config)
    parser.update(write_for_monai(read_overrides(bundle, workflow, words)))
    got = {key: parser.get_parsed_content(key) for key in keys}
    assert got == dict.fromkeys(keys, str(tmp_path / name))
    assert len(keys) >= 4
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_the_folder_of_a_bundle_may_have_any_name(tmp_path, name):
    bundle = tmp_path / name
    bundle.mkdir()
    (bundle / "train.json").write_text(json.dumps({"bundle_root": "."}))
    parser = ConfigParser({})
    parser.update(write_for_monai(read_overrides(bundle, "train", [])))
    assert parser.get_parsed_content("bundle_root") == str(bundle)


@pytest.mark.parametrize("key", [*PATH_KEYS, *TEXT_KEYS])
def test_the_text_of_such_a_key_is_never_parsed(key):
    for name in set(NAMES) - {"null", "None"}:  # of which the next test is
        assert parse_overrides([f"--{key}={name}"]) == {key: name}


@pytest.mark.parametrize("word", ["null", "None"])
def test_null_is_a_name_but_where_a_key_may_be_nothing(word):
    optional = {"encoder_weights", "start_from", "companion", "cache_dir", "series_uid", "run_name"}
    for key in (*PATH_KEYS, *TEXT_KEYS):
        expected = None if key in optional else word
        assert parse_overrides([f"--{key}", word]) == {key: expected}
        assert parse_overrides([f"--{key}", f"./{word}"]) == {key: f"./{word}"}


def test_a_logging_file_can_be_switched_off():
    assert parse_overrides(["--logging_file", "False"]) == {"logging_file": False}


@pytest.mark.parametrize("key", PATH_KEYS)
def test_an_empty_path_is_refused(key):
    with pytest.raises(ValueError, match=f"--{key} is empty: name a file or folder"):
        parse_overrides([f"--{key}", ""])


def test_the_table_holds_every_key_that_is_a_path():
    """What stands for a path key, or adds a name to one, is a path; so is what looks like one."""
    starts = tuple(f"{at}{key}" for key in PATH_KEYS for at in ("@", "$@"))
    values = [(file, *item) for file, config in _configs() for item in _values(config)]
    assert len(values) > 5000
    for file, key, value in values:
        if not isinstance(value, str) or key.startswith(("imports", "_generated_", "choices")):
            continue
        stands_for = value[1:] in PATH_KEYS and value.startswith("@")
        adds = value.startswith(starts) and " + '/" in value
        looks_like = key.endswith(("_dir", "_file", "_root")) or value.startswith("data/")
        if stands_for or adds or looks_like:
            assert is_path_key(key), (file, key, value)


def test_the_table_holds_no_key_that_is_gone():
    known = {key.split("#")[-1] for _, config in _configs() for key, _ in _values(config)}
    own = {"annotations", "tracking", "meta_file", "logging_file"}  # of MONAI and of prepare
    assert set(PATH_KEYS) - own <= known


@pytest.mark.parametrize("key", ["window_inferer#weights", "loss#loss#weights", "head_weights"])
def test_weights_of_another_kind_are_no_path(key):
    assert not is_path_key(key)
    assert not is_text_key(key)


@pytest.mark.parametrize("key", ["train#handlers#3#path", "train::handlers::3::replaced_dir"])
def test_a_path_inside_a_component_is_one(key):
    assert is_path_key(key)


def test_nothing_that_is_plain_is_escaped():
    assert escape_for_monai_if_needed("/data/liver 2/a_b-c.nii.gz") == "/data/liver 2/a_b-c.nii.gz"


ABSOLUTE = ("/home/a", r"C:\data", escape_for_monai("/home/a#b"), '$"/home"')
OTHER = ("data/liver", "", "$", "$@dataset_dir + '/images'", "$'data'", "$None", "$-1", "1/2")


def test_an_absolute_path_is_known_in_each_form_of_a_config():
    assert [text for text in (*ABSOLUTE, *OTHER) if is_absolute_path(text)] == [*ABSOLUTE]


@pytest.mark.parametrize("value", [2023, 1e3, True, None, [1], {"a": 1}])
def test_what_is_no_path_is_refused_in_one_line(value):
    with pytest.raises(TypeError, match=r"^input must be a path, got .*: write \./") as caught:
        require_path(value, "input")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["e" * 256, "/".join(["e" * 200] * 21)])
def test_a_path_longer_than_the_system_takes_is_refused_by_every_key(path):
    for read in (require_path, lambda path, key: parse_overrides([f"--{key}", path])):
        for key in PATH_KEYS:
            with pytest.raises(OSError, match="is too long a path for this system"):
                read(path, key)
