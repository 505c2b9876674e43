"""Misplaced word: what was meant by a word of a command line that is neither a key nor a value."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medseg.base.choices.safeguards import find_near_key
from medseg.base.text import find_near_word
from medseg.bundles.catalogue.locate import is_bundle, list_folders


def explain_misplaced_word(word: str, following: Sequence[str], config: Mapping[str, Any]) -> str:
    """What to write instead of a word that stands where a key is due.

    Args:
        word: the word.
        following: the words after it.
        config: the keys that can be set; empty where they are not known.

    Returns:
        A remedy: the key with its value, `-b` with the bundle, or `--dataset_dir` with the folder
        that was probably meant; else how overrides are written.

    Example:
        >>> explain_misplaced_word("max_epochs", ["3"], {"max_epochs": 20})
        'did you mean --max_epochs 3?'
    """
    if word.startswith("-"):
        return "write a key with two dashes, --key value"
    if config and word not in config:
        bundles = list_folders()
        if word in bundles or is_bundle(Path(word)):
            return f"did you mean -b {shlex.quote(word)}?"
        if Path(word).exists() and "input" not in config and "dataset_dir" in config:
            return f"did you mean --dataset_dir {shlex.quote(word)}?"
        if near := find_near_word(word, bundles):
            return f"did you mean -b {shlex.quote(near)}?"
    if key := word if word in config else find_near_key(word, config):
        value = (
            f" {shlex.quote(following[0])}" if following and following[0][:2] != "--" else " value"
        )
        return f"did you mean --{key}{value}?"
    cases = " give several cases as one folder," if "input" in config else ""
    return f"write --key value,{cases} or quote a name with spaces"
