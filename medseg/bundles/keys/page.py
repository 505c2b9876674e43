"""Page: the reference of all keys, in Markdown, made from the configs of the bundles."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from medseg.base.files import whole
from medseg.bundles.bundle import find_config
from medseg.bundles.keys.describe import Key, list_keys, read_meanings
from medseg.bundles.layers.merge import CONFIG_NAMES
from medseg.bundles.overrides import read_config

VERBS = {"train": "train", "evaluate": "evaluate", "inference": "segment"}
"""Workflow of a bundle -> the verb that runs it."""

_SEVERAL = "training on several devices"
_MANY = 6  # with more different defaults of a key, the page does not list them

_HEAD = """# Keys

Each key below can be set on the command line, such as `--fold 1`, and in a config.

- "Read by" names the verbs that take the key; `medseg prune` takes the keys of `evaluate`, and
  `medseg export` those of `segment`. Where not all bundles have the key, it names those that do.
- "Default" is the value in the built configs. Where bundles differ, the most frequent value comes
  first, and the others with their bundles. A name in a formula, such as `name` in
  `'cache/' + name`, is another key.

`medseg train -b liver --list` prints the keys of one bundle with its own defaults; so do
`medseg evaluate`, `medseg segment`, `medseg prune` and `medseg export`, and `--json` makes it one
JSON document.
[Override a config](../how-to/override-a-config.md) explains how to write a value. This page is
built by `scripts/build_bundles.py` from the configs and from `medseg/bundles/keys/meanings.json`.
To change a meaning, edit that file.
"""

Found = dict[str, dict[tuple[str, str], Key]]
"""Key -> workflow and bundle -> what is known of it there."""


def build_page(bundles_dir: str | Path, page: Path, *, check: bool = False) -> bool:
    """Write the page, or only find out whether it is up to date.

    Args:
        bundles_dir: folder of the bundles, whose configs are built.
        page: the file.
        check: write nothing.

    Returns:
        Whether the page was out of date.
    """
    text = make_page(bundles_dir)
    if page.is_file() and page.read_text(encoding="utf-8") == text:
        return False
    if not check:
        with whole(page) as partial:
            partial.write_text(text, encoding="utf-8")
    return True


def make_page(bundles_dir: str | Path) -> str:
    """The text of the page.

    Raises:
        FileNotFoundError: a bundle lacks a config.
    """
    names = sorted(path.parents[1].name for path in Path(bundles_dir).glob("*/configs/train.json"))
    found: Found = defaultdict(dict)
    for name in names:
        for workflow in CONFIG_NAMES:
            config = read_config(find_config(Path(bundles_dir) / name, workflow))
            for key in list_keys(config):
                found[key.key][workflow, name] = key
    return "\n".join([_HEAD, *_make_sections(found, names)])


def _make_sections(found: Found, names: list[str]) -> Iterator[str]:
    for heading, entries in read_meanings().items():
        yield f"## {heading}\n"
        yield "| key | meaning | type | unit | default | read by |\n|---|---|---|---|---|---|"
        yield from (_make_row(key, found[key], names) for key in entries if key in found)
        yield ""


def _make_row(key: str, places: Mapping[tuple[str, str], Key], names: list[str]) -> str:
    one = next(iter(places.values()))
    cells = (f"`{key}`", one.meaning, one.type, one.unit, _name_defaults(places),
             _name_readers(places, names))  # fmt: skip
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _name_readers(places: Mapping[tuple[str, str], Key], names: list[str]) -> str:
    """The verbs that read a key, and the bundles that have it if not all do."""
    workflows = {workflow for workflow, _ in places}
    verbs = [verb for workflow, verb in VERBS.items() if workflow in workflows] or [_SEVERAL]
    having = {name for _, name in places}
    text = ", ".join(verbs)
    return text if having == set(names) else f"{text}; {', '.join(sorted(having))}"


def _name_defaults(places: Mapping[tuple[str, str], Key]) -> str:
    """The defaults of a key, listed for each verb where verbs differ."""
    by_verb: dict[str, list[str]] = defaultdict(list)
    for workflow in dict.fromkeys(workflow for workflow, _ in places):
        verb = VERBS.get(workflow, _SEVERAL)
        if verb != _SEVERAL or "train" not in {workflow for workflow, _ in places}:
            mine = {name: key for (of, name), key in places.items() if of == workflow}
            by_verb[_name_values(mine)].append(verb)
    if len(by_verb) == 1:
        return next(iter(by_verb))
    return "; ".join(f"{', '.join(verbs)}: {values}" for values, verbs in by_verb.items())


def _name_values(keys: Mapping[str, Key]) -> str:
    """The defaults of one verb: the most frequent, then the others with their bundles."""
    bundles: dict[str, list[str]] = defaultdict(list)
    for name, key in keys.items():
        bundles[key.default].append(name)
    if len(bundles) > _MANY:
        return "differs by bundle"
    first, *others = sorted(bundles, key=lambda value: -len(bundles[value]))
    if others and len(bundles[first]) == 1:
        return "; ".join(f"{_mark(value)} ({bundles[value][0]})" for value in (first, *others))
    rest = (f"{_mark(value)} ({', '.join(bundles[value])})" for value in others)
    return "; ".join([_mark(first), *rest])


def _mark(value: str) -> str:
    """A value as code; words of `meanings.json` as they are."""
    words = (entry.get("default") for part in read_meanings().values() for entry in part.values())
    return value if value in words else f"`{value}`"
