"""Tests of medseg.engines.config_in_use: an expression sees the whole config, overrides applied."""

import copy

import pytest
from monai.bundle import ConfigParser

from medseg.engines import read_config_in_use

CONFIG = {
    "imports": ["$import medseg", "$import medseg.engines"],
    "rate": 0.1,
    "part": {"_target_": "builtins.dict", "rate": "@rate"},
    "same": "%part",
    "seen": "$medseg.engines.read_config_in_use()",
    "run": ["$@part", "$@seen"],
}


def seen(changes=(), **more):
    parser = ConfigParser(copy.deepcopy({**CONFIG, **more}))
    parser.update(dict(changes))
    return parser.get_parsed_content("seen")


def test_overrides_and_targets_are_seen_and_nothing_is_built():
    part = seen({"part#rate": 0.5, "part#_target_": "no.such.thing", "part#more": 2})["part"]
    assert part == {"_target_": "no.such.thing", "rate": 0.5, "more": 2}


@pytest.mark.parametrize(
    "text", ["@rate", 0.1, "$0.1", "$ 1e-1", "$@rate * 1", "$float(@same_rate)", "@same_rate"]
)
def test_every_way_to_write_a_value_is_that_value(text):
    assert seen({"part#rate": text}, same_rate="$@rate * 1")["part"]["rate"] == 0.1


def test_a_macro_and_a_reference_into_a_list_are_values():
    config = seen({"part#rate": "@rates#1"}, rates=[0.5, 0.25])
    assert config["part"]["rate"] == config["same"]["rate"] == 0.25


@pytest.mark.parametrize(
    "text",
    [
        "@other",  # a component
        "$@other['x']",
        "$torch.float32",  # of no plain value
        "$medseg.engines.distributed",
        "@output_dir",  # may change
        "$@output_dir + '/x'",
        "@absent",
        "@part#rate",  # refers to itself
    ],
)
def test_what_stands_for_no_plain_value_stays_text(text):
    config = seen(
        {"part#rate": text}, other={"_target_": "builtins.dict", "x": 1}, output_dir="runs"
    )
    assert config["part"]["rate"] == text.replace("#", "::")


def test_what_was_resolved_before_is_seen_all_the_same():
    parser = ConfigParser(copy.deepcopy({**CONFIG, "other": {"_target_": "builtins.dict"}}))
    parser.update({"part#more": "@other"})
    assert parser.get_parsed_content("part") == {"rate": 0.1, "more": {}}
    assert parser.get_parsed_content("seen")["part"]["more"] == "@other"


def test_expressions_outside_components_are_not_run(tmp_path):
    config = seen({}, effect=f"$open({str(tmp_path / 'ran')!r}, 'w')", run2=["$@effect.close()"])
    assert config["run2"] == ["$@effect.close()"]
    assert not (tmp_path / "ran").exists()


def test_a_config_in_a_config_sees_itself():
    inner = {"_target_": "monai.bundle.ConfigParser", "config": {"seen": "x"}}
    assert seen({"part#inner": inner})["part"]["inner"]["config"] == {"seen": "x"}


def test_outside_a_config_it_is_refused():
    with pytest.raises(ValueError, match="outside a config: call it in an expression"):
        read_config_in_use()
