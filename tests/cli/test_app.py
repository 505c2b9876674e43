"""Tests of medseg.cli.app: the verbs, their help, their exit status and what they refuse."""

import json
import logging
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import typer
from monai.bundle import ConfigParser, scripts
from monai.data import Dataset
from PIL import Image
from typer.testing import CliRunner

from medseg.bundles import overrides as command_line
from medseg.bundles.build import WORKFLOWS, names
from medseg.cli import app, doctor
from medseg.cli.usage import BAD_ARGUMENTS
from medseg.datasets import phantom
from medseg.datasets.prepare import MODULES
from medseg.networks.export import FORMATS

PAGE = " (see docs/how-to/override-a-config.md)"
REPOSITORY = Path(__file__).resolve().parents[2]
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


@pytest.fixture
def here(monkeypatch):
    """The repository root, where the examples are meant to be run."""
    monkeypatch.chdir(REPOSITORY)


@pytest.fixture
def calls(monkeypatch):
    """What reaches `monai.bundle run`."""
    calls = []
    monkeypatch.setattr(scripts, "run", lambda **arguments: calls.append(arguments))
    return calls


def _medseg(*arguments):
    return CliRunner().invoke(app.app, arguments)


def _examples(command):
    text = re.sub(r"\[/?cyan\]|\[/\]", "", command.help)
    return [line[line.index("medseg ") :] for line in text.splitlines() if ": medseg " in line]


def _python(code, *, cwd=REPOSITORY):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def test_the_verbs_are_those_of_the_reference():
    assert {" ".join(path) for path in VERBS} == {
        *("phantom", "prepare", "train", "evaluate", "segment", "prune", "export", "doctor"),
        *("inspect", "download"),
        *("bundles list", "bundles build", "bundles check"),
    }


def test_the_help_names_every_phantom_and_every_dataset():
    helps = {
        verb: " ".join(_medseg(verb, "--help").output.split()) for verb in ("phantom", "prepare")
    }
    assert all(re.search(rf"\b{kind}\b", helps["phantom"]) for kind in phantom.KINDS)
    assert all(re.search(rf"\b{name}\b", helps["prepare"]) for name in MODULES)


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_the_help_of_every_verb_shows_its_example(path, flag):
    shown = _medseg(*path, flag)
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
            config_file = Path(context.params["bundle"]) / f"{WORKFLOW_OF[path[-1]]}.json"
            config = ConfigParser.load_config_file(str(config_file))
            for key in command_line.parse_overrides(context.args):
                command_line.check_key(key, config, config_file=config_file)


@pytest.mark.parametrize("verb", WORKFLOW_OF)
def test_the_help_says_that_any_key_can_be_overridden(verb):
    shown = " ".join(_medseg(verb, "-h").output.split())
    assert f"medseg {verb} [OPTIONS] [--KEY VALUE]..." in shown
    assert f"overrides any key of {'its' if verb == 'train' else 'the bundle'}" in shown


def test_no_verb_shows_the_help():
    assert "Usage: medseg" in " ".join(_medseg().output.split())


@pytest.mark.parametrize("arguments", [["--help"], ["train", "-h"], ["bundles", "check", "-h"]])
def test_help_imports_nothing_heavy(arguments):
    code = f"""
import sys
from medseg import cli
try:
    sys.argv = ["medseg", *{arguments}]
    cli.main()
except SystemExit as end:
    assert end.code == 0, end.code
print("heavy:", [name for name in {HEAVY} if name in sys.modules])
"""
    assert _python(code).stdout.splitlines()[-1] == "heavy: []"


