"""Tests of medseg.cli.doctor: what is missing is told with a remedy; bad is what is required."""

import sys
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace

import pytest
from cli.commands import run_medseg

from medseg.cli import doctor
from medseg.cli.doctor import check_machine
from medseg.ingest.dicom.pixels import decoders


@pytest.fixture
def installed(monkeypatch):
    """Versions that differ from the real ones; None stands for not installed."""
    changed = {}

    def fake(name):
        found = changed.get(name, version(name))
        if found is None:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(doctor, "version", fake)
    return changed


def _finding(topic):
    [finding] = [finding for finding in check_machine() if finding.topic == topic]
    return finding


def test_every_topic_has_one_line():
    topics = [finding.topic for finding in check_machine()]
    assert len(topics) == len(set(topics))
    for topic in ("medseg", "python", "torch", "monai", "numpy", "pytorch-ignite", "nibabel"):
        assert topic in topics
    for topic in ("cpu", "memory", "disk", "DICOM JPEG lossless", "DICOM RLE", "allocator"):
        assert topic in topics
    assert all("\n" not in finding.text for finding in check_machine())


def test_the_packages_of_this_environment_fit():
    needed = {"torch", "monai", "numpy", "simpleitk", "pydicom", "python", "other requirements"}
    found = {finding.topic: finding.ok for finding in check_machine() if finding.topic in needed}
    assert found == dict.fromkeys(needed, True)


def test_nothing_is_printed(capsys):
    list(check_machine())
    assert capsys.readouterr().out == ""


def test_a_required_package_that_is_missing_is_bad(installed):
    installed["nibabel"] = None
    finding = _finding("nibabel")
    assert not finding.ok
    assert finding.text == "not installed, needs >=5.3: pip install 'nibabel>=5.3'"


def test_a_required_package_that_is_too_new_is_bad(installed):
    installed["monai"] = "1.7.0"
    finding = _finding("monai")
    assert not finding.ok
    assert finding.text.startswith("1.7.0, needs <1.7,>=1.6.1: pip install 'monai<1.7")


def test_a_build_of_torch_for_cuda_fits(installed):
    installed["torch"] = "2.13.0+cu130"
    assert _finding("torch").ok


def test_a_package_without_a_line_of_its_own_gets_one_when_it_is_missing(installed):
    named = [finding.topic for finding in check_machine()]
    others = [needed for needed in doctor._list_requirements() if needed.name.lower() not in named]
    assert "jsonschema" in [needed.name for needed in others]
    installed["jsonschema"] = None
    assert not _finding("jsonschema").ok
    fitting = f"{len(others) - 1} of {len(others)} installed as required"
    assert _finding("other requirements").text == fitting


@pytest.mark.parametrize(
    ("package", "extra"),
    [
        ("openvino", "fast"),
        ("mlflow", "tracking"),
        ("onnx", "export"),
    ],
)
def test_an_optional_package_that_is_missing_is_no_fault(installed, package, extra):
    installed[package] = None
    finding = _finding(package)
    assert finding.ok
    assert finding.is_missing
    assert finding.text.startswith("not installed, needs ")
    assert finding.text.endswith(f" (optional): pip install 'medseg[{extra}]'")


def test_only_what_is_there_is_shown_as_ok(installed):
    installed["mlflow"] = None
    lines = run_medseg("doctor").stdout.splitlines()
    (line,) = (line for line in lines if " mlflow " in line)
    assert line.startswith("--   mlflow ")
    assert any(line.startswith("ok   torch ") for line in lines)


def test_a_python_out_of_range_is_bad(monkeypatch):
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.9.1")
    finding = _finding("python")
    assert not finding.ok
    assert finding.text.startswith("3.9.1, needs >=3.10")


def test_a_torch_that_cannot_be_imported_is_bad(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    finding = _finding("device")
    assert not finding.ok
    assert "cannot be imported" in finding.text


def test_each_gpu_has_a_line(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (3 * 2**30, 8 * 2**30))
    assert _finding("cuda:1").text.startswith("GPU 1, 3.0 of 8.0 GiB free; ")


@pytest.mark.parametrize(
    ("there", "end"),
    [(True, "inference by OpenVINO"), (False, "PyTorch (faster: pip install 'medseg[fast]')")],
)
def test_the_line_of_the_cpu_tells_how_inference_is_run(monkeypatch, there, end):
    monkeypatch.setattr("medseg.inference.predictor.backends.is_installed", lambda backend: there)
    assert _finding("cpu").text.endswith(end)


def test_a_system_that_does_not_tell_its_memory_is_no_fault(monkeypatch):
    monkeypatch.setattr(doctor, "find_machine_bytes", lambda: None)
    assert _finding("memory").ok


@pytest.mark.parametrize(("free_gib", "ok"), [(3.9, False), (4.0, True)])
def test_little_memory_is_bad(monkeypatch, free_gib, ok):
    monkeypatch.setattr(doctor, "find_machine_bytes", lambda: (free_gib * 2**30, 8 * 2**30))
    assert _finding("memory").ok is ok


@pytest.mark.parametrize(("free_gib", "ok"), [(1.9, False), (2.0, True)])
def test_little_disk_is_bad(monkeypatch, free_gib, ok):
    usage = SimpleNamespace(free=free_gib * 2**30, total=9 * 2**30)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    assert _finding("disk").ok is ok


def test_a_transfer_syntax_without_decoder_is_bad(monkeypatch):
    def get_decoder(uid):
        return SimpleNamespace(UID=uid, is_available=False, available_plugins=())

    monkeypatch.setattr(decoders, "get_decoder", get_decoder)
    finding = _finding("DICOM JPEG-LS")
    assert not finding.ok
    assert finding.text.startswith("cannot decode JPEG-LS Lossless Image Compression, JPEG")
    assert ": pip install " in finding.text


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("JPEG baseline", "by pillow"),
        ("JPEG lossless", "by imagecodecs"),
        ("JPEG-LS", "by pyjpegls"),
        ("JPEG 2000", "by pylibjpeg"),
        ("RLE", "by medseg itself"),
    ],
)
def test_the_decoder_that_is_used_is_named(topic, text):
    assert _finding(f"DICOM {topic}").text == text


@pytest.mark.parametrize(("taken", "text"), [(True, "tuned"), (False, "left as it is")])
def test_the_allocator_is_told_either_way(monkeypatch, taken, text):
    monkeypatch.setattr(doctor, "keep_freed_pages", lambda: taken)
    assert text in _finding("allocator").text
    assert _finding("allocator").ok
