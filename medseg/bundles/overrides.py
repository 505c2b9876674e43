"""Overrides: the `--key value` of a command line, checked against the config that they change.

MONAI silently accepts an override that is not a key, and reads `false` as a string, which counts as
true; here the first is refused and the second is false. Nothing heavy is imported, so that a
misspelt key is refused at once.
"""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medseg.base.choices import check_choices
from medseg.base.choices.safeguards import find_near_key
from medseg.base.path_keys import escape_for_monai_if_needed, is_path_key, is_text_key, read_text
from medseg.bundles.bundle import explain_damage, find_configs
from medseg.bundles.keys.misplaced_word import explain_misplaced_word
from medseg.bundles.layers.merge import CONFIG_NAMES, merge_configs
from medseg.bundles.layers.references import CHOICES, find_missing
from medseg.bundles.override_values import convert_value, has_rule, parse_value
from medseg.bundles.tracking import choose_tracking_keys
from medseg.bundles.zoo.complete import complete, is_of_other_origin

PASSED_ON = ("tracking", "meta_file", "logging_file", "init_id", "final_id")
"""Arguments of `monai.bundle run` itself, which are no keys of a config."""


FLAGS = ("fast", "force")
"""Keys that mean True when they stand alone."""

_LIST_KEYS = "--list"


def read_overrides(
    bundle: Path, workflow: str, arguments: Sequence[str], *, options: Sequence[str] = ()
) -> dict[str, Any]:
    """The overrides of a command line, `bundle_root` among them; see
    `medseg.bundles.run.run_bundle`.

    Paths are as typed; `write_for_monai` gives the form in which MONAI takes them.

    Args:
        bundle: folder of the bundle.
        workflow: its workflow, see `medseg.bundles.bundle.find_configs`.
        arguments: words such as `--fold 1`, see `parse_overrides`.
        options: the verb's own options, with their dashes; one that is misspelt arrives among the
            arguments, and is named in the error.

    Raises:
        ValueError: see `parse_overrides` and `check_overrides`.
    """
    config_file = find_configs(bundle, workflow)[0]
    config = read_workflow(bundle, workflow)
    words = _split_words(arguments, config)
    known = config
    if tracking := dict(words).get("tracking"):
        known = {**choose_tracking_keys(read_text("tracking", tracking), config), **config}
    for name, text in words:
        if text is None and name not in (*FLAGS, *PASSED_ON):  # a misspelt option needs no value
            check_key(name, known, config_file=config_file, options=options)
    overrides = parse_overrides(arguments)
    own = {key: value for key, value in overrides.items() if key not in PASSED_ON}
    overrides |= check_overrides(own, known, config_file=config_file, options=options)
    overrides.setdefault("bundle_root", str(bundle))
    return overrides


def check_overrides(
    overrides: Mapping[str, Any],
    config: Mapping[str, Any],
    *,
    config_file: Path,
    options: Sequence[str] = (),
) -> dict[str, Any]:
    """Refuse overrides that name no key, or with which nothing could run.

    Args:
        overrides: key, levels joined by `#` -> value.
        config: what they change.
        config_file: its file, for messages.
        options: see `read_overrides`.

    Returns:
        The overrides; see `medseg.bundles.override_values.convert_value`.

    Raises:
        ValueError: a key that does not exist, a value of another kind, what `medseg.base.choices`
            refuses, or a reference to a key that does not exist.
    """
    checked = dict(overrides)
    for key, value in overrides.items():
        check_key(key, config, config_file=config_file, options=options)
        if not (is_text_key(key) or has_rule(key, config)):
            checked[key] = convert_value(key, value, config)
    applied = _apply(config, checked)
    if CHOICES in config:
        _check_references(applied, config_file)
    check_choices({key: value for key, value in applied.items() if has_rule(key, config)})
    return checked


def _check_references(config: Mapping[str, Any], config_file: Path) -> None:
    """Refuse a config of ours that refers to keys that are gone, or an override that does."""
    if missing := find_missing(config):
        raise ValueError(
            f"{config_file} has no {missing[0]}, to which other keys or an override refer: put it "
            "back, with `medseg bundles build` where the bundle is built, or correct the override"
        )


