"""The documentation says what the code does: codes, commands, keys, links, classes and numbers."""

import ast
import doctest
import json
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import typer.main

from medseg.bundles.layers.merge import CONFIG_NAMES
from medseg.bundles.overrides import PASSED_ON, check_key
from medseg.bundles.tracking import choose_tracking_keys
from medseg.cli import workflow_verbs
from medseg.cli.app import app
from medseg.datasets import lidc
from medseg.inference.preview import field, picture, volume
from medseg.ingest import reasons
from medseg.networks import NestedUNet

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [
        *(REPOSITORY / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "AGENTS")),
        *(page for folder in ("docs", "bundles") for page in (REPOSITORY / folder).rglob("*.md")),
    ]
)
MISSPELT = {"max_epoch"}
"""Keys that the pages misspell to show the refusal."""

OF_OTHER_TOOLS = {
    *("name", "bundle_dir", "inferer#sw_batch_size", "inferer#roi_size"),  # model zoo
    "displayable_configs#highres",
    *(
        "config_file",
        "standalone",
        "nproc_per_node",
        "no-python",
    ),  # python -m monai.bundle, torchrun
    *("logdir", "backend-store-uri", "raw", "filepath"),  # tensorboard, mlflow, gdcmconv, MONAI
    *("check", "out", "epochs", "data-binary"),  # scripts, curl
}

FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.M | re.S)

USE_WEIGHTS = ("evaluate", "segment", "prune", "export")
"""Verbs of a bundle that need its weights."""

OF_LIDC = {"annotations", *(field.name for field in fields(lidc.Settings))}
"""Options of `medseg prepare lung_nodule`."""

OF_CHANNELS = {"resample_channels", "allow_missing_channel", "channel_series"}
"""Keys of bundles for several channels, of which none comes with medseg."""

on_every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY))
)


@on_every_page
def test_every_relative_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    relative = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in relative if not (page.parent / link).exists()] == []


def test_every_page_is_reached_from_the_index():
    index = REPOSITORY / "docs" / "index.md"
    links = re.findall(r"\]\(([^)#\s]+)", index.read_text())
    reached = {(index.parent / link).resolve() for link in links}
    pages = {page.resolve() for page in (REPOSITORY / "docs").rglob("*.md")} - {index.resolve()}
    assert pages - reached == set()


@on_every_page
def test_every_medseg_verb_exists(page):
    verbs = typer.main.get_command(app).commands
    for code in code_of(page):
        for line in code.splitlines():
            match = re.match(r"\s*(?:\$ )?medseg ([a-z]\w*)(?: ([a-z][\w-]*))?", line)
            if match:
                assert match[1] in verbs, line
                group = getattr(verbs[match[1]], "commands", None)
                assert group is None or match[2] is None or match[2] in group, line


def list_keys_of_nnunet():
    """The keys that the bundle of a model of nnU-Net has beside those of others."""
    layer = json.loads((REPOSITORY / "bundles" / "layers" / "nnunet.json").read_text())
    return {key for key in layer if key.isidentifier()}


@on_every_page
def test_every_override_is_a_key_of_its_bundle_or_an_option(page):
    allowed = {
        *options(),
        *OF_LIDC,
        *OF_CHANNELS,
        *list_keys_of_nnunet(),
        *PASSED_ON,
        *OF_OTHER_TOOLS,
        *MISSPELT,
    }
    parts = page.relative_to(REPOSITORY).parts
    bundle = parts[1] if parts[0] == "bundles" and parts[2:3] == ("docs",) else "liver"
    configs = [read_config(workflow, bundle) for workflow in CONFIG_NAMES]
    configs.append(choose_tracking_keys("mlflow", read_config("train")))
    for code in code_of(page):
        for line in code.replace("\\\n", " ").splitlines():
            if line.startswith("python scripts/"):
                continue  # with options of its own
            for key in re.findall(r"(?<![\w-])--([A-Za-z_][\w#:-]*)", line):
                name = key.replace("::", "#")
                words = name.replace("-", "_")  # as overrides may be typed
                assert name in allowed or any(is_key(words, config) for config in configs), key


def test_the_table_of_refusals_has_every_code_with_its_verdict_meaning_and_remedy():
    page = (REPOSITORY / "docs/how-to/read-a-refusal.md").read_text()
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| (accept|repair|refuse) \| \S.* \| (.*) \|$", page, re.M
    )
    documented = [(code, remedy.replace("\\|", "|")) for code, _, remedy in rows]
    assert documented == [(reason.value, reasons.REMEDIES[reason]) for reason in reasons.Reason]


def test_the_stage_table_names_every_class_of_the_liver_configs():
    table = (REPOSITORY / "docs/index.md").read_text()
    for workflow in CONFIG_NAMES:
        targets = re.findall(r'"_target_": "([\w.]+)"', json.dumps(read_config(workflow)))
        around = {
            "CaseMetrics",
            "MeanCaseDice",
            "RecordRun",
            "VolumeReader",
            "SameGridd",
        }  # with their module
        for name in {target.rpartition(".")[2] for target in targets} - around:
            assert f"`{name}`" in table, name
        assert all(name in table for name in around)


