"""Tests of scripts/tabulate_readers.py."""

import pytest

ROWS = """case,class,reader_a,reader_b,dice
p1_a,x,model,r1,0.5
p1_a,x,model,r2,0.7
p1_a,x,r1,r2,0.8
p1_b,x,model,r1,0.2
p2_a,x,model,r1,
p2_a,x,model,r2,0.4
p2_a,x,r1,r2,0.0
"""


def test_pairs_and_the_means_of_cases_are_lines_of_a_table(script, tmp_path, capsys):
    (tmp_path / "readers.csv").write_text(ROWS)
    script("tabulate_readers").main([str(tmp_path / "readers.csv"), "--patients", "(p[0-9])_"])
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [line[1:5] for line in lines] == [
        ["model against r1", "2", "1", "0.350"],
        ["model against r2", "2", "2", "0.550"],
        ["r1 against r2", "2", "2", "0.400"],
        ["model against its readers", "3", "2", "0.400"],  # 0.6, 0.2 and 0.4
        ["readers against each other", "2", "2", "0.400"],
        ["difference of the two", "2", "2", "0.100"],  # of p1_a and p2_a alone
    ]
    assert lines[0][5] == "0.350 to 0.350"  # one patient cannot vary
    assert lines[2][5] == "0.000 to 0.800"


def test_the_interval_draws_whole_patients(script):
    find_interval = script("tabulate_readers").find_interval
    assert find_interval([[0.0] * 50, [1.0] * 50], seed=0) == (0, 1)
    low, high = find_interval([[value] for value in [0.0, 1.0] * 50], seed=0)
    assert 0.35 < low < 0.45 < 0.55 < high < 0.65


def test_a_case_without_a_patient_is_refused(script):
    with pytest.raises(ValueError, match="finds no patient in case a: correct it"):
        script("tabulate_readers").find_patient("a", "(p[0-9])")
