"""A gateway and a real PACS: each series has its results once, whatever happens to either.

Orthanc is the PACS. The commands run in processes of their own, which are killed by SIGKILL at
random moments; so is Orthanc.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess

import pytest

pytest.importorskip("dicomweb_client")

from gateway.made_series import encode
from gateway.orthanc import (
    PASSWORD,
    USER,
    Orthanc,
    find_free_port,
    own_network,
    skip_without_orthanc,
)
from integration.pacs_commands import (
    VARIABLE,
    count_results,
    list_lines,
    make_mr,
    run,
    send,
    start,
    wait_for,
    write_settings,
)

from medseg.datasets import phantom
from medseg.gateway.state import State, open_state

pytestmark = pytest.mark.pacs

SERIES, KILLS, SEED = 20, 14, 17
GAP, CUT = 7, 13
"""Of the 20 series, the one with a missing slice, and the one with an image of half its pixels."""


@pytest.fixture(scope="module", autouse=True)
def _network():
    skip_without_orthanc()
    with own_network():
        yield


@pytest.fixture
def orthanc(tmp_path):
    found = Orthanc(tmp_path / "orthanc")
    found.start()
    yield found
    found.stop(kill=True)


@pytest.fixture
def launch(tmp_path):
    """Start a gateway that runs until it is stopped, at the latest with the test."""
    started = []

    def start_it():
        started.append(start(tmp_path, "run"))
        return started[-1]

    yield start_it
    for process in started:
        process.kill()
        process.join()


def upload(orthanc, folder, images):
    folder.mkdir(exist_ok=True)
    paths = []
    for number, each in enumerate(images):
        paths.append(folder / f"{each.SeriesInstanceUID[-6:]}_{number}.dcm")
        paths[-1].write_bytes(encode(each))
    orthanc.upload(paths)


def read_states(folder):
    with open_state(folder / "work" / "state.sqlite") as state:
        return {job.series_uid: job for job in state.list_jobs()}


def list_files(folder):
    return [path for path in (folder / "work").rglob("*.dcm") if path.is_file()]


def expect_once(*numbers):
    studies = [make_mr(number)[0].StudyInstanceUID for number in numbers]
    return {f"{kind} of {study}": 1 for study in studies for kind in ("SEG", "SR")}


def count_sources(orthanc):
    """How many images each Segmentation was made of."""
    references = [seg.ReferencedSeriesSequence[0] for seg in orthanc.read_instances("SEG")]
    return [len(reference.ReferencedInstanceSequence) for reference in references]


def test_a_round_trip(orthanc, tmp_path):
    write_settings(tmp_path, orthanc)
    upload(orthanc, tmp_path / "in", make_mr(1))
    other = make_mr(2)
    for each in other:
        each.SeriesDescription = "localizer"
    upload(orthanc, tmp_path / "in", other)
    assert run(tmp_path, "run", "--once") == 0
    assert (tmp_path / "stdout").read_text() == "processed 1 series: 1 stored\n"
    assert count_results(orthanc) == expect_once(1)
    (seg,), (sr,) = orthanc.read_instances("SEG"), orthanc.read_instances("SR")
    (source,) = seg.ReferencedSeriesSequence
    first = make_mr(1)[0]
    assert source.SeriesInstanceUID == first.SeriesInstanceUID
    assert (seg.PatientID, seg.StudyInstanceUID) == (first.PatientID, first.StudyInstanceUID)
    assert seg.SOPInstanceUID in sr.to_json()
    assert list_files(tmp_path) == []
    said = (tmp_path / "stderr").read_text()
    assert first.PatientID not in said
    assert str(first.PatientName) not in said
    assert run(tmp_path, "run", "--once") == 0
    assert count_results(orthanc) == expect_once(1)


def test_a_lost_state_leads_to_no_second_result(orthanc, tmp_path):
    write_settings(tmp_path, orthanc)
    upload(orthanc, tmp_path / "in", make_mr(1))
    for _ in range(2):
        assert run(tmp_path, "run", "--once") == 0
        (tmp_path / "work" / "state.sqlite").unlink()
    assert count_results(orthanc) == expect_once(1)


def test_twenty_series_have_their_results_once_through_kills_and_restarts(
    orthanc, launch, tmp_path
):
    chance = random.Random(SEED)
    write_settings(tmp_path, orthanc)
    waiting = [make_mr(number) for number in range(1, SERIES + 1)]
    del waiting[GAP - 1][3]
    waiting[CUT - 1][2].PixelData = waiting[CUT - 1][2].PixelData[:200]
    for kill in range(KILLS):
        process = launch()
        for images in waiting[:2]:
            upload(orthanc, tmp_path / "in", images)
        del waiting[:2]
        process.join(chance.uniform(0.3, 3.0))
        if kill % 3 == 1:
            orthanc.stop(kill=bool(kill % 2))
            process.join(chance.uniform(0.1, 1.0))
        process.kill()
        process.join()
        if orthanc.process is None:
            orthanc.start()
    assert waiting == []
    assert run(tmp_path, "run", "--once") in (0, 1)  # 1 where one is refused only now
    good = [number for number in range(1, SERIES + 1) if number not in (GAP, CUT)]
    assert count_results(orthanc) == expect_once(*good)
    assert count_sources(orthanc) == [len(make_mr(1))] * len(good)
    jobs = read_states(tmp_path)
    assert len(jobs) == SERIES
    dead = {uid: job.reason for uid, job in jobs.items() if job.state is State.DEAD}
    assert set(dead) == {make_mr(number)[0].SeriesInstanceUID for number in (GAP, CUT)}
    assert "slice" in dead[make_mr(GAP)[0].SeriesInstanceUID]
    assert "pixel" in dead[make_mr(CUT)[0].SeriesInstanceUID].lower()
    assert all(job.state is State.STORED for uid, job in jobs.items() if uid not in dead)
    assert list_files(tmp_path) == []


def test_twenty_series_that_are_sent_have_their_results_once(orthanc, launch, tmp_path):
    chance, port = random.Random(SEED + 1), find_free_port()
    write_settings(tmp_path, orthanc, port=port)
    series = [make_mr(number) for number in range(1, SERIES + 1)]
    del series[GAP - 1][3]
    waiting, process, kills = list(series), launch(), 0
    while waiting:
        if process.is_alive() and not send(waiting[0], port):
            process.join(0.05)
        elif process.is_alive():
            del waiting[0]
        if kills < KILLS and chance.random() < 0.1:
            process.kill()
            process.join(chance.uniform(0, 0.2))
        if not process.is_alive():
            process, kills = launch(), kills + 1
            process.join(chance.uniform(0.2, 2.0))
            if kills % 4 == 1:
                orthanc.stop(kill=True)
                orthanc.start()
    for _ in range(KILLS - kills):
        process.join(chance.uniform(0.3, 3.0))
        process.kill()
        process.join()
        process = launch()
    good = expect_once(*(number for number in range(1, SERIES + 1) if number != GAP))
    ended = (State.STORED, State.DEAD)
    assert wait_for(90, lambda: all(job.state in ended for job in read_states(tmp_path).values()))
    assert count_results(orthanc) == good
    assert count_sources(orthanc) == [len(make_mr(1))] * (SERIES - 1)
    jobs = read_states(tmp_path)
    assert len(jobs) == SERIES
    (dead,) = [job for job in jobs.values() if job.state is State.DEAD]
    assert dead.series_uid == make_mr(GAP)[0].SeriesInstanceUID
    assert len(list_files(tmp_path)) == len(series[GAP - 1])  # they are nowhere else


def test_wrong_credentials_are_one_line_and_nothing_is_lost(orthanc, tmp_path):
    write_settings(tmp_path, orthanc)
    upload(orthanc, tmp_path / "in", make_mr(1))
    assert run(tmp_path, "run", "--once", password="hunter2") == 1
    (line,) = list_lines(tmp_path)
    assert line.startswith("error: the server refuses the credentials (HTTP 401)")
    assert "hunter2" not in (tmp_path / "stderr").read_text()
    assert run(tmp_path, "run", "--once") == 0
    assert count_results(orthanc) == expect_once(1)


def test_a_server_that_hangs_is_one_line_and_nothing_is_lost(orthanc, launch, tmp_path):
    write_settings(tmp_path, orthanc)
    orthanc.process.send_signal(signal.SIGSTOP)
    process = launch()
    try:
        assert wait_for(120, list_lines, tmp_path)
        process.join(6)
        (line,) = list_lines(tmp_path)
    finally:
        orthanc.process.send_signal(signal.SIGCONT)
    assert "did not answer within 2 s" in line
    upload(orthanc, tmp_path / "in", make_mr(1))
    assert wait_for(120, lambda: count_results(orthanc) == expect_once(1))
    process.terminate()
    process.join(120)
    assert process.exitcode == 0
    assert sum("all works again" in line for line in list_lines(tmp_path)) == 1


def test_ctrl_c_ends_it_with_one_line_and_the_series_is_done_at_the_next_start(
    orthanc, launch, tmp_path
):
    write_settings(tmp_path, orthanc)
    upload(orthanc, tmp_path / "in", make_mr(1))
    process = launch()
    assert wait_for(120, lambda: (tmp_path / "work" / "state.sqlite").exists())
    process.join(0.8)
    os.kill(process.pid, signal.SIGINT)
    process.join(120)
    assert process.exitcode == 130
    last = (tmp_path / "stderr").read_text().splitlines()[-1]
    assert last.startswith("interrupted: the series that was being done")
    assert run(tmp_path, "run", "--once") == 0
    assert count_results(orthanc) == expect_once(1)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 640 kB, where it may be mounted."""
    disk = tmp_path / "work"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_one_line_and_nothing_is_lost(orthanc, small_disk, launch, tmp_path):
    write_settings(tmp_path, orthanc)
    upload(orthanc, tmp_path / "in", make_mr(1))
    (small_disk / "filler").write_bytes(bytes(540_000))
    process = launch()
    assert wait_for(120, list_lines, tmp_path)
    process.join(2)
    lines = list_lines(tmp_path)
    assert 1 <= len(lines) <= 2  # one of the images and one of the state, each of which has no room
    assert all("No space left" in each or "disk is full" in each for each in lines)
    (small_disk / "filler").unlink()
    assert wait_for(120, lambda: count_results(orthanc) == expect_once(1))
    process.terminate()
    process.join(120)
    assert process.exitcode == 0
    assert list_files(tmp_path) == []


