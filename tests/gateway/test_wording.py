"""Tests of medseg.gateway.wording: messages of a bundle in the words of gateway.toml."""

import pytest

from medseg.gateway.wording import name_settings, naming_settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pass --resample True to interpolate", "pass resample = true in [keys] to interpolate"),
        ("pass --affine sform or --affine qform", None),
        (
            "override --forse is not a key: did you mean the key --force?",
            "[keys] forse is not a key: did you mean the key force?",
        ),
        ("name a run with -b", "name a run by the key bundle of gateway.toml"),
        (
            "train it first: medseg train -b liver --seed 3",
            "train it first: medseg train -b liver --seed 3",
        ),
        ("override --level is 9: choose", "[keys] level is 9: choose"),
    ],
)
def test_options_are_keys_and_commands_stay(text, said):
    expected = said or 'pass affine = "sform" in [keys] or affine = "qform" in [keys]'
    assert name_settings(text) == expected


@pytest.mark.parametrize("kind", [FileNotFoundError, ValueError])
def test_an_error_keeps_its_kind(kind):
    with pytest.raises(kind, match=r"by the key bundle of gateway\.toml"), naming_settings():
        raise kind("no bundle: name one with -b")
