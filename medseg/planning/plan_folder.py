"""Plan folder: look at a folder of images and labels, and plan a training on them."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from medseg.base.text import count_noun, shorten_list
from medseg.datasets.own.channels import ChannelRules, align_channels
from medseg.datasets.own.class_names import (
    are_mixed,
    choose_classes,
    find_ignored,
    read_classes,
    read_declared_values,
)
from medseg.datasets.own.dicom.dicom_cases import UNMATCHED
from medseg.datasets.own.find_cases import FoundCases, find_cases
from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.patients import describe_shared_names, find_patients
from medseg.datasets.own.segment_names import name_segments
from medseg.datasets.own.turn_labels import turn_labels
from medseg.ingest.file_words import find_kind
from medseg.planning.case_facts import CaseFacts
from medseg.planning.checks.doubts import find_doubts, warn_of_few
from medseg.planning.checks.label_values import check_classes, warn_of_rare
from medseg.planning.checks.odd_values import join_values
from medseg.planning.fingerprint import Fingerprint, make_fingerprint
from medseg.planning.plan import (
    CHANNEL_DROPOUT,
    FEWEST_CASES,
    FOLDS,
    make_plan,
)
from medseg.planning.planned_folder import LISTS, PlannedFolder, describe_few
from medseg.planning.read_cases import read_cases
from medseg.planning.reader_targets import make_targets, warn_of_bits
from medseg.planning.task import Choice, Preset

logger = logging.getLogger(__name__)

Dims = Literal["2d", "3d"]

CASE_FILES = (
    "images/*.nii.gz",
    "labels/*.nii.gz",
    "labels/*.png",
    "masks/*.png",
    "readers/*.nii.gz",
    "readers/*.png",
    "turned/*.nii.gz",
    "named/*.nii.gz",
)
"""What `plan_folder` writes beside the datalist: images and labels of DICOM, also those of each
reader, targets of readers, masks, labels turned onto the axes of their images, and labels of
segments with the values that most cases have."""


def plan_folder(
    name: str,
    data: Path,
    *,
    lists: Path = LISTS,
    images: str | None = None,
    labels: Sequence[str] = (),
    classes: Mapping[str, Sequence[int]] | None = None,
    patients: str | None = None,
    readers: str | None = None,
    readers_as_bits: bool = False,
    channels: ChannelRules | None = None,
    preset: Preset = "small",
    dims: Dims | None = None,
) -> PlannedFolder:
    """Check the cases of a folder, and plan a training on them.

    Nothing is written to `lists` but `CASE_FILES`.

    Args:
        name: of the bundle.
        data: the folder of images and labels, a table or a datalist, see `find_cases`.
        lists: folder of the datalists.
        images: a pattern of the paths of images; `labels` likewise, see `find_cases`.
        classes: class name -> label values that it gathers; None for the names that dataset.json
            gives, or else for each value a class.
        patients: a regular expression whose first group is the patient of a case, see
            `medseg.datasets.own.patients.find_patients`.
        readers: how the labels of several readers are combined, one of
            `medseg.datasets.own.readers.combine.METHODS`; None where each case has one label.
        readers_as_bits: whether one label file of a case holds its readers as bits.
        channels: what a person says of those of the images; None to take them as found.
        preset: size of network and training, see `medseg.planning.plan.SIZES`.
        dims: of the network for volumes, "3d" if None; "2d" see `PlannedFolder.cut_into_slices`.

    Raises:
        FileNotFoundError: `data` does not exist.
        ValueError: there are no cases, or cases are faulty, each of which was logged; or `dims` is
            given for pictures.
    """
    channels = channels or ChannelRules()
    data = _make_absolute(data) if ".." in data.parts else data
    _check_pattern(patients)
    cases = find_cases(
        data,
        out=lists / name,
        images=images,
        labels=labels,
        several_readers=readers is not None and not readers_as_bits,
        channels=channels,
    )
    if bare := [pair.case for pair in cases.pairs if pair.label is None]:
        logger.warning(
            "left out, as images without a label: %s (%d)", shorten_list(bare), len(bare)
        )
    cases = _name_segments(cases, lists / name, read_classes(data) if classes is None else classes)
    targets = make_targets(
        cases,
        method=readers,
        data=data,
        name=name,
        out=lists / name,
        classes=classes,
        as_bits=readers_as_bits,
    )
    cases = targets.cases
    labelled, lacking = align_channels(
        [pair for pair in cases.pairs if pair.label is not None],
        data if data.is_dir() else data.parent,
        channels,
    )
    labelled = turn_labels(labelled, lists / name)
    owners = find_patients(labelled, data, patients)
    items = [_list_item(pair, owner) for pair, owner in zip(labelled, owners, strict=True)]
    named = cases.classes if classes is None else classes
    declared = read_declared_values(data) if named is None else ()
    facts = read_cases(
        labelled,
        [*cases.faults, *lacking],
        declared=declared,
        classes=named or {},
        resample=channels.resample,
    )
    _warn_of_no_ct(labelled, facts)
    values = sorted({0, *targets.values}.union(*(one.counts for one in facts)))
    chosen = (
        choose_classes(
            *(data, name, values),
            mixed=are_mixed(one.counts for one in facts),
            segments=cases.segments,
        )
        if named is None
        else dict(named)
    )
    if named is None and not declared and not cases.segments:
        warn_of_bits(values)
    facts = join_values(facts, chosen)
    are_declared = bool(declared) or named is not None
    made = make_fingerprint(facts, classes=chosen if are_declared else None)
    found = replace(made, values=tuple(values))
    if dims is not None and found.dimensions == 2:
        raise ValueError("the images are pictures, which are planned in 2D: leave --dims out")
    plan = [*make_plan(found, preset=preset), *_choose_channels(found, channels)]
    choices = targets.adapt(plan)
    spacing = next((one.value for one in choices if one.key == "spacing_mm"), found.spacing_mm)
    unmatched = {row[0] for row in cases.rows if row[-1].endswith(UNMATCHED)}
    folds = _find_folds([pair.fold for pair in labelled if pair.fold is not None])
    warn_of_rare(facts, spacing, folds=folds or FOLDS, unmatched=unmatched)
    if dims != "2d":
        _warn_of_small(facts, spacing, choices)
    ignored = [value for value in find_ignored(data) if value in found.values]
    if classes is not None:
        check_classes(classes, found.values, ignored=ignored)
    own = [pair.case for pair, one in zip(labelled, owners, strict=True) if pair.case == one]
    if folds is None and (said := describe_shared_names(own)):
        logger.warning(said)
    if folds is None:
        _check_patients(items, _find_source_of_patients(data, cases, patients))
    warn_of_few(facts)
    planned = PlannedFolder(
        name=name,
        items=items,
        found=found,
        choices=[*choices, *_choose_ignored(ignored), _choose_folds(folds)],
        classes=chosen,
        datalist_dir=lists / name,
        folds=folds,
        dicom_rows=cases.rows,
        readers=targets if targets.method else None,
        facts=facts,
        doubts=find_doubts(facts),
        preset=preset,
    )
    return planned.cut_into_slices(name) if dims == "2d" else planned


def _warn_of_no_ct(pairs: Sequence[Pair], facts: Sequence[CaseFacts]) -> None:
    """Say which cases are stated to be a CT and have other values than Hounsfield units."""
    odd = [
        one.case
        for pair, one in zip(pairs, facts, strict=True)
        for kind, channel in zip(pair.kinds, one.channels, strict=False)
        if find_kind(kind) == "CT" and channel is not None and not channel.is_ct
    ]
    if odd:
        logger.warning(
            "stated to be a CT, but with values that cannot be Hounsfield units: %s (%d); such "
            "images are scaled by their own mean and deviation, where they are most of the cases",
            *(shorten_list(odd), len(odd)),
        )


def _check_pattern(patients: str | None) -> None:
    """Refuse what is no regular expression, before any case is looked for."""
    try:
        re.compile(patients or "")
    except re.error as error:
        raise ValueError(
            f"--patients {patients} is no regular expression ({error}): write the part that is the "
            "patient in brackets, such as '(p[0-9]+)_'"
        ) from error


def _name_segments(
    cases: FoundCases, out: Path, declared: Mapping[str, Sequence[int]]
) -> FoundCases:
    """The cases with one label value for each name of a segment, see `name_segments`."""
    if cases.faults:
        return cases
    made = name_segments(cases.pairs, out, declared=declared)
    return replace(cases, pairs=made.pairs, faults=made.faults, segments=made.classes)


def _choose_ignored(values: Sequence[int]) -> list[Choice]:
    return [Choice("ignore", list(values), "what dataset.json calls so")] if values else []


def _find_folds(given: Sequence[int]) -> int | None:
    """How many folds cases came with, if any; refuse one alone, and numbers without a case."""
    if not given:
        return None
    folds = max(given) + 1
    if folds < 2:
        raise ValueError(
            "all cases are in fold 0, and none is left to train on: give two folds or more, or "
            "leave the folds out to let medseg choose them"
        )
    if empty := sorted({*range(folds)} - {*given}):
        raise ValueError(
            f"no case is in fold {empty[0]}, and fold {folds - 1} has some: number the folds from "
            "0 on without a gap"
        )
    return folds


def _choose_folds(given: int | None) -> Choice:
    if given is not None:
        return Choice("folds", given, "the cases came with them")
    share = f"{100 / FOLDS:.0f} % of the patients that are not for testing"
    return Choice("folds", FOLDS, f"each is validated by {share}")


def _find_source_of_patients(data: Path, cases: FoundCases, patients: str | None) -> str:
    """What says which patient each case is of; "" where each is of another one."""
    if patients is not None:
        return "--patients"
    if not any(pair.patient for pair in cases.pairs):
        return ""
    return "PatientID" if cases.rows else f"the patients in {data.name}"


def _check_patients(items: Sequence[Mapping[str, Any]], source: str) -> None:
    """Refuse cases of too few patients: one each is for training, validation and test."""
    patients = {item["patient"] for item in items}
    if len(patients) < FEWEST_CASES:
        raise ValueError(
            f"{describe_few(items, patients)}, and no split may separate those of one: give cases "
            f"of {FEWEST_CASES} or more{f', or correct {source}' if source else ''}"
        )


def _warn_of_small(
    facts: Sequence[CaseFacts], spacing: Sequence[float], choices: Sequence[Choice]
) -> None:
    """Say which images are less than half as long as a patch, of which the rest is padding."""
    patch = next(one.value for one in choices if one.key == "image_size")
    half_mm = [n * step / 2 for n, step in zip(patch, spacing, strict=True)]
    small = [
        one.case
        for one in facts
        if any(
            n * step < least
            for n, step, least in zip(one.shape, one.spacing_mm, half_mm, strict=True)
        )
    ]
    if small:
        logger.warning(
            "%s less than half as long as the patch of %s along an axis and padded: %s; pass a "
            "smaller image_size in task.json if many are",
            count_noun(len(small), "image is", plural="images are"),
            *("x".join(map(str, patch)), shorten_list(small)),
        )


def _choose_channels(found: Fingerprint, rules: ChannelRules) -> list[Choice]:
    """The keys that the rules of a person for the channels ask for."""
    if len(found.channels) == 1:
        return []
    choices = []
    if rules.patterns:
        patterns = {name: list(each) for name, each in rules.patterns.items()}
        choices.append(Choice("channel_series", patterns, "asked for: series of a DICOM study"))
    if rules.resample:
        choices.append(Choice("resample_channels", True, "asked for: onto the grid of the first"))
    if rules.allow_missing:
        why = "the chance that a step trains without a channel, since cases may lack some"
        choices.append(Choice("channel_dropout", CHANNEL_DROPOUT, why))
    return choices


def _list_item(pair: Pair, patient: str) -> dict[str, Any]:
    """An entry of the datalist, with the absolute paths of its files."""
    label = pair.label or Path()
    images = [None if file is None else str(_make_absolute(file)) for file in pair.images]
    paths = {
        "image": images if len(pair.channels) > 1 else images[0],
        "label": str(_make_absolute(label)),
    }
    fold = {} if pair.fold is None else {"fold": pair.fold}
    readers = {name: str(_make_absolute(file)) for name, file in pair.readers.items()}
    more = {**fold, **({"readers": readers} if readers else {})}
    return {"case": pair.case, "patient": patient, **paths, **more}


def _make_absolute(path: Path) -> Path:
    """An absolute path without .., whose last part is as it is, even where it is a link."""
    return path.parent.resolve() / path.name if ".." in path.parts else path.absolute()
