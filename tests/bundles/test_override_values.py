"""Tests of medseg.bundles.override_values: a value of the wrong kind is refused before anything
runs."""

import json
from pathlib import Path

import pytest

from medseg.bundles.build import WORKFLOWS, list_names
from medseg.bundles.override_values import DEEPEST, convert_value, has_rule, parse_value
from medseg.bundles.overrides import read_overrides

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
CONFIG = {
    **{"max_epochs": 100, "learning_rate": 3e-4, "resume": False, "channels": [2, 4]},
    **{"classes": {"liver": [1]}, "patience": 10, "kernel_size": 3, "norm": ["instance", {}]},
    "sizes": [2, 2],
    "choices": {},
    "block": {"kernel": "@kernel_size", "layer": "@norm"},
    **{"level": None, "device": "$torch.device('cpu')", "section": "validation"},
    "optimizer": {"_target_": "torch.optim.Adam", "lr": "@learning_rate"},
    "train": {"trainer": {"max_epochs": "@max_epochs"}},
}


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        *(("max_epochs", value, value) for value in (0, -1, 20)),  # the range is judged elsewhere
        ("max_epochs", 1e3, 1000),
        ("learning_rate", 1, 1),
        ("resume", True, True),
        ("sizes", [4, 4], [4, 4]),
        *(("block#kernel", value, value) for value in (5, [3, 5], [[3, 3, 1], 3])),
        *(("block#layer", value, value) for value in ("batch", None, ["group", {"groups": 2}])),
        *(("level", value, value) for value in (1, None, "x")),
        ("device", "cpu", "cpu"),
        ("section", "test", "test"),
        ("max_epochs", "$2 * 3", "$2 * 3"),
        ("classes", {"a": [1]}, {"a": [1]}),
        ("optimizer", {"_target_": "torch.optim.SGD"}, {"_target_": "torch.optim.SGD"}),
    ],
)
def test_a_value_of_the_right_kind_is_taken(key, value, kept):
    assert convert_value(key, value, CONFIG) == kept
    assert type(convert_value(key, value, CONFIG)) is type(kept)


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        *(("max_epochs", value, "a whole number") for value in ("ten", [1], 2.5, True, None)),
        *(("max_epochs", value, "a whole number") for value in (float("inf"), float("nan"), {})),
        *(("learning_rate", value, "a number") for value in ("fast", [1e-3], float("nan"), None)),
        *(("resume", value, "True or False") for value in ("yes", 1, [True], None)),
        *(("channels", value, "a list") for value in ("big", 3, True, {"a": 1}, None)),
        *(("classes", value, "a dictionary") for value in ("liver", ["liver"], 1, None)),
        *(("optimizer", value, "a component") for value in ("adam", {"lr": 1}, [1], 3, None)),
    ],
)
def test_a_value_of_another_kind_is_refused_in_one_line(key, value, kind):
    with pytest.raises(ValueError, match=f"^override --{key} must be {kind}, got ") as caught:
        convert_value(key, value, CONFIG)
    assert "\n" not in str(caught.value)


def test_every_value_of_every_bundle_fits_itself():
    for name in list_names(BUNDLES):
        for workflow in WORKFLOWS:
            config = json.loads((BUNDLES / name / f"{workflow}.json").read_text())
            for key, value in config.items():
                assert convert_value(key, value, config) == value


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        (
            "train#trainer#max_epochs",
            "ten",
            "is 'ten', which sets max_epochs: it must be a whole",
        ),
        ("train#dataloader#batch_size", "[1]", r"is \[1\], which sets batch_size"),
        ("validate#dataloader#batch_size", "ten", "must be a whole number, got 'ten'"),
        ("network_def#level", "x", "is 'x', which sets level: it must be a whole number"),
        ("classes", "liver", "classes is 'liver': it must be a dictionary"),
        ("max_epochs", "[3]", r"max_epochs is \[3\]: it must be a whole number"),
    ],
)
def test_the_command_line_is_held_against_the_bundle(key, text, message):
    with pytest.raises(ValueError, match=message):
        read_overrides(BUNDLES / "liver", "train", [f"--{key}", text])


@pytest.mark.parametrize("depth", [DEEPEST + 1, 300, 100_000])
@pytest.mark.parametrize("brackets", ["[]", "()", ('{"a":', "}"), ("{'a':", "}")])
def test_deep_nesting_is_refused_in_one_line(depth, brackets):
    begin, end = brackets
    with pytest.raises(ValueError, match="--classes is nested deeper than 20 levels"):
        parse_value("classes", begin * depth + "1" + end * depth)


@pytest.mark.parametrize("text", ["-" * 100_000 + "1", "1" + "+1" * 100_000, "not " * 50_000 + "1"])
def test_what_is_deep_without_brackets_is_refused_too(text):
    with pytest.raises(ValueError, match="--fold is nested too deeply"):
        parse_value("fold", text)


def test_a_number_of_thousands_of_digits_is_refused():
    with pytest.raises(ValueError, match="--seed cannot be read"):
        parse_value("seed", "9" * 5000)


def test_what_a_config_needs_is_not_too_deep():
    text = "[" * DEEPEST + "]" * DEEPEST
    assert parse_value("act", text) == json.loads(text)
    assert parse_value("name", "'" + "[" * 50 + "'") == "[" * 50


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("optimizer#lr", 0, "which sets learning_rate: it must be a number above 0"),
        ("optimizer#lr", -1e-3, "override --optimizer#lr is -0.001, which sets learning_rate"),
        (
            "train#dataloader#batch_size",
            0,
            "which sets batch_size: it must be a whole number of at least 1",
        ),
        ("train#trainer#max_epochs", -1, "which sets max_epochs"),
    ],
)
def test_a_setting_that_stands_for_a_choice_keeps_its_rule(key, value, said):
    config = {
        **{"learning_rate": 1e-3, "batch_size": 2, "max_epochs": 5},
        "optimizer": {"_target_": "torch.optim.Adam", "lr": "@learning_rate"},
        "train": {
            "dataloader": {"_target_": "DataLoader", "batch_size": "@batch_size"},
            "trainer": {"_target_": "SupervisedTrainer", "max_epochs": "@max_epochs"},
        },
    }
    config["choices"] = {}
    with pytest.raises(ValueError, match=said):
        convert_value(key, value, config)
    assert convert_value(key, 1, config) == 1


@pytest.mark.parametrize(
    ("value", "is_ruled"), [(8, True), ([8, 8], False), ("$2 * 4", False), (None, False)]
)
def test_a_key_of_another_origin_has_a_rule_only_if_its_own_value_keeps_it(value, is_ruled):
    assert has_rule("patch_size", {"patch_size": value}) is is_ruled
    assert has_rule("patch_size", {"patch_size": value, "choices": {}})


def test_a_bundle_of_another_origin_may_mean_something_else_by_a_key(tmp_path):
    config = {"patch_size": [96, 96, 96], "max_epochs": 3, "amp": True}
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "train.json").write_text(json.dumps(config))

    def read(*words):
        return read_overrides(tmp_path, "train", words)

    assert read("--patch_size", "[64, 64, 64]")["patch_size"] == [64, 64, 64]
    with pytest.raises(ValueError, match="--patch_size must be a list, got 64"):
        read("--patch_size", "64")
    with pytest.raises(ValueError, match="max_epochs is 0: it must be a whole number"):
        read("--max_epochs", "0")
    with pytest.raises(ValueError, match="--amp must be True or False, got 'yes'"):
        read("--amp", "yes")
