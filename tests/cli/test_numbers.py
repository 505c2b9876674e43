"""Tests of medseg.cli.numbers: a number of a command line is in plain decimal digits."""

import pytest
import typer
from typer.testing import CliRunner

from medseg.bundles.overrides import read_overrides
from medseg.cli import app
from medseg.cli.numbers import parse_number, parse_whole_number
from medseg.cli.usage import BAD_ARGUMENTS

ODD = ["0x10", "1_0", "\uff11\uff10", "\u0661\u0660", "0b11", "0o7", "1e1", "ten", "1.5", "", "inf"]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize(
    "verb", ["phantom ct -o x --cases", "phantom ct -o x --seed", "inspect . --volume"]
)
def test_an_option_that_is_a_whole_number_takes_decimal_digits_alone(
    verb, text, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app.app, [*verb.split(), text])
    assert ended.exit_code == BAD_ARGUMENTS
    assert f"{text!r} is not a whole number in decimal digits, such as 10" in ended.stderr
    assert verb.split()[-1] in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_decimal_digits_are_numbers():
    assert [parse_whole_number(text) for text in ("10", "+5", "-1", "007", 3)] == [10, 5, -1, 7, 3]
    assert [parse_number(text) for text in ("0.5", ".5", "1e3", "-2.", 0.6)] == [
        0.5,
        0.5,
        1000,
        -2,
        0.6,
    ]


@pytest.mark.parametrize("text", ["0x10", "1_0.5", "\uff11.5", "nan", "inf", "half", ""])
def test_an_option_that_is_a_number_takes_decimal_digits_alone(text):
    with pytest.raises(typer.BadParameter, match="is not a number in decimal digits"):
        parse_number(text)


@pytest.mark.parametrize("text", ["0x10", "1_0", "\uff11\uff10", "0b11", "0o7", "+1_0"])
def test_an_override_of_a_number_takes_decimal_digits_alone(text, repository):
    with pytest.raises(ValueError, match=r"^max_epochs is '.*a whole number .* decimal digits$"):
        read_overrides(repository / "bundles/liver", "train", ["--max_epochs", text])


@pytest.mark.parametrize("text", ["[0x10, 64]", "[64, 1_0]", "[0b1,2]", "{'a': 1_0}"])
def test_so_does_one_in_a_list(text, repository):
    with pytest.raises(ValueError, match="which is not a plain decimal number: write one"):
        read_overrides(repository / "bundles/liver", "train", ["--image_size", text])


@pytest.mark.parametrize("text", ["1_0", "0x10"])
def test_a_name_that_looks_like_such_a_number_stays_a_name(text, repository):
    made = read_overrides(repository / "bundles/liver", "train", ["--name", text])
    assert made["name"] == text