def test_importing_medseg_imports_nothing_heavy():
    heavy = (*HEAVY, "typer", "rich")
    code = f"import sys, medseg; print([name for name in {heavy} if name in sys.modules])"
    assert _python(code).stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("segment missing.nii.gz -o masks", "error: no such file or folder: "),
        ("segment README.md -o masks -b bundles/liverr", "error: .* is not a bundle"),
        ("segment README.md -o masks --levle 3", "error: override --levle names no key"),
        (
            "segment README.md -o README.md",
            r"error: README.md cannot be written to \(it is no",
        ),
        ("segment docs -o docs", "error: docs is the folder of the inputs: write to another"),
        ("segment README.md", "medseg segment: missing option"),
        ("train --output_dir README.md/run", r"error: README.md/run cannot be written to \("),
        ("evaluate --output_dir README.md", "error: README.md cannot be written to"),
        ("prune --max_epoch 2", "error: override --max_epoch names no key"),
        ("prune -o README.md/small", "error: README.md/small cannot be written to"),
        ("prune --report README.md/small", "error: README.md/small cannot be written to"),
        ("export README.md/network.ts", "error: README.md cannot be written to"),
        ("export network.ts -b nowhere", "error: .*nowhere is not a bundle"),
        ("prepare nuclei -s docs -o README.md/x", "error: README.md/x cannot be written to"),
        ("phantom ct -o README.md/x", "error: README.md/x cannot be written to"),
        (
            "download hippocampus --accept-licence -o README.md/x",
            "error: README.md/x cannot be wri",
        ),
    ],
)
def test_what_is_refused_at_once_is_one_line_and_imports_neither_torch_nor_monai(words, told):
    code = f"""
import re, sys
sys.argv[1:] = {words.split()}
from medseg import cli
try:
    cli.main()
except SystemExit as end:
    print("status:", end.code)
print("heavy:", [name for name in ("torch", "monai", "ignite") if name in sys.modules])
"""
    ended = _python(code)
    assert re.fullmatch(f"{told}.*\n", ended.stderr)
    assert ended.stdout.splitlines()[-2:] == ["status: 2", "heavy: []"]


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["--seed", "3"], "seed", 3),
        (["--seed=3"], "seed", 3),
        (["--fold", "1"], "fold", 1),
        (["--intensity#a_min", "-5"], "intensity#a_min", -5),
        (["--intensity::a_min", "-1e-3"], "intensity#a_min", -1e-3),
        (["--window_hu", "[-100, 240]"], "window_hu", [-100, 240]),
        (["--resume", "false"], "resume", False),
        (["--classes", "{'liver': [1]}"], "classes", {"liver": [1]}),
        (["--output_dir", "runs/x"], "output_dir", str(REPOSITORY / "runs/x")),
    ],
)
def test_overrides_reach_monai_as_values(here, calls, words, key, value):
    ended = _medseg("train", *words)
    assert ended.exit_code == 0, ended.output
    assert calls[0][key] == value
    assert type(calls[0][key]) is type(value)


@pytest.mark.parametrize("place", [0, 2])
def test_the_bundle_may_stand_before_or_behind_the_overrides(here, calls, place):
    words = ["--seed", "3"]
    words[place:place] = ["-b", "bundles/liver_slices"]
    assert _medseg("train", *words).exit_code == 0
    assert calls[0]["config_file"] == "bundles/liver_slices/train.json"
    assert calls[0]["seed"] == 3


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_each_verb_runs_its_workflow(here, calls, verb):
    assert _medseg(verb).exit_code == 0
    assert calls[0]["config_file"] == f"bundles/liver/{verb}.json"
    assert calls[0]["run_id"] == WORKFLOWS[verb][0]


def test_segment_runs_inference_on_the_input(here, calls):
    assert _medseg("segment", "docs", "-o", "masks", "--skip", "0.5").exit_code == 0
    paths = {"input": str(REPOSITORY / "docs"), "output_dir": str(REPOSITORY / "masks")}
    expected = {**paths, "skip": 0.5, "run_id": "inference"}
    assert expected.items() <= calls[0].items()


def test_segment_plans_without_computing(here, calls):
    assert _medseg("segment", "docs", "-o", "masks", "--plan").exit_code == 0
    assert calls[0]["run_id"] == "planning"


@pytest.mark.parametrize(
    ("words", "existing"),
    [
        (["--plan"], "$None"),
        (["--plan", "--existing", "skip"], "skip"),
        (["--plan", "--existing=refuse"], "refuse"),
        ([], "absent"),
    ],
)
def test_a_plan_goes_by_the_outputs_that_exist_only_if_it_is_told_to(here, calls, words, existing):
    assert _medseg("segment", "docs", "-o", "masks", *words).exit_code == 0
    assert calls[0].get("existing", "absent") == existing


def test_a_plan_is_made_beside_the_outputs_of_an_earlier_run(tiny, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "masks").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "pictures" / "a.png")
    (tmp_path / "masks" / "a_label.png").write_bytes(b"as it was")
    words = ("segment", "pictures", "-o", "masks", "-b", "bundles/nuclei")
    refused = _medseg(*words)
    assert refused.exit_code == BAD_ARGUMENTS
    assert "1 of 1 case would write over outputs" in refused.stderr
    assert _medseg(*words, "--plan").exit_code == app.DONE
    assert (
        "existing is one of refuse, skip, overwrite, got None"
        in _medseg(*words, "--existing", "None").stderr
    )  # which is for plans alone
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["a_label.png"]
    assert (tmp_path / "masks" / "a_label.png").read_bytes() == b"as it was"


