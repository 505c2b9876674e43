"""Tests of medseg.bundles.overrides: they are read as in a config file; unknown ones are
refused."""

import json

import pytest

from medseg.bundles.overrides import check_key, parse_overrides, read_overrides

CONFIG = {
    "max_epochs": 100,
    "learning_rate": 3e-4,
    "classes": {"liver": [1, 2]},
    "train": {"trainer": {"max_epochs": "@max_epochs"}, "handlers": [{"interval": 1}]},
    "bundle_root": ".",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-5", -5),
        ("-1e-3", -1e-3),
        ("[-100, 240]", [-100, 240]),
        ("(96, 96)", [96, 96]),
        ("96,96", [96, 96]),
        ("{'a': (1, 2)}", {"a": [1, 2]}),
        ("true", True),
        ("false", False),
        ("null", None),
        ("True", True),
        ("None", None),
        ("[true, null]", [True, None]),
        ('{"liver": [1]}', {"liver": [1]}),
        ("{'liver': [1], 'tumour': [2]}", {"liver": [1], "tumour": [2]}),
        ("unet_plusplus", "unet_plusplus"),
        ("runs/liver-1", "runs/liver-1"),
        ("'3'", "3"),
        ("@learning_rate", "@learning_rate"),
        ("$2 * @fold", "$2 * @fold"),
        ("", ""),
    ],
)
def test_values_are_json_else_python_else_text(text, value):
    for arguments in (["--key", text], [f"--key={text}"]):
        parsed = parse_overrides(arguments)["key"]
        assert parsed == value
        assert type(parsed) is type(value)


def test_no_argument_is_no_override():
    assert parse_overrides([]) == {}


def test_both_separators_of_nested_keys_are_one():
    assert parse_overrides(["--a#b", "1", "--a::c", "2"]) == {"a#b": 1, "a#c": 2}


def test_the_words_of_a_key_may_be_joined_by_hyphens():
    words = ["--start-from", "a-b", "--network-def#in-place=True"]
    assert parse_overrides(words) == {"start_from": "a-b", "network_def#in-place": True}


def test_a_value_may_hold_an_equals_sign():
    assert parse_overrides(["--a=b=c", "--d", "e=f"]) == {"a": "b=c", "d": "e=f"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["max_epochs", "3"], r"'max_epochs' is not an override: write --key value, or quote"),
        (["-e", "3"], r"'-e' is not an override: write a key with two dashes, --key value$"),
        (["--max_epochs"], r"override --max_epochs has no value"),
        (["--max_epochs", "--fold", "1"], r"override --max_epochs has no value"),
        (["--fold", "1", "--fold=2"], r"override --fold is given twice"),
        (["--a#b", "1", "--a::b", "2"], r"override --a#b is given twice"),
        (["--fold", "1", "2"], r"'2' is not an override"),
    ],
)
def test_what_is_no_override_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        parse_overrides(arguments)


