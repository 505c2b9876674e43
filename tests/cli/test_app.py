"""Tests of medseg.cli.app: the verbs, their help, their exit status and what they refuse."""

import json
import re
import shlex
from importlib.metadata import version

import pytest
import typer
from cli.commands import run_medseg, run_python
from monai.bundle import ConfigParser

from medseg.bundles import overrides as command_line
from medseg.bundles.catalogue.locate import locate
from medseg.cli import app, doctor
from medseg.datasets import phantom
from medseg.datasets.prepare import MODULES

WORKFLOW_OF = {
    **{"train": "train", "evaluate": "evaluate", "segment": "inference"},
    "export": "inference",
}
HEAVY = ("torch", "monai", "numpy", "ignite", "nibabel", "pydicom", "SimpleITK", "scipy")


def _commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


VERBS = dict(_commands(typer.main.get_command(app.app)))


def _examples(command):
    text = re.sub(r"\[/?cyan\]|\[/\]", "", command.help)
    return [line[line.index("medseg ") :] for line in text.splitlines() if ": medseg " in line]


def test_the_verbs_are_those_of_the_reference():
    assert {" ".join(path) for path in VERBS} == {
        *("phantom", "prepare", "train", "evaluate", "segment", "prune", "export", "doctor"),
        *("inspect", "download", "report", "new", "crossval"),
        *("bundles list", "bundles build", "bundles check", "bundles publish"),
        *("bundles info", "bundles copy", "bundles import-nnunet"),
        *("gateway run", "gateway status", "gateway retry", "gateway check"),
    }


def test_the_help_names_every_phantom_and_every_dataset():
    helps = {
        verb: " ".join(run_medseg(verb, "--help").output.split()) for verb in ("phantom", "prepare")
    }
    assert all(re.search(rf"\b{kind}\b", helps["phantom"]) for kind in phantom.KINDS)
    assert all(re.search(rf"\b{name}\b", helps["prepare"]) for name in MODULES)


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_the_help_of_every_verb_shows_its_example(path, flag):
    shown = run_medseg(*path, flag)
    assert shown.exit_code == 0
    assert f"Example: medseg {' '.join(path)}" in " ".join(shown.output.split())


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_the_examples_of_every_verb_are_accepted(path, here):
    """Options and arguments parse, the bundle exists, and every override names one of its keys."""
    examples = _examples(VERBS[path])
    assert examples
    for example in examples:
        words = shlex.split(example)
        assert tuple(words[1 : 1 + len(path)]) == path
        context = VERBS[path].make_context(path[-1], words[1 + len(path) :])
        if path[-1] in WORKFLOW_OF:
            root = locate(context.params["bundle"])
            config_file = root / "configs" / f"{WORKFLOW_OF[path[-1]]}.json"
            config = ConfigParser.load_config_file(str(config_file))
            for key in command_line.parse_overrides(context.args):
                command_line.check_key(key, config, config_file=config_file)


@pytest.mark.parametrize("verb", WORKFLOW_OF)
def test_the_help_says_that_any_key_can_be_overridden(verb):
    shown = " ".join(run_medseg(verb, "-h").output.split())
    assert f"medseg {verb} [OPTIONS] [--KEY VALUE]..." in shown
    assert f"overrides any key of {'its' if verb == 'train' else 'the bundle'}" in shown


def test_no_verb_shows_the_help():
    assert "Usage: medseg" in " ".join(run_medseg().output.split())


def test_the_help_groups_the_verbs_by_what_a_person_wants():
    shown = run_medseg("--help").output
    places = [shown.index(f" {name} ─") for name in ("Options", "Data", "Train", "Use", "Look")]
    assert places == sorted(places)
    grouped = [verb.__name__ for verbs in app._VERBS.values() for verb in verbs]
    verbs = [path[0] for path in VERBS if path[0] not in ("bundles", "gateway")]
    assert sorted(grouped) == sorted(verbs)


def test_the_version_is_that_of_the_package():
    ended = run_medseg("--version")
    assert (ended.exit_code, ended.output) == (0, f"medseg {version('medseg')}\n")


@pytest.mark.parametrize("arguments", ["--help", "--version", "train -h", "bundles check -h"])
def test_help_imports_nothing_heavy(arguments):
    code = f"""
import sys
from medseg import cli
try:
    sys.argv = ["medseg", *{arguments.split()}]
    cli.main()
except SystemExit as end:
    assert end.code == 0, end.code
print("heavy:", [name for name in {HEAVY} if name in sys.modules])
"""
    assert run_python(code).stdout.splitlines()[-1] == "heavy: []"