def test_segment_wants_its_input_before_the_overrides(here, calls):
    ended = _medseg("segment", "--skip", "0.5", "study/ct", "-o", "masks")
    assert ended.exit_code == BAD_ARGUMENTS
    assert "write overrides after INPUT" in " ".join(ended.output.split())
    assert not calls


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_tracking_passes_through(here, calls, verb):
    pytest.importorskip("mlflow")
    assert _medseg(verb, "--tracking", "mlflow", "--run_name", "first").exit_code == 0
    assert calls[0]["tracking"] == "mlflow"
    assert calls[0]["run_name"] == "first"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--max_epoch", "2"],
            "override --max_epoch names no key of .* did you mean the key --max_epochs",
        ),
        (["--max-epochs", "2"], "did you mean the key --max_epochs"),
        (["--max_epochs"], "override --max_epochs has no value"),
        (["--max_epochs", "--fold"], "override --max_epochs has no value"),
        (["max_epochs", "2"], "'max_epochs' is not an override"),
        (["--bundel", "bundles/nuclei"], "did you mean the option --bundle"),
        (["-b", "bundles/liverr"], "bundles/liverr is not a bundle, it has no train.json"),
        (["--tracking", "nothing"], "is not a settings file"),
    ],
)
def test_a_bad_override_is_one_line_and_nothing_runs(here, calls, words, message):
    ended = _medseg("train", *words)
    assert ended.exit_code == BAD_ARGUMENTS
    assert re.fullmatch(rf"error: .*{message}.*\n", ended.stderr)
    assert not calls


def test_a_misspelt_override_trains_nothing(tmp_path):
    (tmp_path / "bundles").symlink_to(REPOSITORY / "bundles")
    code = "import sys; sys.argv[1:] = 'train --max_epoch 2'.split(); from medseg.cli import main\n"
    ended = _python(f"{code}main()", cwd=tmp_path)
    assert ended.returncode == BAD_ARGUMENTS
    assert ended.stderr.splitlines()[-1].endswith(f"did you mean the key --max_epochs?{PAGE}")
    assert "Traceback" not in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bundles"]


def test_an_undocumented_error_keeps_its_traceback(here, monkeypatch):
    def fail(**arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(scripts, "run", fail)
    assert isinstance(_medseg("train").exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "train",
            "after one whole epoch, --resume True goes on; before that, start again",
        ),
        ("evaluate", "run it again"),
        (
            "segment docs -o masks",
            "finished cases are kept; --existing skip goes on with the others",
        ),
    ],
)
def test_an_interrupted_run_says_what_is_kept_below_the_progress_bar(
    here, monkeypatch, words, told
):
    def stop(**arguments):
        sys.stderr.write("[3/10] 30%")
        raise KeyboardInterrupt

    monkeypatch.setattr(scripts, "run", stop)
    ended = _medseg(*words.split())
    assert ended.exit_code == 130
    assert ended.stderr == f"[3/10] 30%\ninterrupted: {told}\n"


def test_an_interrupted_preparation_is_gone_on_with_by_the_same_command(monkeypatch, tmp_path):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("medseg.datasets.prepare.prepare", stop)
    ended = _medseg("prepare", "nuclei", "-s", str(tmp_path), "-o", str(tmp_path / "out"))
    assert ended.exit_code == 130
    assert ended.stderr == "\ninterrupted: finished files are kept, run it again to go on\n"


def test_a_run_that_exits_keeps_its_status(here, monkeypatch):
    def leave(**arguments):
        raise SystemExit(1)

    monkeypatch.setattr(scripts, "run", leave)
    assert _medseg("train").exit_code == 1


