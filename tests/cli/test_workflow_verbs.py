"""Tests of medseg.cli.workflow_verbs: what of a command line reaches a bundle, or is refused."""

import json
import logging
import re
import sys
from pathlib import Path

import pytest
import torch
from cli.commands import PAGE, REPOSITORY, run_medseg, run_python
from monai.bundle import scripts
from PIL import Image

from medseg.bundles import run
from medseg.bundles.build import WORKFLOWS
from medseg.cli import app
from medseg.cli.usage import BAD_ARGUMENTS
from medseg.networks.export import FORMATS


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["--seed", "3"], "seed", 3),
        (["--seed=3"], "seed", 3),
        (["--max-epochs", "2"], "max_epochs", 2),
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
    ended = run_medseg("train", *words)
    assert ended.exit_code == 0, ended.output
    assert calls[0][key] == value
    assert type(calls[0][key]) is type(value)


@pytest.mark.parametrize("place", [0, 2])
def test_the_bundle_may_stand_before_or_behind_the_overrides(here, calls, place):
    words = ["--seed", "3"]
    words[place:place] = ["-b", "bundles/liver_slices"]
    assert run_medseg("train", *words).exit_code == 0
    assert calls[0]["config_file"] == ["bundles/liver_slices/configs/train.json"]
    assert calls[0]["seed"] == 3


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_each_verb_runs_its_workflow(here, calls, verb):
    assert run_medseg(verb).exit_code == 0
    assert calls[0]["config_file"] == [f"bundles/liver/configs/{verb}.json"]
    assert calls[0]["run_id"] == WORKFLOWS[verb][0]


def test_segment_runs_inference_on_the_input(here, calls):
    assert run_medseg("segment", "docs", "-o", "masks", "--skip", "0.5").exit_code == 0
    paths = {"input": str(REPOSITORY / "docs"), "output_dir": str(REPOSITORY / "masks")}
    expected = {**paths, "skip": 0.5, "run_id": "inference"}
    assert expected.items() <= calls[0].items()


@pytest.mark.parametrize(
    ("series", "key"),
    [
        ("all", ("choose_series", "all")),
        ("4", ("choose_series", 4)),
        ("largest", ("choose_series", "largest")),
        ("1.2.840.4", ("series_uid", "1.2.840.4")),
    ],
)
def test_segment_takes_the_series_that_are_asked_for(here, calls, series, key):
    assert run_medseg("segment", "docs", "-o", "masks", "--series", series).exit_code == 0
    assert calls[0][key[0]] == key[1]


def test_a_series_that_is_none_is_refused_by_the_name_of_the_option(here, calls):
    ended = run_medseg("segment", "docs", "-o", "masks", "--series", "abc")
    assert ended.exit_code != 0
    assert "--series is 'abc': pass all, largest" in " ".join(ended.stderr.split())
    assert not calls


def test_segment_plans_without_computing(here, calls):
    assert run_medseg("segment", "docs", "-o", "masks", "--plan").exit_code == 0
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
    assert run_medseg("segment", "docs", "-o", "masks", *words).exit_code == 0
    assert calls[0].get("existing", "absent") == existing


def test_a_plan_is_made_beside_the_outputs_of_an_earlier_run(tiny, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "masks").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "pictures" / "a.png")
    (tmp_path / "masks" / "a_label.png").write_bytes(b"as it was")
    words = ("segment", "pictures", "-o", "masks", "-b", "bundles/nuclei")
    refused = run_medseg(*words)
    assert refused.exit_code == BAD_ARGUMENTS
    assert "1 of 1 case would write over outputs" in refused.stderr
    assert run_medseg(*words, "--plan").exit_code == app.DONE
    assert (
        "existing must be one of refuse, skip, overwrite, got None"
        in run_medseg(*words, "--existing", "None").stderr
    )  # which is for plans alone
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["a_label.png"]
    assert (tmp_path / "masks" / "a_label.png").read_bytes() == b"as it was"


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_tracking_passes_through(here, calls, verb):
    pytest.importorskip("mlflow")
    assert run_medseg(verb, "--tracking", "mlflow", "--run_name", "first").exit_code == 0
    assert calls[0]["tracking"] == "mlflow"
    assert calls[0]["run_name"] == "first"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--max_epoch", "2"],
            "override --max_epoch is not a key of .* did you mean the key --max_epochs",
        ),
        (["--max-epoch", "2"], "did you mean the key --max_epochs"),
        (["--max_epochs"], "override --max_epochs has no value"),
        (["--max_epochs", "--fold"], "override --max_epochs has no value"),
        (["max_epochs", "2"], r"'max_epochs' is not an override: did you mean --max_epochs 2\?"),
        (["nuclei"], r"'nuclei' is not an override: did you mean -b nuclei\?"),
        (["--bundel", "bundles/nuclei"], "did you mean the option --bundle"),
        (["-b", "bundles/liverr"], "bundles/liverr: did you mean liver"),
        (["--tracking", "nothing"], "is not a settings file"),
    ],
)
def test_a_bad_override_is_one_line_and_nothing_runs(here, calls, words, message):
    ended = run_medseg("train", *words)
    assert ended.exit_code == BAD_ARGUMENTS
    assert re.fullmatch(rf"error: .*{message}.*\n", ended.stderr)
    assert not calls


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        ("segment docs -o masks --outt z", "option --out"),
        ("segment docs -o masks --plna", "option --plan"),
        ("segment docs -o masks --leve", "key --level"),
        ("segment docs -o masks --frce", "key --force"),
        ("train --lsit", "option --list"),
        ("train --epochs 2", "key --max_epochs"),
        ("export liver.onnx --overwrit", "option --overwrite"),
        ("prune --toleranc 1", "option --tolerance"),
        ("prune --repeat 3", "option --repeats"),
    ],
)
def test_a_misspelt_word_is_refused_with_what_that_verb_has(here, calls, words, nearest):
    ended = run_medseg(*words.split())
    assert ended.exit_code == BAD_ARGUMENTS
    assert ended.stderr.endswith(f": did you mean the {nearest}?{PAGE}\n")
    assert not calls


