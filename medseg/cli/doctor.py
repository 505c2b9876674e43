"""Doctor: what this machine has for medseg, one line each, and what to do about what is missing."""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from medseg.base.memory import find_machine_bytes, keep_freed_pages

LOW_MEMORY_GIB = 4.0
"""Segmenting a CT of 512x512x129 peaks at 3.1 GiB with a 3D network, see docs/benchmarks."""

LOW_DISK_GIB = 2.0

_NAMED_PACKAGES = (
    "torch",
    "monai",
    "numpy",
    "pytorch-ignite",
    "nibabel",
    "simpleitk",
    "pydicom",
    "highdicom",
)
_EXTRAS = ("fast", "tracking", "export", "encoders", "datasets")
_DECODERS = {
    "JPEG baseline": ("JPEGBaseline8Bit",),
    "JPEG extended": ("JPEGExtended12Bit",),
    "JPEG lossless": ("JPEGLossless", "JPEGLosslessSV1"),
    "JPEG-LS": ("JPEGLSLossless", "JPEGLSNearLossless"),
    "JPEG 2000": ("JPEG2000Lossless", "JPEG2000"),
    "HTJ2K": ("HTJ2KLossless", "HTJ2KLosslessRPCL", "HTJ2K"),
    "RLE": ("RLELossless",),
    "deflated": ("DeflatedExplicitVRLittleEndian",),
}
_DECODER_REMEDY = "pip install imagecodecs pylibjpeg pylibjpeg-openjpeg pyjpegls"


@dataclass(frozen=True)
class Finding:
    """One line of the report; `text` of a finding that is not `ok` ends with a remedy.

    Something optional that is missing is `ok`, and `is_missing`.
    """

    ok: bool
    topic: str
    text: str
    is_missing: bool = False


def check_machine() -> Iterator[Finding]:
    """Look at the installed packages, the device, memory, disk, decoders, allocator and extras.

    Nothing is written. A missing package never raises; optional ones are ok when missing.

    Example:
        >>> [finding.text for finding in check_machine() if not finding.ok]
        []
    """
    yield from _check_packages()
    yield from _check_devices()
    yield _check_memory()
    yield _check_disk()
    yield from _check_decoders()
    yield _check_allocator()
    yield from _check_extras()


def _check_packages() -> Iterator[Finding]:
    yield Finding(True, "medseg", version("medseg"))
    yield _check_python(platform.python_version(), str(metadata("medseg")["Requires-Python"]))
    required = {str(canonicalize_name(needed.name)): needed for needed in _list_requirements()}
    yield from (_check_package(required.pop(name)) for name in _NAMED_PACKAGES if name in required)
    rest = [_check_package(needed) for needed in required.values()]
    yield from (finding for finding in rest if not finding.ok)
    fitting = sum(finding.ok for finding in rest)
    yield Finding(True, "other requirements", f"{fitting} of {len(rest)} installed as required")


def _list_requirements(extra: str = "") -> list[Requirement]:
    """What medseg needs always, or what one of its extras adds."""
    listed = [Requirement(line) for line in requires("medseg") or ()]
    if extra:
        return [needed for needed in listed if _applies(needed, extra) and not _applies(needed)]
    return [needed for needed in listed if _applies(needed)]


def _applies(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _check_python(installed: str, needed: str) -> Finding:
    if SpecifierSet(needed).contains(installed, prereleases=True):
        return Finding(True, "python", f"{installed} (needs {needed})")
    return Finding(False, "python", f"{installed}, needs {needed}: install another Python")


def _check_package(requirement: Requirement) -> Finding:
    needed = str(requirement.specifier) or "any version"
    remedy = f"pip install '{requirement.name}{requirement.specifier}'"
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return Finding(False, requirement.name, f"not installed, needs {needed}: {remedy}")
    if requirement.specifier.contains(installed, prereleases=True):
        return Finding(True, requirement.name, f"{installed} (needs {needed})")
    return Finding(False, requirement.name, f"{installed}, needs {needed}: {remedy}")


def _check_devices() -> Iterator[Finding]:
    try:
        import torch

        from medseg.inference.predictor.backends import is_installed
        from medseg.inference.predictor.precision import gains_by_bfloat16
    except (ImportError, OSError) as error:
        reason = str(error).splitlines()[0]
        text = f"torch or monai cannot be imported ({reason}): reinstall it"
        yield Finding(False, "device", text)
        return
    for index in range(torch.cuda.device_count()):
        name, size = torch.cuda.get_device_name(index), torch.cuda.mem_get_info(index)
        text = f"{name}, {_format_gib(size[0])} of {_format_gib(size[1])} GiB free"
        yield Finding(
            True, f"cuda:{index}", f"{text}; {_describe_precision(gains_by_bfloat16('cuda'))}"
        )
    threads = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"
    by = "OpenVINO" if is_installed("openvino") else "PyTorch (faster: pip install 'medseg[fast]')"
    text = f"{threads}; {_describe_precision(gains_by_bfloat16('cpu'))}; inference by {by}"
    yield Finding(True, "cpu", text)


def _describe_precision(gains: bool) -> str:
    return "mixed precision in bfloat16" if gains else "float32 (bfloat16 is no faster here)"


def _check_memory() -> Finding:
    try:
        sizes = find_machine_bytes()
    except ImportError:  # psutil is missing, which is said among the packages
        sizes = None
    if sizes is None:
        return Finding(True, "memory", "unknown on this system")
    free, total = sizes
    text = f"{_format_gib(free)} of {_format_gib(total)} GiB free"
    if free >= LOW_MEMORY_GIB * 2**30:
        return Finding(True, "memory", text)
    return Finding(False, "memory", f"{text}, below {LOW_MEMORY_GIB:g}: close other programs")


def _check_disk() -> Finding:
    usage = shutil.disk_usage(Path.cwd())
    text = (
        f"{_format_gib(usage.free)} of {_format_gib(usage.total)} GiB free in the working directory"
    )
    if usage.free >= LOW_DISK_GIB * 2**30:
        return Finding(True, "disk", text)
    return Finding(False, "disk", f"{text}, below {LOW_DISK_GIB:g}: free some, or work elsewhere")


def _format_gib(size: float) -> str:
    return f"{size / 2**30:.1f}"


def _check_decoders() -> Iterator[Finding]:
    try:
        import pydicom.uid

        from medseg.ingest.dicom.pixels.decoders import find_plugin
    except ImportError:
        return  # told among the packages already
    for topic, names in _DECODERS.items():
        plugins, missing = set(), []
        for syntax in (getattr(pydicom.uid, name) for name in names):
            try:
                plugins.add(find_plugin(syntax))
            except NotImplementedError:
                missing.append(syntax.name)
        by = ", ".join(sorted(plugins)) or "medseg itself"
        text = f"cannot decode {', '.join(missing)}: {_DECODER_REMEDY}" if missing else f"by {by}"
        yield Finding(not missing, f"DICOM {topic}", text)


def _check_allocator() -> Finding:
    if keep_freed_pages():
        return Finding(True, "allocator", "glibc, tuned to keep freed pages while medseg runs")
    text = f"left as it is on {platform.system()}: a network on the CPU may take twice as long"
    return Finding(True, "allocator", text)


def _check_extras() -> Iterator[Finding]:
    for extra in _EXTRAS:
        for requirement in _list_requirements(extra):
            found = _check_package(requirement)
            if found.ok:
                yield found
                continue
            state = found.text.partition(":")[0]
            text = f"{state} (optional): pip install 'medseg[{extra}]'"
            yield Finding(True, requirement.name, text, is_missing=True)
