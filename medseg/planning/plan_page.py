"""Plan page: what was found in the data and why a training is planned so, for a person."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from medseg.base.files import whole
from medseg.base.text import count_noun, escape_unprintable
from medseg.inference.preview.thumbnail import get_colour
from medseg.planning.case_facts import CaseFacts
from medseg.planning.checks.doubts import Doubt
from medseg.planning.checks.list_faults import list_faults
from medseg.planning.fingerprint import ChannelValues, Fingerprint
from medseg.planning.task import Choice, LayerChoice

MOST_SHOWN = 24
"""Cases that are shown with a picture, beside those that are odd."""

TEMPLATE = Path(__file__).with_suffix(".html")


def write_plan_page(
    path: Path,
    *,
    name: str,
    place: str,
    found: Fingerprint,
    choices: Sequence[Choice],
    classes: Mapping[str, Sequence[int]],
    facts: Sequence[CaseFacts],
    doubts: Sequence[Doubt],
    of_layers: Sequence[LayerChoice] = (),
    costs: Sequence[str] = (),
    split: Sequence[str] = (),
    readers: Sequence[str] = (),
    dicom_rows: Sequence[Sequence[str]] = (),
    notes: Sequence[str] = (),
) -> None:
    """Write the page: one file of HTML that needs no other and no network, and runs nothing.

    Args:
        path: of the page.
        name: of the bundle.
        place: what names it in a command.
        found: the fingerprint of the data.
        choices: the keys of the task file, and why.
        of_layers: what it leaves to the layers.
        classes: class name -> label values.
        facts: of the cases, for their pictures.
        doubts: what is odd.
        costs: what a step takes on this machine, a line each.
        split: how the cases are split, then what is doubtful about it, see `describe_split`.
        readers: how far several readers agree, a line each.
        dicom_rows: of DICOM: case, folder of the series, object, and what its names became.
        notes: what was told of the data, a line each; those that are alike become one.
    """
    odd = {doubt.case: [d.finding for d in doubts if d.case == doubt.case] for doubt in doubts}
    shown = [one for one in facts if one.case in odd]
    others = [one for one in facts if one.case not in odd]
    step = max(len(others) // MOST_SHOWN, 1)
    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=_make_safe)
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        name=name,
        place=place,
        is_volume=found.dimensions == 3,
        rows=[
            *_describe(found, classes),
            *(("readers", line) for line in readers),
            *(("split", line) for line in split[:1]),
        ],
        warnings=[*split[1:], *list_faults(notes, [one.case for one in facts])],
        key=_list_colours(found.values, classes),
        choices=[(one.key, one.value, one.why) for one in choices],
        of_layers=[(one.key, one.value, one.why, one.change.split("`")) for one in of_layers],
        costs=list(costs),
        dicom_rows=dicom_rows,
        odd=[(one.case, _embed(one), "; ".join(odd[one.case])) for one in shown],
        others=[(one.case, _embed(one)) for one in others[::step][:MOST_SHOWN]],
    )
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _make_safe(value: object) -> object:
    """A value with escapes in the place of what cannot be printed."""
    return value if isinstance(value, Markup) else escape_unprintable(str(value))


def _embed(one: CaseFacts) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(one.thumbnail).decode()}"


def _list_colours(
    values: Sequence[int], classes: Mapping[str, Sequence[int]]
) -> list[tuple[str, str]]:
    """The colour of each label value in the pictures, and the innermost class that has it."""
    key = []
    for value in (value for value in values if value):
        having = [name for name, each in classes.items() if value in each]
        name = min(having, key=lambda one: len(classes[one]), default="in no class")
        red, green, blue = get_colour(value)
        key.append((f"rgb({red}, {green}, {blue})", f"{name} (label {value})"))
    return key


def _describe(found: Fingerprint, classes: Mapping[str, Sequence[int]]) -> list[tuple[str, str]]:
    """What the cases have in common, a line each."""
    is_volume = found.dimensions == 3
    kind = _describe_kind(found)
    varies = ", differs between cases" if found.spacing_varies else ""
    lines = [
        ("cases", f"{found.cases}, {kind}"),
        ("median size", _join(found.shape) + f" (smallest {_join(found.smallest_shape)})"),
        *([("median spacing", f"{_join(found.spacing_mm)} mm{varies}")] if is_volume else []),
        *([("anisotropy", _describe_anisotropy(found))] if is_volume else []),
        *(_describe_values(one, found) for one in found.channels),
    ]
    for label, values in classes.items():
        known = [value for value in values if value in found.shares]
        share = sum(found.shares[value] for value in known)
        cases = max((found.present[value] for value in known), default=0)
        voxels = "voxels" if is_volume else "pixels"
        numbers = ", ".join(map(str, values))
        said = f"label {numbers}; in {cases} of {found.cases} cases; {100 * share:.1f} % of the "
        said += f"labelled {voxels}; {_describe_size(found, known)}"
        lines.append((f"class {label}", said))
    return lines


def _describe_anisotropy(found: Fingerprint) -> str:
    if found.anisotropy < 1.01:
        return "none: voxels are as long along each axis"
    return f"voxels are {found.anisotropy:.3g} times as long along one axis as along another"


def _describe_size(found: Fingerprint, values: Sequence[int]) -> str:
    """How large the smallest label of a class is as a rule, and in how many parts it lies."""
    if not values:
        return "of no size"
    smallest = min(values, key=lambda value: found.smallest_mm[value])
    said = _describe_median(found.smallest_mm[smallest], found)
    if (parts := found.parts.get(smallest, 1.0)) > 1:
        said += f", in {parts:.0f} separate parts with "
        said += _describe_median(found.part_mm[smallest], found)
    return said


def _describe_median(edge: float, found: Fingerprint) -> str:
    """The median volume, or area, of which the edge of a cube, or a square, is known."""
    if found.dimensions == 2:
        return f"a median area of {edge**2:.0f} pixels (a square {edge:.0f} pixels wide)"
    volume = f"{edge**3 / 1000:.3g} mL" if edge >= 10 else f"{edge**3:.3g} mm³"
    return f"a median volume of {volume} (a cube {edge:.3g} mm wide)"


def _describe_kind(found: Fingerprint) -> str:
    if found.dimensions == 2:
        return f"pictures, {count_noun(found.colours, 'channel')}"
    kinds = ["CT" if one.is_ct else "volumes, not CT" for one in found.channels]
    if len(kinds) == 1:
        return f"{kinds[0]}, 1 channel"
    names = ", ".join(one.name for one in found.channels)
    return f"volumes, {len(kinds)} channels: {names}"


def _describe_values(channel: ChannelValues, found: Fingerprint) -> tuple[str, str]:
    """What the values of a channel within labels are."""
    low, middle, high = channel.percentiles
    said = (
        f"{low:.4g} to {high:.4g} (0.5 to 99.5 percentile), median {middle:.4g}, mean "
        f"{channel.mean:.4g}, SD {channel.sd:.4g}"
    )
    if len(found.channels) == 1:
        return "values within labels", said
    kind = "CT" if channel.is_ct else "not CT"
    there = f", in {channel.cases} of {found.cases} cases" * (channel.cases < found.cases)
    return f"channel {channel.name}", f"{kind}{there}; values within labels {said}"


def _join(sizes: Sequence[float]) -> str:
    return " x ".join(f"{size:g}" for size in sizes)