@pytest.mark.parametrize(
    "words",
    [
        "segment docs -o masks --tolernce 2",
        "segment docs -o masks --spacing 1",
        "segment docs -o masks --model x",
        "segment docs -o masks --verbose",
        "segment docs -o masks --exist skip",
        "segment docs -o masks -b polyp --volume 0",
        "train --resampling True",
        "train --plna",
        "export liver.onnx --toleranc 1",
    ],
)
def test_where_no_key_or_option_is_near_the_list_of_keys_is_named(here, calls, words):
    ended = run_medseg(*words.split())
    assert ended.exit_code == BAD_ARGUMENTS
    assert ended.stderr.endswith(f".json: leave it out; --list shows the keys{PAGE}\n")
    assert not calls


def test_a_misspelt_override_trains_nothing(tmp_path):
    (tmp_path / "bundles").symlink_to(REPOSITORY / "bundles")
    code = "import sys; sys.argv[1:] = 'train --max_epoch 2'.split(); from medseg.cli import main\n"
    ended = run_python(f"{code}main()", cwd=tmp_path)
    assert ended.returncode == BAD_ARGUMENTS
    assert ended.stderr.splitlines()[-1].endswith(f"did you mean the key --max_epochs?{PAGE}")
    assert "Traceback" not in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bundles"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "train",
            "after one whole epoch, --resume True continues it; before that, start again",
        ),
        ("evaluate", "run it again"),
        ("segment docs -o masks", "no case was finished: run it again"),
    ],
)
def test_an_interrupted_run_says_what_is_kept_below_the_progress_bar(
    here, monkeypatch, words, told
):
    def stop(**arguments):
        sys.stderr.write("[3/10] 30%")
        raise KeyboardInterrupt

    monkeypatch.setattr(scripts, "run", stop)
    monkeypatch.setattr(run, "check_weights_exist", lambda *_: None)
    ended = run_medseg(*words.split())
    assert ended.exit_code == 130
    assert ended.stderr == f"[3/10] 30%\ninterrupted: {told}\n"


def test_finished_cases_are_said_to_be_kept_where_there_are_some(here, monkeypatch):
    def stop(**arguments):
        facts = {"case": "a"}
        logging.getLogger("medseg.inference.cases.report").warning(
            "a", extra={"report": ("done", facts)}
        )
        raise KeyboardInterrupt

    monkeypatch.setattr(scripts, "run", stop)
    monkeypatch.setattr(run, "check_weights_exist", lambda *_: None)
    ended = run_medseg("segment", "docs", "-o", "masks")
    assert ended.stderr.endswith(
        "interrupted: finished cases are kept; --existing skip continues with the others\n"
    )


@pytest.mark.long
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
    ended = run_medseg("export", "-b", "bundles/nuclei", output, *words)
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
    assert run_medseg("export", "network.ts", *words).exit_code == app.DONE
    got = FORMATS[".ts"].read(Path("network.ts"))(torch.zeros(1, 3, 8, 8))
    torch.testing.assert_close(got, before + 1)


