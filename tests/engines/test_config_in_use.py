"""Tests of medseg.engines.config_in_use: an expression sees the whole config, overrides applied."""

import copy

import pytest
from monai.bundle import ConfigParser

from medseg.engines import config_in_use

CONFIG = {
    "imports": ["$import medseg", "$import medseg.engines"],
    "rate": 0.1,
    "part": {"_target_": "builtins.dict", "rate": "@rate"},
    "same": "%part",
    "seen": "$medseg.engines.config_in_use()",
    "run": ["$@part", "$@seen"],
}


def test_references_and_targets_are_seen_as_text_after_overrides():
    parser = ConfigParser(copy.deepcopy(CONFIG))
    parser.update({"part#rate": 0.5, "part#more": "$1 + 1"})
    part, seen = parser.get_parsed_content("run")
    assert part == {"rate": 0.5, "more": 2}
    assert seen["part"] == {"_target_": "builtins.dict", "rate": 0.5, "more": "$1 + 1"}
    assert seen["rate"] == 0.1


def test_what_was_resolved_before_is_seen_as_text_too():
    parser = ConfigParser(copy.deepcopy(CONFIG))
    assert parser.get_parsed_content("part") == {"rate": 0.1}
    assert parser.get_parsed_content("seen")["part"]["rate"] == "@rate"


def test_outside_a_config_it_is_refused():
    with pytest.raises(ValueError, match="outside a config: call it in an expression"):
        config_in_use()
