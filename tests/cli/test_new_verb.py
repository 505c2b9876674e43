"""Tests of `medseg new`."""

import json

from cli.commands import run_medseg
from planning.test_plan_folder import data as data  # a fixture


def test_it_prints_each_choice_with_its_reason_and_what_to_run_next(data):
    ended = run_medseg("new", "kidney", "--data", data)
    assert ended.exit_code == 0
    assert "image_size" in ended.stdout
    assert "next: medseg train -b kidney" in ended.stdout


def test_as_json_a_program_has_the_fingerprint_and_the_plan(data):
    ended = run_medseg("new", "kidney", "--data", data, "--json")
    told = json.loads(ended.stdout)
    assert told["classes"] == {"kidney": [1]}
    assert told["fingerprint"]["cases"] == 6
    assert {"key", "value", "why"} == told["plan"][0].keys()


def test_an_unknown_preset_and_a_missing_folder_are_one_line(data, tmp_path):
    for words in (("--data", data, "--preset", "huge"), ("--data", tmp_path / "none")):
        ended = run_medseg("new", "kidney", *words)
        assert ended.exit_code != 0
        assert len(ended.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "bundles").exists()


def test_a_bundle_of_ones_own_is_built_again_by_its_name(data, tmp_path):
    run_medseg("new", "kidney", "--data", data)
    task = tmp_path / "bundles" / "kidney" / "task.json"
    task.write_text(json.dumps({**json.loads(task.read_text()), "max_epochs": 9}))
    ended = run_medseg("bundles", "build", "kidney")
    assert ended.exit_code == 0
    assert "train.json" in ended.stdout