@pytest.mark.parametrize("key", ["max_epochs", "train#trainer#max_epochs", "train#handlers#0"])
def test_an_existing_key_passes(key, tmp_path):
    assert check_key(key, CONFIG, config_file=tmp_path / "train.json") is None  # or it raises


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("max_epoch", "max_epochs"),
        ("epochs", "max_epochs"),
        ("trainer#max_epochs", "train"),
        ("train#trainer#max_epoch", "train#trainer#max_epochs"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(key, nearest, tmp_path):
    config_file = tmp_path / "train.json"
    with pytest.raises(ValueError, match=rf"--{key} is not a key .* the key --{nearest}\?$"):
        check_key(key, CONFIG, config_file=config_file)


@pytest.mark.parametrize(
    "key", ["volume", "train#handlers#1", "classes#tumour", "max_epochs#first"]
)
def test_no_key_is_suggested_where_none_is_near(key, tmp_path):
    with pytest.raises(ValueError, match=r"train\.json: leave it out; see the keys there$"):
        check_key(key, {"upsample": "deconv", **CONFIG}, config_file=tmp_path / "train.json")


def test_a_key_of_another_config_is_told_without_a_nearest(tmp_path):
    (tmp_path / "train.json").write_text(json.dumps(CONFIG))
    told = r"train\.json, not of .*evaluate\.json: leave it out$"
    with pytest.raises(ValueError, match=f"--max_epochs is a key of {told}"):
        check_key("max_epochs", {"network": {}}, config_file=tmp_path / "evaluate.json")


def test_a_part_of_a_key_that_is_replaced_as_a_whole_is_refused(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "train.json").write_text(json.dumps(CONFIG))
    arguments = ["--train", "{'x': 1}", "--train#trainer#max_epochs", "3"]
    message = "--train#trainer#max_epochs is part of --train, .* put the value into --train$"
    with pytest.raises(ValueError, match=message):
        read_overrides(tmp_path, "train", arguments)


def test_a_part_that_a_later_override_would_replace_is_refused(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "train.json").write_text(json.dumps(CONFIG))
    words = ["--train#trainer#max_epochs", "3", "--train#trainer", '{"max_epochs": 5}']
    message = "--train#trainer#max_epochs is part of --train#trainer, which is replaced"
    with pytest.raises(ValueError, match=message):
        read_overrides(tmp_path, "train", words)
    last = read_overrides(tmp_path, "train", [*words[2:], *words[:2]])
    assert last["train#trainer#max_epochs"] == 3


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("bundel", r"did you mean the option --bundle\?"),
        ("bundle_rot", r"did you mean the key --bundle_root\?"),
        ("lsit", r"did you mean the option --list\?"),
        ("train#bundel", "leave it out; --list shows the keys"),  # a component has no options
    ],
)
def test_a_misspelt_option_of_the_verb_is_told_as_one(tmp_path, key, nearest):
    options = ["--bundle", "--list"]
    with pytest.raises(ValueError, match=f"{nearest}$"):
        check_key(key, CONFIG, config_file=tmp_path / "train.json", options=options)


@pytest.mark.parametrize("words", [["--lsit"], ["--fold", "1", "--lsit"], ["--lsit", "--fold=1"]])
def test_a_misspelt_option_without_a_value_is_not_asked_for_one(tmp_path, words):
    (tmp_path / "train.json").write_text(json.dumps({**CONFIG, "fold": 0}))
    with pytest.raises(ValueError, match=r"did you mean the option --list\?$"):
        read_overrides(tmp_path, "train", words, options=["--list"])
    with pytest.raises(ValueError, match="override --fold has no value: write --fold value"):
        read_overrides(tmp_path, "train", ["--fold"], options=["--list"])


def test_the_root_of_the_bundle_is_one_of_the_overrides(tmp_path):
    (tmp_path / "train.json").write_text(json.dumps(CONFIG))
    made = read_overrides(tmp_path, "train", ["--max_epochs", "2"])
    assert made == {"max_epochs": 2, "bundle_root": str(tmp_path)}


@pytest.mark.parametrize(("text", "told"), [("{", "is not JSON"), ("[1]", "holds no keys")])
def test_a_config_that_is_no_json_object_is_refused(tmp_path, text, told):
    (tmp_path / "train.json").write_text(text)
    with pytest.raises(ValueError, match=rf"train\.json {told}.*: run `medseg bundles build`$"):
        read_overrides(tmp_path, "train", [])


@pytest.mark.parametrize("key", ["fast", "force"])
@pytest.mark.parametrize("arguments", [["--{}"], ["--{}", "True"], ["--{}=true"]])
def test_a_switch_is_true_when_it_stands_alone(key, arguments):
    words = [word.format(key) for word in arguments]
    assert parse_overrides([*words, "--level", "3"]) == {key: True, "level": 3}
    assert parse_overrides(["--level", "3", *words]) == {key: True, "level": 3}


def test_other_keys_need_a_value_still():
    with pytest.raises(ValueError, match="override --level has no value"):
        parse_overrides(["--force", "--level"])