def _apply(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The config with the overrides applied, also those of nested keys."""
    applied = copy.deepcopy(dict(config))
    given = list(overrides)
    for index, (key, value) in enumerate(overrides.items()):
        if later := [name for name in given[index + 1 :] if key.startswith(f"{name}#")]:
            raise ValueError(_explain_replaced(key, later[0]))
        *above, last = key.split("#")
        level: Any = applied
        try:
            for part in above:
                level = level[int(part)] if isinstance(level, list) else level[part]
            level[int(last) if isinstance(level, list) else last] = value
        except (IndexError, KeyError, TypeError) as error:
            whole = next((name for name in overrides if key.startswith(f"{name}#")), above[0])
            raise ValueError(_explain_replaced(key, whole)) from error
    return applied


def _explain_replaced(key: str, whole: str) -> str:
    return (
        f"override --{key} is part of --{whole}, which is replaced as a whole: put the value into "
        f"--{whole}"
    )


def write_for_monai(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides in a form that MONAI reads as they are meant.

    Paths are made absolute, and so that MONAI evaluates nothing in them, see
    `medseg.base.path_keys`. None, which MONAI drops, becomes an expression. Arguments of
    `monai.bundle run` itself stay as they are, as MONAI evaluates none of them.

    Example:
        >>> write_for_monai({"output_dir": "/masks/a@b", "level": None})
        {'output_dir': "$'/masks/a\\\\x40b'", 'level': '$None'}
    """
    return {key: _write_for_monai(key, value) for key, value in overrides.items()}


def _write_for_monai(key: str, value: Any) -> Any:
    if key in PASSED_ON:
        return value
    if value is None:
        return "$None"
    if isinstance(value, str) and is_text_key(key):
        return escape_for_monai_if_needed(
            str(Path(value).absolute()) if is_path_key(key) else value
        )
    return value


def parse_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """Overrides of a command line as a dictionary.

    Args:
        arguments: `--key value` and `--key=value`; nested keys as `a#b` or `a::b`, and the words of
            a key joined by `_` or `-`. A value is read as JSON, as in a config file, else as a
            Python literal, else it is a string. That of a key which holds a path stays text, see
            `medseg.base.path_keys.read_text`.

    Raises:
        ValueError: a value without a key, a key without a value, a key given twice, or a value that
            cannot be read, see `medseg.bundles.override_values.parse_value`.

    Example:
        >>> parse_overrides(["--window_hu", "[-100, 240]", "--resume=false", "--norm", "batch"])
        {'window_hu': [-100, 240], 'resume': False, 'norm': 'batch'}
    """
    pairs: dict[str, Any] = {}
    for name, text in _split_words(arguments):
        if text is None and name not in FLAGS:
            raise ValueError(f"override --{name} has no value: write --{name} value")
        if name in pairs:
            raise ValueError(f"override --{name} is given twice: give it once")
        if text is None:
            pairs[name] = True
        else:
            pairs[name] = read_text(name, text) if is_text_key(name) else parse_value(name, text)
    return pairs


def _split_words(
    arguments: Sequence[str], config: Mapping[str, Any] | None = None
) -> list[tuple[str, str | None]]:
    """Names and values of a command line as text; None for a name that stands alone.

    The config, where it is known, tells what may be meant by a word that is neither.
    """
    pairs: list[tuple[str, str | None]] = []
    rest = list(arguments)
    while rest:
        key, joined, value = rest.pop(0).partition("=")
        if not key.startswith("--"):
            remedy = explain_misplaced_word(key, rest, config or {})
            raise ValueError(f"{key!r} is not an override: {remedy}")
        stands_alone = not joined and (not rest or rest[0].startswith("--"))
        text = None if stands_alone else value if joined else rest.pop(0)
        pairs.append((_read_name(key), text))
    return pairs


def _read_name(word: str) -> str:
    """The key that a word names, with its levels: no key has a hyphen, so one is an underscore."""
    first, *below = word.removeprefix("--").replace("::", "#").split("#")
    return "#".join([first.replace("-", "_"), *below])


def check_key(
    key: str, config: Mapping[str, Any], *, config_file: Path, options: Sequence[str] = ()
) -> None:
    """Refuse a key that is not in the config, and suggest one that is spelt nearly the same.

    Raises:
        ValueError: the key does not exist.
    """
    level: Any = config
    done: list[str] = []
    for part in key.split("#"):
        known = _list_keys(level)
        if part not in known:
            others = [
                path.name for path in _list_other_configs(config_file) if key in read_config(path)
            ]
            if others:
                raise ValueError(
                    f"override --{key} is a key of {', '.join(others)}, not of {config_file}: "
                    "leave it out"
                )
            raise ValueError(
                f"override --{key} is not a key of {config_file}: "
                + suggest_key(part, known, below=done, options=options)
            )
        level = level[int(part)] if isinstance(level, list) else level[part]
        done.append(part)


def suggest_key(
    part: str, known: Sequence[str], *, below: Sequence[str] = (), options: Sequence[str] = ()
) -> str:
    """The key or option that was probably meant; where none is near, how to find the keys.

    Args:
        part: what names no key.
        known: the keys of its level.
        below: the keys of the levels above.
        options: those of the verb, which are none of a level below the first.
    """
    near = find_near_key(part, known if below else [*known, *options])
    if near is None:
        shown = f"{_LIST_KEYS} shows the keys" if _LIST_KEYS in options else "see the keys there"
        return f"leave it out; {shown}"
    if near in known:
        return f"did you mean the key --{'#'.join([*below, near])}?"
    return f"did you mean the option {near}?"


def _list_other_configs(config_file: Path) -> list[Path]:
    files = (config_file.with_name(f"{workflow}.json") for workflow in CONFIG_NAMES)
    return [path for path in files if path != config_file and path.is_file()]


def read_workflow(bundle: Path, workflow: str) -> dict[str, Any]:
    """The config of a workflow of a bundle, see `medseg.bundles.bundle.find_configs`.

    The inference of a bundle of another origin is completed, see `medseg.bundles.zoo.complete`.

    Raises:
        FileNotFoundError: the bundle has no such config.
        ValueError: a file is no JSON object.
    """
    files = find_configs(bundle, workflow)
    config, *overlays = map(read_config, files)
    if overlays:
        return merge_configs(files)
    is_other = workflow == "inference" and is_of_other_origin(config)
    return complete(config, bundle) if is_other else config


def read_config(config_file: Path) -> dict[str, Any]:
    """A config of a bundle as it stands in its file.

    Raises:
        ValueError: the file is no JSON object.
    """
    try:
        config = json.loads(config_file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        remedy = "run `medseg bundles build`"
        raise ValueError(explain_damage(config_file, error, remedy=remedy)) from error
    if not isinstance(config, dict):
        raise ValueError(f"{config_file} holds no keys: run `medseg bundles build`")
    return config


def _list_keys(level: Any) -> list[str]:
    if isinstance(level, Mapping):
        return list(level)
    return [str(i) for i in range(len(level))] if isinstance(level, list) else []
