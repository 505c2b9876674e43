"""Tests of scripts/benchmark_memory.py: it compares equal networks, and its arithmetic is right."""

import json
import mmap

import pytest
import torch


@pytest.fixture(scope="module")
def benchmark(script):
    return script("benchmark_memory")


@pytest.mark.long
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("dims", [2, 3])
def test_the_compared_networks_give_the_same_logits(benchmark, dims, mode):
    networks = benchmark.build(benchmark.COMPARED[mode], dims=dims, training=mode == "training")
    assert [network.training for network in networks.values()] == [mode == "training"] * len(
        networks
    )
    image = torch.rand(1, 1, *[32] * dims)
    first, *others = [benchmark.STEPS[mode](network, image) for network in networks.values()]
    for other in others:
        torch.testing.assert_close(other, first, rtol=1e-4, atol=1e-4)


def test_training_leaves_a_gradient_and_inference_none(benchmark):
    network = benchmark.build([benchmark.OURS], dims=2, training=True)[benchmark.OURS]
    benchmark.infer(network, torch.rand(1, 1, 32, 32))
    assert all(parameter.grad is None for parameter in network.parameters())
    benchmark.train(network, torch.rand(1, 1, 32, 32))
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_growth_is_what_the_work_holds_at_its_highest(benchmark):
    held = 64 * 2**20

    def work():
        with mmap.mmap(-1, held) as block:  # fresh pages, whatever the allocator has kept
            for page in range(0, held, mmap.PAGESIZE):
                block[page] = 1

    assert benchmark.measure_growth(work) == pytest.approx(
        held, rel=0.05
    )  # pages, and a lazy counter
    assert benchmark.measure_growth(lambda: None) < 2**20


@pytest.mark.long
def test_one_measurement_runs_in_its_own_process(benchmark):
    job = {"mode": "inference", "size": [32, 32], "kept": True, "names": [benchmark.OURS]}
    measured = benchmark.in_process(job | {"rounds": 2}, threads=1)
    assert measured["differences"] == {benchmark.OURS: 0.0}
    assert len(measured["seconds"][benchmark.OURS]) == 2


def test_the_rows_and_the_pages_come_from_the_measurements(benchmark, tmp_path, monkeypatch):
    peaks = {benchmark.THEIRS: 100 * 2**20, benchmark.OURS: 50 * 2**20}
    peaks[benchmark.CHECKPOINTED] = 25 * 2**20

    def measure(job, *, threads):
        assert threads == 1
        if job["rounds"] == 0:
            return {"peak_bytes": peaks[job["names"][0]]}
        seconds = {name: [2.0 + k] * job["rounds"] for k, name in enumerate(job["names"])}
        return {"seconds": seconds, "differences": dict.fromkeys(job["names"], 0.0)}

    monkeypatch.setattr(benchmark, "in_process", measure)
    threads = torch.get_num_threads()
    assert benchmark.main(["--out", str(tmp_path)]) == 0
    torch.set_num_threads(threads)
    page = (tmp_path / "memory.md").read_text()
    assert "| 2D 512x512 | no | NestedUNet | 50 | 0.50 | 3.00 | 1.50 | 0e+00 |" in page
    last = "| 3D 96x96x96 | yes | NestedUNet, checkpointing | 25 | 0.25 | 4.00 | 2.00 | 0e+00 |"
    assert page.splitlines()[-1] == last
    numbers = json.loads((tmp_path / "memory.json").read_text())
    assert len(numbers["rows"]) == 4 * 2 + 2 * 3
    assert numbers["rows"][1]["peak_ratio"] == 0.5
    for key in ("hardware", "versions", "commit", "command"):
        assert numbers[key] in page