def test_failed_cases_are_another_status_than_bad_arguments(here, monkeypatch):
    from medseg.inference import run_cases

    evaluator = SimpleNamespace(logger=logging.getLogger("evaluator"))
    dataset = Dataset([{"case": "ct_1"}], lambda case: case["image"])  # its only case has none
    monkeypatch.setattr(scripts, "run", lambda **arguments: run_cases(evaluator, dataset))
    ended = _medseg("segment", "docs", "-o", "masks")
    assert ended.exit_code == app.SOME_FAILED
    assert ended.stderr.splitlines()[-1] == "error: 1 of 1 case failed (ct_1): the reason is above"


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A copy of the nuclei bundle with a tiny network, random weights, and that network."""
    root = tmp_path / "bundles" / "nuclei"
    shutil.copytree(REPOSITORY / "bundles" / "nuclei", root, symlinks=True)
    monkeypatch.chdir(tmp_path)
    config_file = root / "configs" / "inference.json"
    config = ConfigParser.load_config_file(str(config_file)) | {"channels": [2, 3, 4]}
    config_file.write_text(json.dumps(config))
    network = ConfigParser(config).get_parsed_content("network_def").eval()
    (root / "models").mkdir(exist_ok=True)
    torch.save(network.state_dict(), root / "models" / "model.pt")
    return network


@pytest.mark.filterwarnings("ignore")  # torch.jit warns that it is being retired
@pytest.mark.parametrize(
    ("output", "words", "level"),
    [
        ("network.onnx", [], None),
        ("network.pt2", ["--level", "1"], 1),
        ("new/network.ts", ["--level=2", "--mixed_precision", "false"], 2),
    ],
)
def test_an_exported_bundle_gives_the_logits_of_its_network(tiny, output, words, level):
    ended = _medseg("export", "-b", "bundles/nuclei", output, *words)
    assert (ended.exit_code, ended.output) == (app.DONE, f"exported network: {output}\n")
    network = tiny if level is None else tiny.prune(level)
    image = torch.rand(2, 3, 16, 24)
    got = FORMATS[Path(output).suffix].read(Path(output))(image)
    with torch.no_grad():
        torch.testing.assert_close(got, network(image), rtol=1e-4, atol=1e-4)


def test_export_takes_the_weights_that_it_is_given(tiny):
    bias = tiny.nodes["x0_2"].head.bias
    with torch.no_grad():
        before = tiny(torch.zeros(1, 3, 8, 8))
        bias += 2  # one of two heads, so that their mean rises by 1
    torch.save(tiny.state_dict(), "other.pt")
    words = ("-b", "bundles/nuclei", "--weights", "other.pt")
    assert _medseg("export", "network.ts", *words).exit_code == app.DONE
    got = FORMATS[".ts"].read(Path("network.ts"))(torch.zeros(1, 3, 8, 8))
    torch.testing.assert_close(got, before + 1)


@pytest.mark.parametrize("words", [[], ["--overwrite"]])
def test_export_replaces_a_file_only_when_told_to(tiny, words):
    output = Path("network.ts")
    output.write_text("what was there")
    ended = _medseg("export", "-b", "bundles/nuclei", str(output), *words)
    if words:
        assert ended.exit_code == app.DONE
        assert output.stat().st_size > 10_000
    else:
        assert ended.exit_code == BAD_ARGUMENTS
        assert re.fullmatch(r"error: .*network.ts exists: .* --overwrite\n", ended.stderr)
        assert output.read_text() == "what was there"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["network.pth"], r"an export ends in one of \.onnx, \.pt2, \.ts, got 'network\.pth'"),
        (["network.ts", "--leve", "1"], "--leve names no key of .* did you mean the key --level"),
        (["network.ts", "--level", "3"], r"level is 3, and this .* the levels \[1, 2\]: choose"),
        (["network.ts", "--weights", "no.pt"], r"weights .*no\.pt do not exist: train the bundle"),
        (["network.ts", "--channels", "[2,3,5]"], "weights .* fit a unet_plusplus"),
        (["network.ts", "--meta_file", "m.json"], "--meta_file has no effect: leave it out"),
        (["network.ts", "-b", "nowhere"], r"nowhere is not a bundle, it has no inference\.json"),
        (
            ["network.ts", "--network_def", "{'_target_': 'torch.nn.Flatten'}"],
            "only a NestedUNet can be exported, network_def of bundles/nuclei makes a Flatten: use",
        ),
    ],
)
def test_what_export_refuses_is_one_line_and_writes_nothing(tiny, words, message):
    ended = _medseg("export", "-b", "bundles/nuclei", *words)
    assert ended.exit_code == BAD_ARGUMENTS
    assert re.fullmatch(rf"error: .*{message}.*\n", ended.stderr)
    assert [path.name for path in Path.cwd().iterdir()] == ["bundles"]


def test_export_wants_its_output_before_the_overrides(tiny):
    ended = _medseg("export", "--level", "1", "network.ts", "-b", "bundles/nuclei")
    assert ended.exit_code == BAD_ARGUMENTS
    assert "write overrides after OUTPUT" in " ".join(ended.output.split())


@pytest.mark.parametrize(("ok", "status"), [(True, app.DONE), (False, app.SOME_FAILED)])
def test_doctor_fails_where_something_required_is_bad(monkeypatch, ok, status):
    found = [doctor.Finding(True, "python", "3.11"), doctor.Finding(ok, "torch", "2.13")]
    monkeypatch.setattr(doctor, "findings", lambda: iter(found))
    ended = _medseg("doctor")
    assert ended.exit_code == status
    assert [line.split() for line in ended.output.splitlines()] == [
        ["ok", "python", "3.11"],
        ["ok" if ok else "bad", "torch", "2.13"],
    ]


def test_bundles_are_listed_with_their_task(here):
    lines = _medseg("bundles", "list").output.splitlines()
    assert [line.split()[0] for line in lines] == names(REPOSITORY / "bundles")
    tasks = dict(zip(names(REPOSITORY / "bundles"), lines, strict=True))
    assert "Segmentation of the liver" in tasks["liver"]
    assert "Segmentation of cell nuclei" in tasks["nuclei"]


def test_built_bundles_need_no_building(here):
    ended = _medseg("bundles", "build")
    assert (ended.exit_code, ended.output) == (app.DONE, "")


@pytest.mark.parametrize("verb", ["build", "check"])
def test_an_unknown_bundle_is_one_line(here, verb):
    ended = _medseg("bundles", verb, "lung")
    assert ended.exit_code == BAD_ARGUMENTS
    known = ", ".join(names(REPOSITORY / "bundles"))
    assert ended.stderr == f"error: no bundle 'lung' in bundles: it has {known}{PAGE}\n"


def test_bundles_outside_a_repository_are_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = _medseg("bundles", "list")
    assert ended.exit_code == BAD_ARGUMENTS
    assert "run from the repository root" in ended.stderr


@pytest.mark.parametrize(("found", "status"), [([], app.DONE), (["a [b]"], app.SOME_FAILED)])
def test_check_fails_where_a_bundle_has_faults(here, monkeypatch, found, status):
    from medseg.bundles import check

    monkeypatch.setattr(check, "find_faults", lambda name, bundles_dir: found)
    ended = _medseg("bundles", "check", "liver")
    assert ended.exit_code == status
    assert ended.output == ("liver: 1 fault\n  a [b]\n" if found else "liver: ok\n")


def test_phantom_refuses_what_it_cannot_write(tmp_path):
    ended = _medseg("phantom", "xray", "--out", str(tmp_path / "data"))
    assert ended.exit_code == BAD_ARGUMENTS
    assert len(ended.stderr.splitlines()) == 1


def test_phantom_writes_a_set(tmp_path):
    words = ["--cases", "1", "--test-cases", "1", "--size", "48", "--slices", "8"]
    ended = _medseg("phantom", "ct", "--out", str(tmp_path / "data"), *words)
    assert ended.exit_code == 0, ended.output
    assert ended.output.startswith("1 training and 1 test case in ")


@pytest.mark.slow
def test_mlflow_records_a_training(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    data = ["--cases", "2", "--test-cases", "1", "--size", "64", "--slices", "8"]
    assert _medseg("phantom", "ct", "--out", str(tmp_path / "data"), *data).exit_code == 0
    small = {
        **{"channels": "[4, 4, 8, 8, 8]", "image_size": "[64, 64]", "folds": 2, "max_epochs": 1},
        **{"num_workers": 0, "dataset_dir": "data", "output_dir": "run", "weights": "run/model.pt"},
        **{"tracking": "mlflow", "experiment_name": "small"},
    }
    words = [f"--{key}={value}" for key, value in small.items()]
    start = f"import sys; sys.argv[1:] = ['train', '-b', '{REPOSITORY}/bundles/liver', *{words}]"
    ended = _python(f"{start}\nfrom medseg.cli import main\nmain()", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/run/mlruns.db")
    [recorded] = mlflow.search_runs(experiment_names=["small"], output_format="list")
    assert recorded.data.metrics["train_loss"] > 0
