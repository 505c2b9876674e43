"""Tests of medseg.bundles.keys.describe."""

import subprocess
import sys

import pytest

from medseg.base.choices import RULES
from medseg.bundles.build import list_names
from medseg.bundles.keys.describe import (
    UNKNOWN,
    Key,
    format_default,
    format_lines,
    list_keys,
    list_keys_of_bundle,
    read_meanings,
)
from medseg.bundles.layers.merge import CONFIG_NAMES, read_section
from medseg.bundles.layers.references import list_choices
from medseg.bundles.overrides import read_config

ENTRIES = [(key, entry) for part in read_meanings().values() for key, entry in part.items()]


@pytest.fixture(scope="module")
def configs(repository):
    """The configs of all workflows of all bundles."""
    bundles = repository / "bundles"
    return [
        read_config(bundles / name / "configs" / f"{workflow}.json")
        for name in list_names(bundles)
        for workflow in CONFIG_NAMES
    ]


def test_every_choice_of_every_bundle_has_a_meaning_and_a_type(configs):
    listed = {key.key: key for config in configs for key in list_keys(config)}
    assert {choice for config in configs for choice in list_choices(config)} <= listed.keys()
    assert [key for key, of in listed.items() if of.meaning == UNKNOWN or not of.type] == []


def test_no_meaning_is_of_a_key_that_no_bundle_and_no_layer_has(configs, repository):
    layers = (repository / "bundles" / "layers").glob("*.json")
    of_layers = {
        key
        for layer in layers
        for workflow in (None, *CONFIG_NAMES)
        for key, _ in read_section(layer, workflow)
    }
    known = of_layers.union(*configs)
    assert [key for key, _ in ENTRIES if key not in known] == []


def test_each_key_has_one_meaning_of_whole_sentences():
    assert len({key for key, _ in ENTRIES}) == len(ENTRIES)
    for key, entry in ENTRIES:
        assert entry["meaning"][0].isupper(), key
        assert entry["meaning"].endswith("."), key
        assert entry.keys() <= {"meaning", "unit", "default"}, key


def test_components_and_the_imports_are_not_listed():
    config = {"imports": ["$import os"], "loss": {"_target_": "Loss"}, "max_epochs": 3}
    (key,) = list_keys(config)
    assert (key.key, key.type, key.unit, key.default) == (
        "max_epochs",
        RULES["max_epochs"].words,
        "epochs",
        "3",
    )


def test_a_key_of_a_bundle_of_another_origin_comes_last_without_a_meaning():
    first, last = list_keys({"num_epochs": 5, "seed": 0})
    assert (first.key, last.key, last.meaning, last.default) == ("seed", "num_epochs", UNKNOWN, "5")


def test_what_a_call_works_out_is_said_in_words():
    assert "GPU" in list_keys({"device": "$torch.device('cpu')"})[0].default
    assert list_keys({"name": "a", "cache_dir": "$'cache/' + @name"})[1].default == (
        "'cache/' + name"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (None, "null"), ([1, 2.5], "[1, 2.5]"), ("@window_hu", "window_hu")],
)
def test_a_default_is_as_a_user_types_it(value, text):
    assert format_default(value) == text


def test_a_folder_without_the_config_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no train\.json"):
        list_keys_of_bundle(tmp_path, "train")


def test_neither_torch_nor_monai_is_imported_to_list_keys(repository):
    code = (
        "import sys; from pathlib import Path; from medseg.bundles.keys import describe; "
        "describe.list_keys_of_bundle(Path('bundles/liver'), 'train'); "
        "sys.exit('torch' in sys.modules or 'monai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=repository, check=False).returncode == 0


def test_lines_leave_out_what_a_key_does_not_have():
    key = Key("fold", "Which fold.", "a whole number", "", "0")
    assert list(format_lines([key])) == ["fold = 0", "    Which fold. Type: a whole number."]
    assert list(format_lines([Key("odd", UNKNOWN, "", "", "1")])) == ["odd = 1", f"    {UNKNOWN}"]