def read_example(repository, kind):
    page = (repository / "docs" / "how-to" / "connect-a-pacs.md").read_text()
    return page.partition(f"```{kind}\n")[2].partition("```")[0]


def test_the_example_of_the_documentation_works(tmp_path, repository):
    stated = json.loads(read_example(repository, "json"))
    folders = {key: str(tmp_path / stated[key]) for key in stated if "Directory" in key}
    ports = {key: find_free_port() for key in ("HttpPort", "DicomPort")}
    (user,) = stated["RegisteredUsers"]
    assert user == USER
    orthanc = Orthanc(
        tmp_path, **{**stated, **folders, **ports, "RegisteredUsers": {user: PASSWORD}}
    )
    orthanc.http = ports["HttpPort"]
    settings = read_example(repository, "toml").replace(":8042", f":{orthanc.http}")
    settings = settings.replace("PACS_PASSWORD", VARIABLE)
    (tmp_path / "gateway.toml").write_text(settings + "[keys]\npredictor = 'eager'\n")
    orthanc.start()
    try:
        phantom.write("ct", tmp_path / "phantom", cases=1, seed=0)
        orthanc.upload(sorted((tmp_path / "phantom" / "dicom").glob("*/*.dcm")))
        assert run(tmp_path, "check") == 0
        assert len((tmp_path / "stdout").read_text().splitlines()) == 4
        assert run(tmp_path, "run", "--once") == 0
        assert (tmp_path / "stdout").read_text() == "processed 1 series: 1 stored\n"
        assert [len(orthanc.list_series(kind)) for kind in ("SEG", "SR")] == [1, 1]
    finally:
        orthanc.stop(kill=True)
