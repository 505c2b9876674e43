"""Tests of medseg.base.choices.rules: every key of every bundle refuses a value of another kind."""

from pathlib import Path

import pytest

from medseg.base.choices import LR_SCHEDULES, RULES, check_choices
from medseg.base.path_keys import PATH_KEYS, is_text_key
from medseg.bundles.build import WORKFLOWS, list_names
from medseg.bundles.keys.describe import list_keys
from medseg.bundles.layers.references import list_choices
from medseg.bundles.overrides import read_config, read_overrides
from medseg.inference.cases.check_image import MODALITIES
from medseg.inference.cases.existing import EXISTING
from medseg.inference.predictor.backends import BACKENDS
from medseg.inference.tiles.settings import OUTPUTS
from medseg.ingest.volumes.header import UNITS_MM
from medseg.networks.ensemble import AVERAGES
from medseg.networks.layers import PADDINGS, UPSAMPLE_MODES
from medseg.networks.topology import TOPOLOGIES

BUNDLES = Path(__file__).resolve().parents[3] / "bundles"
SAMPLES = {
    "text": "ten",
    "whole number": "7",
    "number": "0.75",
    "negative number": "-1.5",
    "infinity": "Infinity",
    "no number": "NaN",
    "switch": "True",
    "nothing": "null",
    "list": "[0.25, 'x']",
    "numbers": "1,2",
    "dictionary": "{'x': 'y'}",
}
"""Kind of a value -> one of it, as it is typed."""

NUMBERS = {"whole number", "number", "negative number"}
LISTS = {"list", "numbers"}
KINDS = {
    bool: {"switch"},
    int: NUMBERS,
    float: NUMBERS,
    str: {"text"},
    list: LISTS,
    dict: {"dictionary"},
    type(None): {"nothing"},
}
"""Type of the default of a key -> the kinds of values that may be right for it."""

MORE = {
    key: set(kinds)
    for keys, kinds in (
        (("kernel_size", "strides", "roi_size", "tile_halo"), LISTS | {"whole number"}),
        (
            (
                "patience",
                "encoder_weights",
                "start_from",
                "companion",
                "case_group",
                "existing",
                "fit",
                "seg",
            ),
            ["nothing"],
        ),
        (("series_uid", "affine", "units"), ["text"]),
        (("choose_series",), ["text", "whole number"]),
        (("device", "backend", "score_objects"), ["text"]),
        (("norm", "act"), {"text", "nothing", *LISTS}),
        (("level", "volume"), ["whole number"]),
        (("skip", "memory_limit"), {"text", *NUMBERS}),
        (("hours",), NUMBERS),
        (("preview_window", "preview_percentiles"), {"nothing", *LISTS}),
        (("head_weights", "fit_size", "flip_axes"), LISTS),
        (("flip_prob_axis0",), NUMBERS),
        (("ignore",), {"whole number", "nothing", *LISTS}),
    )
    for key in keys
}
"""Key -> the kinds that may be right beside that of its default."""


def find_keys():
    """Each key with its default, and a bundle and workflow that has it; paths are left out."""
    found = {}
    for name in list_names(BUNDLES):
        for workflow in WORKFLOWS:
            config = read_config(BUNDLES / name / "configs" / f"{workflow}.json")
            for key in list_keys(config):
                if not is_text_key(key.key):  # that is what was typed, whatever it looks like
                    found.setdefault(key.key, (config[key.key], name, workflow))
    return found


KEYS = find_keys()


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_each_wrong_kind_is_refused_by_its_key_before_data_are_read(key):
    default, name, workflow = KEYS[key]
    is_formula = isinstance(default, str) and default.startswith("$")
    right = MORE.get(key, set()) | (set() if is_formula else KINDS[type(default)])
    wrong = SAMPLES.keys() - right
    assert len(wrong) >= 5
    for kind in wrong:
        words = [f"--{key}={SAMPLES[kind]}"]
        with pytest.raises(ValueError, match=f"^{key} is .*: it must be ") as told:
            read_overrides(BUNDLES / name, workflow, words)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("value", [2023, 1.5, True, ["a"], "", ("a", 1)])
@pytest.mark.parametrize("key", [key for key in PATH_KEYS if key in RULES])
def test_what_a_path_was_read_as_elsewhere_is_refused(key, value):
    with pytest.raises(ValueError, match=f"^{key} is .*: it must be a path"):
        check_choices({key: value})


@pytest.mark.parametrize("name", list_names(BUNDLES))
@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_every_choice_of_every_config_has_a_rule_and_is_asked_about(name, workflow):
    config = read_config(BUNDLES / name / "configs" / f"{workflow}.json")
    assert set(list_choices(config)) <= RULES.keys()
    assert set(list_choices(config)) == set(config["choices"])


def test_the_words_of_a_rule_are_those_that_its_user_knows():
    def words_of(key):
        return set(RULES[key].words.removesuffix(", or null").replace(" or ", ", ").split(", "))

    assert words_of("topology") == set(TOPOLOGIES)
    assert words_of("predictor") == {"auto", *BACKENDS}
    assert words_of("output") == set(OUTPUTS)
    assert words_of("fold_average") == set(AVERAGES)
    assert words_of("existing") == set(EXISTING)
    assert words_of("modality") == set(MODALITIES)
    assert words_of("units") == {"stated", *UNITS_MM}
    assert words_of("upsample") == set(UPSAMPLE_MODES)
    assert words_of("padding") == set(PADDINGS)
    assert words_of("lr_schedule") == set(LR_SCHEDULES)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("norm", value) for value in ("batch", None, ["group", {"num_groups": 2}])),
        *(("head_weights", value) for value in ("learned", [1, 0.5])),
        *(("encoder", value) for value in ("plain", "timm/resnet34")),
        *(("memory_limit", value) for value in (None, 6e9, "6GiB")),
        *(("fit", value) for value in (None, {"_target_": "Resized"}, lambda data: data)),
        *(("skip", value) for value in (None, 0, -1.5)),
        *(("flips", value) for value in ([], [0, -1])),
        *(("body_part", value) for value in ([], ["LIVER"])),
        ("organ_ml", {"liver": [200, 6000]}),
        *(("channel_series", value) for value in ({}, {"t1": "*T1*"}, {"t1": ["*T1*", "4"]})),
        ("largest_only", []),
        ("largest_only", ["liver"]),
        *(("smallest_part", value) for value in ({}, {"liver": 0.5})),
        ("device", "cuda:0"),
        ("cache_dir", Path("cache")),
    ],
)
def test_each_form_that_a_key_may_have_is_taken(key, value):
    check_choices({key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("norm", value) for value in (["group"], [1, {}], ["a", "b"], "")),
        *(("head_weights", value) for value in ("equally", [-1], [])),
        *(("encoder", value) for value in ("resnet34", "", None)),
        *(("largest_only", value) for value in ("liver", [1], None)),
        *(("organ_ml", value) for value in ({"liver": [6000, 200]}, {"liver": 1})),
        *(("channel_series", value) for value in ("*T1*", {"t1": 4}, {"t1": []})),
        *(("smallest_part", value) for value in ({"liver": -1}, {"liver": "1"}, ["liver"])),
        *(("fit", value) for value in ("Resized", {"size": 1}, [])),
        ("memory_limit", -1),
    ],
)
def test_a_wrong_form_is_refused(key, value):
    with pytest.raises(ValueError, match=f"^{key} is "):
        check_choices({key: value})
