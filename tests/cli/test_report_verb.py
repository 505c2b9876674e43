"""Tests of medseg.cli.report_verb: two folders of results become a comparison, or one line."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from cli.commands import run_medseg
from report.followup.bodies import draw_body, draw_spheres, make_grid, make_motion
from report.followup.studies import write_study

from medseg.cli.usage import BAD_ARGUMENTS
from medseg.report.followup.write import SCHEMA

GRID = make_grid((70, 55, 65), (2.0, 2.0, 2.0))
MOTION = make_motion(degrees=(0.0, 0.0, 6.0), shift=(8.0, -4.0, 6.0))
BEFORE, AFTER = [((-30, 0, 0), 10), ((25, 10, 10), 8)], [((-30, 0, 0), 7)]


def draw(spheres, matrix=None):
    mask = draw_spheres(GRID, [((0, 0, 0), 40)], matrix)
    return draw_spheres(GRID, spheres, matrix, value=2, onto=mask)


@pytest.fixture
def pair(tmp_path):
    """Two studies on one grid, without images."""
    return (
        write_study(tmp_path / "jan", draw(BEFORE), GRID),
        write_study(tmp_path / "mar", draw(AFTER), GRID),
    )


def report(pair, out, *words):
    return run_medseg("report", "--before", pair[0], "--after", pair[1], "-o", out, *words)


def test_a_moved_study_is_registered_and_compared(tmp_path):
    pair = (
        write_study(tmp_path / "jan", draw(BEFORE), GRID, image=draw_body(GRID)),
        write_study(
            tmp_path / "mar", draw(AFTER, MOTION), GRID, image=draw_body(GRID, MOTION, noise=20.0)
        ),
    )
    ended = report(pair, tmp_path / "out", "--json")
    assert ended.exit_code == 0, ended.output
    made = json.loads(ended.stdout)
    assert made["schema"] == SCHEMA
    np.testing.assert_allclose(made["registration"]["shift_mm"], (8, -4, 6), atol=0.5)
    assert [one["outcome"] for one in made["lesions"]] == ["persisted", "vanished"]
    assert made["recist"]["category"] == "PR"
    assert made["files"] == sorted(path.name for path in (tmp_path / "out").iterdir())
    assert (
        json.loads((tmp_path / "out" / "followup.json").read_text())["lesions"] == made["lesions"]
    )


def test_people_see_a_table_the_response_and_its_rule(pair, tmp_path):
    days = ("--before-date", "2026-01-05", "--after-date", "2026-03-06")
    ended = report(pair, tmp_path / "out", "--no-registration", *days)
    assert ended.exit_code == 0, ended.output
    lines = ended.stdout.splitlines()
    (first,) = (line for line in lines if " A (1 to 1) " in line)
    assert first.split()[:6] == ["tumour", "A", "(1", "to", "1)", "persisted"]
    assert any(" B (2 to -) " in line and "vanished" in line for line in lines)
    for start in (
        "studies: study (2026-01-05) and study (2026-03-06), 60 days",
        "registration: none, both masks are on one grid",
        "RECIST 1.1 of the measured lesions: PR (the sum of the long axes changed by -",
        "targets: tumour A (earlier 1, later 1), tumour B (earlier 2); sum of long axes ",
        "rule: RECIST 1.1 on the measured lesions. Targets: up to 5",
        "for research: this is no assessment of a patient",
        f"written {tmp_path / 'out' / 'followup.json'}",
    ):
        assert any(line.startswith(start) for line in lines), start


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "error: no record beside .* says where its image lies: pass --before-image"),
        (("--no-registration", "--structures", "cyst"), "error: no label is named 'cyst'"),
        (("--before-date", "spring"), "error: invalid value for '--before-date': 'spring' is no"),
        (
            ("--match-distance", "-1"),
            "error: invalid value for '--match-distance': '-1' is below 0",
        ),
        (("--min-volume", "inf"), "error: invalid value for '--min-volume': 'inf' is"),
        (
            ("--no-registration", "--before-date", "2026-02-01", "--after-date", "2026-01-01"),
            "error: the study of --after is of an earlier day",
        ),
    ],
)
def test_what_cannot_be_compared_is_one_line(pair, tmp_path, words, line):
    ended = report(pair, tmp_path / "out", *words)
    assert ended.exit_code == BAD_ARGUMENTS
    (said,) = ended.stderr.splitlines()
    assert re.match(line, said), said
    assert not (tmp_path / "out").exists()


def test_an_error_is_a_document_too(pair, tmp_path):
    ended = report(pair, tmp_path / "out", "--json")
    assert ended.exit_code == BAD_ARGUMENTS
    assert "pass --before-image" in json.loads(ended.stdout)["error"]


def test_an_earlier_comparison_stays_unless_it_may_go(pair, tmp_path):
    assert report(pair, tmp_path / "out", "--no-registration").exit_code == 0
    again = report(pair, tmp_path / "out", "--no-registration")
    assert again.exit_code == BAD_ARGUMENTS
    assert "has a comparison already" in again.stderr
    assert report(pair, tmp_path / "out", "--no-registration", "--overwrite").exit_code == 0


def test_structures_can_be_named_and_small_lesions_left_out(pair, tmp_path):
    words = ("--no-registration", "--structures", "Tumor", "--min-volume", "3", "--json")
    made = json.loads(report(pair, tmp_path / "out", *words).stdout)
    assert [one["lesions_before"] for one in made["lesions"]] == [[1]]
    assert made["settings"]["smallest_ml"] == 3