@pytest.mark.parametrize("words", [[], ["--overwrite"]])
def test_export_replaces_a_file_only_when_told_to(tiny, words):
    output = Path("network.ts")
    output.write_text("what was there")
    ended = run_medseg("export", "-b", "bundles/nuclei", str(output), *words)
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
        (
            ["network.pth"],
            r"the name of an export must end in one of \.onnx, \.pt2, \.ts, got 'network\.pth'",
        ),
        (["network.ts", "--leve", "1"], "--leve is not a key of .* did you mean the key --level"),
        (["network.ts", "--level", "3"], r"level is 3, and this .* the levels \[1, 2\]: choose"),
        (["network.ts", "--weights", "no.pt"], r"weights .*no\.pt do not exist: train the bundle"),
        (["network.ts", "--channels", "[2,3,5]"], "weights .* fit a unet_plusplus"),
        (["network.ts", "--meta_file", "m.json"], "--meta_file has no effect: leave it out"),
        (["network.ts", "-b", "nowhere"], "no bundle 'nowhere': name one of brain_tumor, "),
        (
            ["network.ts", "--network_def", "{'_target_': 'torch.nn.Flatten'}"],
            "only a NestedUNet can be exported, network_def of bundles/nuclei makes a Flatten: use",
        ),
    ],
)
def test_what_export_refuses_is_one_line_and_writes_nothing(tiny, words, message):
    ended = run_medseg("export", "-b", "bundles/nuclei", *words)
    assert ended.exit_code == BAD_ARGUMENTS
    assert re.fullmatch(rf"error: .*{message}.*\n", ended.stderr)
    assert [path.name for path in Path.cwd().iterdir()] == ["bundles"]


@pytest.mark.slow
def test_mlflow_records_a_training(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    data = ["--cases", "2", "--test-cases", "1", "--size", "64", "--slices", "8"]
    assert run_medseg("phantom", "ct", "--out", str(tmp_path / "data"), *data).exit_code == 0
    small = {
        **{"channels": "[4, 4, 8, 8, 8]", "image_size": "[64, 64]", "folds": 2, "max_epochs": 1},
        **{"num_workers": 0, "dataset_dir": "data", "output_dir": "run", "weights": "run/model.pt"},
        **{"tracking": "mlflow", "experiment_name": "small"},
    }
    words = [f"--{key}={value}" for key, value in small.items()]
    start = f"import sys; sys.argv[1:] = ['train', '-b', '{REPOSITORY}/bundles/liver', *{words}]"
    ended = run_python(f"{start}\nfrom medseg.cli import main\nmain()", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/run/mlruns.db")
    [recorded] = mlflow.search_runs(experiment_names=["small"], output_format="list")
    assert recorded.data.metrics["train_loss"] > 0


@pytest.mark.parametrize(
    ("verb", "expected", "absent"),
    [
        ("train", "max_epochs = 20", "existing = "),
        ("evaluate", "section = validation", "max_epochs = "),
        ("segment", "existing = refuse", "max_epochs = "),
        ("prune", "section = validation", "max_epochs = "),
        ("export", "existing = refuse", "max_epochs = "),
    ],
)
def test_list_prints_the_keys_of_the_bundle_and_runs_nothing(here, calls, verb, expected, absent):
    ended = run_medseg(verb, "-b", "hippocampus", "--list")
    assert ended.exit_code == 0, ended.output
    lines = ended.stdout.splitlines()
    assert expected in lines
    assert not any(line.startswith(absent) for line in lines)
    assert calls == []


def test_list_says_what_a_key_means_and_what_it_has_to_be(here):
    lines = run_medseg("train", "--list", "-b", "liver").stdout.splitlines()
    assert lines[lines.index("window_hu = [-160, 240]") + 1] == (
        "    Range of CT values that is mapped to 0 to 1; values outside are clipped. Type: a list "
        "of two numbers, the low end before the high end; unit: HU."
    )


def test_list_prints_one_json_document(here):
    keys = json.loads(run_medseg("segment", "--list", "--json").stdout)["keys"]
    (fold,) = [key for key in keys if key["key"] == "existing"]
    assert (fold["type"], fold["unit"], fold["default"]) == (
        "refuse, skip or overwrite",
        "",
        "refuse",
    )


def test_list_takes_no_override(here, calls):
    ended = run_medseg("train", "--list", "--fold", "1")
    assert ended.exit_code == BAD_ARGUMENTS
    assert "--list prints the keys and runs nothing, got also --fold" in ended.stderr
    assert calls == []


def test_without_list_an_input_is_still_asked_for_after_it_was_given_once(here):
    assert run_medseg("segment", "--list").exit_code == 0
    assert "missing argument 'INPUT'" in run_medseg("segment").stderr


def test_list_of_a_bundle_that_is_not_there_is_refused(here):
    ended = run_medseg("train", "--list", "-b", "livr")
    assert ended.exit_code == BAD_ARGUMENTS
    assert "no bundle 'livr'" in ended.stderr


def test_list_imports_neither_torch_nor_monai(here):
    code = (
        "import sys; from medseg.cli.app import app; "
        "app(['segment', '--list'], standalone_mode=False); "
        "sys.exit(bool({'torch', 'monai'} & sys.modules.keys()))"
    )
    assert run_python(code).returncode == 0