def test_importing_medseg_imports_nothing_heavy():
    heavy = (*HEAVY, "typer", "rich")
    code = f"import sys, medseg; print([name for name in {heavy} if name in sys.modules])"
    assert run_python(code).stdout.strip() == "[]"


REFUSED_AT_ONCE = [
    ("segment missing.nii.gz -o masks", "error: no such file or folder: "),
    (
        "segment docs/preview_hippocampus.png -o masks -b bundles/liverr",
        "error: there is no folder .*: did you mean liver",
    ),
    (
        "segment docs/preview_hippocampus.png -o masks --levle 3",
        "error: override --levle is not a key",
    ),
    (
        "segment docs/preview_hippocampus.png -o README.md",
        r"error: README.md cannot be written to \(it is no",
    ),
    ("segment docs -o docs", "error: docs is the folder of the inputs: write to another"),
    ("segment docs/preview_hippocampus.png", "error: missing option"),
    ("train --output_dir README.md/run", r"error: README.md/run cannot be written to \("),
    ("evaluate --output_dir README.md", "error: README.md cannot be written to"),
    ("prune --max_epoch 2", "error: override --max_epoch is not a key"),
    ("prune -o README.md/small", "error: README.md/small cannot be written to"),
    ("prune --report README.md/small", "error: README.md/small cannot be written to"),
    ("export README.md/network.ts", "error: README.md cannot be written to"),
    ("export network.ts -b nowhere", "error: no bundle 'nowhere': name one of "),
    ("prepare nuclei -s docs -o README.md/x", "error: README.md/x cannot be written to"),
    ("phantom ct -o README.md/x", "error: README.md/x cannot be written to"),
    (
        "download hippocampus --accept-licence -o README.md/x",
        "error: README.md/x cannot be wri",
    ),
]


@pytest.fixture(scope="module")
def refused_at_once():
    """Words -> status, standard error and heavy imports, all in one process without any of them."""
    code = f"""
import io, json, sys
from contextlib import redirect_stderr
from medseg import cli

for words in {[words for words, _ in REFUSED_AT_ONCE]}:
    sys.argv[1:] = words.split()
    with redirect_stderr(io.StringIO()) as said:
        try:
            cli.main()
        except SystemExit as end:
            status = end.code
    heavy = [name for name in ("torch", "monai", "ignite") if name in sys.modules]
    print("ended", json.dumps([words, status, said.getvalue(), heavy]))
"""
    lines = run_python(code).stdout.splitlines()
    ended = (json.loads(line.removeprefix("ended ")) for line in lines if line.startswith("ended "))
    return {words: rest for words, *rest in ended}


@pytest.mark.parametrize(("words", "told"), REFUSED_AT_ONCE)
def test_what_is_refused_at_once_is_one_line_and_imports_neither_torch_nor_monai(
    refused_at_once, words, told
):
    status, said, heavy = refused_at_once[words]
    assert re.fullmatch(f"{told}.*\n", said)
    assert (status, heavy) == (2, [])


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_every_verb_can_print_one_json_document(path):
    assert any("--json" in param.opts for param in VERBS[path].params)


@pytest.mark.parametrize(("ok", "status"), [(True, app.DONE), (False, app.SOME_FAILED)])
def test_doctor_fails_where_something_required_is_bad(monkeypatch, ok, status):
    found = [doctor.Finding(True, "python", "3.11"), doctor.Finding(ok, "torch", "2.13")]
    monkeypatch.setattr(doctor, "check_machine", lambda: iter(found))
    ended = run_medseg("doctor")
    assert ended.exit_code == status
    assert [line.split() for line in ended.output.splitlines()] == [
        ["ok", "python", "3.11"],
        ["ok" if ok else "bad", "torch", "2.13"],
    ]
    ended = run_medseg("doctor", "--json")
    assert ended.exit_code == status
    document = json.loads(ended.output)
    assert document["ok"] is ok
    expected = {"ok": ok, "topic": "torch", "text": "2.13", "is_missing": False}
    assert document["findings"][1] == expected


def test_an_interrupt_while_the_verbs_are_imported_is_one_line():
    code = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Press:
    def find_spec(self, name, *rest):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Press())
import medseg.cli
"""
    ended = run_python(code)
    assert ended.returncode == 130
    assert ended.stderr == "\ninterrupted before anything was begun: run it again\n"


@pytest.mark.parametrize(
    ("verb", "default"),
    [
        ("prune", "[default: <bundle>_pruned]"),
        ("crossval", "[default: runs/<name>/crossval]"),
        ("bundles list", "[default: bundles/ here, and those that came with medseg]"),
    ],
)
def test_the_help_shows_a_default_that_is_made_when_the_command_runs(verb, default):
    shown = " ".join(run_medseg(*verb.split(), "--help").output.replace("│", " ").split())
    assert default in shown