def test_every_name_of_medseg_in_the_stage_table_exists():
    table = (REPOSITORY / "docs/index.md").read_text().split("## The stages")[1]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ")][2:]
    named = [
        (row[1].strip().split()[0].strip(":"), re.findall(r"`([\w.]+)`", row[2])) for row in rows
    ]
    for stage, names in named:
        for name in names:
            full = name if name.startswith("medseg.") else f"medseg.{stage}.{name}"
            assert pkgutil.resolve_name(full), full
    assert sum(len(names) for _, names in named) > 50


def test_the_stage_table_names_keys_of_the_liver_configs_only():
    table = (REPOSITORY / "docs/index.md").read_text().split("## The stages")[1]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ")][2:]
    keys = {key for row in rows for key in re.findall(r"`(\w+)`", row[4])}
    assert keys <= set().union(*(read_config(workflow) for workflow in CONFIG_NAMES))
    assert len(keys) > 40


def test_the_numbers_of_parameters_are_those_of_the_liver_network():
    page = (REPOSITORY / "docs/explanation/topology.md").read_text()
    network = NestedUNet(2, 1, 1, norm="batch", deep_supervision=True)
    rows = {"four heads": network} | {f"`prune({n})`": network.prune(n) for n in (1, 2, 3, 4)}
    for name, counted in rows.items():
        parameters = sum(p.numel() for p in counted.parameters())
        row = f"| {name} | {len(counted.nodes)} | {parameters:,} | {counted.total_stride[0]} |"
        assert row in page
    chosen = read_config("train")
    assert (chosen["channels"], chosen["norm"]) == ([32, 64, 128, 256, 512], "batch")


def test_the_sizes_of_previews_are_those_of_the_code():
    page = " ".join((REPOSITORY / "docs/reference/conventions.md").read_text().split())
    assert f"fit into {volume.PLANE_WIDTH} x {volume.PLANE_HEIGHT} pixels" in page
    assert f"narrower than {volume.THIN_PLANE} pixels" in page
    assert f"more than {volume.LONG_STACK} slices" in page
    assert f"up to {volume.SHEET_SLICES} slices" in page
    assert f"{field.LEAST_FIELD_MM:g} mm" in page
    assert f"fit into {picture.PICTURE_WIDTH} x {picture.PICTURE_HEIGHT} pixels" in page


@on_every_page
def test_an_example_uses_a_bundle_with_weights_or_stands_behind_a_training(page):
    """Three bundles have weights; a first training puts a copy into the bundle that had none."""
    used = []
    for line in "\n".join(FENCE.findall(page.read_text())).replace("\\\n", " ").splitlines():
        if re.search(r"medseg train|monai\.bundle run|make demo", line):
            return
        words = line.split()
        if words[:1] == ["medseg"] and "--plan" not in words and "--weights" not in words:
            used += [words] if words[1:2] and words[1] in USE_WEIGHTS else []
    assert [words for words in used if not has_weights(words)] == []


def test_an_example_of_the_help_uses_a_bundle_with_weights():
    for verb in USE_WEIGHTS:
        [example] = re.findall(r"Example: \[cyan\](medseg .*)\[/\]", app_help(verb))
        assert example.split()[1] == verb
        assert has_weights(example.split()), example


def app_help(verb: str) -> str:
    return getattr(workflow_verbs, verb).__doc__


def has_weights(words: list[str]) -> bool:
    """Whether the bundle of a command, `liver` by default, comes with weights, or is a run."""
    bundle = words[words.index("-b") + 1] if "-b" in words else "liver"
    known = REPOSITORY / "bundles" / Path(bundle).name
    return not known.is_dir() or (known / "models").is_dir()


def code_of(page: Path) -> Iterator[str]:
    """Fenced blocks, then what stands between backticks in the text, with lines joined at \\."""
    text = page.read_text()
    yield from (block.replace("\\\n", " ") for block in FENCE.findall(text))
    yield from re.findall(r"`([^`]+)`", FENCE.sub("", text))


def read_config(workflow: str, bundle: str = "liver") -> dict:
    return json.loads((REPOSITORY / f"bundles/{bundle}/configs/{workflow}.json").read_text())


def options() -> set[str]:
    """Long options of the command and of every verb, without the dashes."""
    group = typer.main.get_command(app)
    verbs = group.commands
    groups = [verb for verb in verbs.values() if hasattr(verb, "commands")]
    below = [command for each in groups for command in each.commands.values()]
    commands = [group, *verbs.values(), *below]
    given = [p for command in commands for p in command.params]
    named = [option for p in given for option in (*p.opts, *p.secondary_opts)]
    return {option[2:] for option in named if option.startswith("--")} | {"help"}


def is_key(name: str, config: dict) -> bool:
    try:
        check_key(name, config, config_file=Path("train.json"))
    except ValueError:
        return False
    return True


def test_every_example_of_a_docstring_is_python():
    parser = doctest.DocTestParser()
    for path in sorted((REPOSITORY / "medseg").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                for example in parser.get_examples(ast.get_docstring(node) or ""):
                    compile(example.source, str(path), "exec")  # raises a SyntaxError
