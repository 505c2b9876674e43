"""Tests of medseg.cli.documents.plan_document: what `new` says of the bundles that it made."""

import json
from pathlib import Path

import pytest
from cli.commands import run_medseg
from planning.test_plan_folder import data as data  # a fixture

from medseg.bundles.own import make_bundle
from medseg.bundles.own.measure_steps import StepCost


def test_it_prints_each_choice_with_its_reason_and_what_to_run_next(data):
    ended = run_medseg("new", "kidney", "--data", data, "--no-measure")
    assert ended.exit_code == 0
    first, _, second = ended.stdout.partition("from the layers: to change one, write what is said")
    assert "image_size" in first
    assert "change them there, then medseg bundles build kidney" in first
    assert "to change it:" in second
    assert "next: medseg train -b kidney" in ended.stdout


def test_as_json_a_program_has_the_fingerprint_and_the_plan(data):
    ended = run_medseg("new", "kidney", "--data", data, "--json", "--no-measure")
    told = json.loads(ended.stdout)
    assert told["classes"] == {"kidney": [1]}
    assert told["fingerprint"]["cases"] == 6
    assert {"key", "value", "why"} == told["plan"][0].keys()
    task = json.loads(Path("bundles/kidney/task.json").read_text())
    assert {*told["keys_of_task"]} <= {*task}
    of_layers = {one["key"]: one["change"] for one in told["from_layers"]}
    assert {"head_loss", "optimizer", "crop", "orient"} <= {*of_layers}
    assert not {*of_layers} & {*task}
    assert [one["key"] for one in told["plan"]] == [*told["keys_of_task"], *of_layers]


@pytest.mark.parametrize(
    ("seconds", "more", "said"),
    [
        (1.0, (), "kidney (about 50 minutes here; --hours 0.2 would end after 12)"),
        (0.1, (), "kidney (about 5 minutes here)"),
        (1.0, ("--hours", "0.5"), "kidney (ends after 30 minutes, as hours in task.json says)"),
        (1.0, ("--dims", "both"), "(about 5.6 hours here in all)"),  # 5 of 3000 s, 5 of 1000
    ],
)
def test_the_next_command_stands_with_its_time(data, monkeypatch, seconds, more, said):
    monkeypatch.setattr(make_bundle, "measure_steps", lambda folder: StepCost(seconds, 2**30))
    ended = run_medseg("new", "kidney", "--data", data, *more)
    assert " ".join(ended.stdout.split()).endswith(said)
