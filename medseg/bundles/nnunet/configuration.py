"""Configuration: what the plans.json of nnU-Net says of one network and of what it sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medseg.bundles.nnunet.architecture import find_architecture
from medseg.bundles.nnunet.plain_values import get_mapping, read_numbers, read_whole
from medseg.networks.nnunet.build import find_total_stride
from medseg.transforms.nnunet.normalize import NEEDED

SCHEMES = {
    "CTNormalization": "ct",
    "ZScoreNormalization": "z_score",
    "NoNormalization": "none",
    "RescaleTo01Normalization": "unit_range",
    "RGBTo01Normalization": "divide_by_255",
}
"""nnU-Net's names of how a channel is scaled -> those of `medseg.transforms.nnunet.normalize`."""

READERS = {"SimpleITKIO": None, "NibabelIO": None, "NibabelIOWithReorient": "RAS"}
"""Readers of volumes -> where their axes point; None for as they are stored."""

_PICTURES = ("NaturalImage2DIO", "Tiff3DIO")
_RESAMPLING = "resample_data_or_seg_to_shape"
_OWN_CLASSES = {"preprocessor_name": "DefaultPreprocessor", "label_manager": "LabelManager"}
_ORDERS = (0, 1, 2, 3)
_ORDER_OF_LOGITS = 1
_ANISOTROPY = "separate_z_anisotropy_threshold"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One of the networks that plans describe.

    Attributes:
        name: such as "3d_fullres".
        patch_size: voxels that the network sees, along its axes; two numbers in 2D.
        spacing_mm: of these voxels.
        axes: `transpose_forward`, see `medseg.transforms.nnunet.prepare.PrepareForNnunetd`.
        architecture: name of the network, and its options, see
            `medseg.networks.nnunet.build.build_network`.
        schemes, properties, inside: of each channel, see `PrepareForNnunetd`; likewise the others.
    """

    name: str
    patch_size: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    axes: tuple[int, ...]
    architecture: str
    options: Mapping[str, Any]
    schemes: tuple[str, ...]
    properties: tuple[Mapping[str, float], ...]
    inside: tuple[bool, ...]
    orientation: str | None
    order: int
    slices: bool | None
    slices_of_logits: bool | None
    anisotropy: float

    @property
    def spatial_dims(self) -> int:
        """2 for a network that goes slice by slice, 3 for one that sees volumes."""
        return len(self.patch_size)


def read_configuration(plans: Mapping[str, Any], name: str) -> Configuration:
    """One configuration of the plans of nnU-Net v2, also of those without an architecture section.

    Args:
        plans: content of plans.json.
        name: of the configuration.

    Raises:
        ValueError: there is no such configuration, it is the second stage of a cascade, it names a
            network, a scaling, a resampling, a reader or another class that is none of nnU-Net's
            own, or a value is damaged.
    """
    found = _inherit(plans, name)
    _refuse_other_classes({**plans, **found})
    if before := found.get("previous_stage"):
        raise ValueError(
            f"the configuration {name} is the second stage of a cascade, which needs the labels of "
            f"{before} as input: import {before}, or a 3d_fullres of the same data"
        )
    architecture, options = find_architecture(found)
    schemes = [_name_scheme(one) for one in _get(found, "normalization_schemes", name)]
    forward, back = (_read_resampling(found, kind) for kind in ("data", "probabilities"))
    if forward["anisotropy"] != back["anisotropy"]:
        raise ValueError(
            "plans.json resamples image and probabilities with another "
            "separate_z_anisotropy_threshold, and only one is known here: predict with nnU-Net "
            "itself"
        )
    return Configuration(
        name=name,
        patch_size=_read_patch(_get(found, "patch_size", name), options),
        spacing_mm=_read_spacing(_get(found, "spacing", name)),
        axes=_read_axes(plans.get("transpose_forward", (0, 1, 2))),
        architecture=architecture,
        options=options,
        schemes=tuple(schemes),
        properties=_list_properties(plans, schemes),
        inside=_read_masks(_get(found, "use_mask_for_norm", name), len(schemes)),
        orientation=_find_orientation(plans),
        order=forward["order"],
        slices=forward["slices"],
        slices_of_logits=back["slices"],
        anisotropy=forward["anisotropy"],
    )


def _refuse_other_classes(plans: Mapping[str, Any]) -> None:
    """Refuse preprocessing and labels by other classes than nnU-Net's own."""
    for key, own in _OWN_CLASSES.items():
        if plans.get(key, own) != own:
            raise ValueError(
                f"plans.json has {key} {plans[key]!r}, and only {own} is known: predict with "
                "nnU-Net itself"
            )


def _read_patch(value: Any, options: Mapping[str, Any]) -> tuple[int, ...]:
    """The patch, which the strides of the network divide."""
    stride = find_total_stride(options["strides"])
    patch = read_whole("patch_size", value, least=1, count=len(stride))
    if any(size % step for size, step in zip(patch, stride, strict=True)):
        raise ValueError(
            f"plans.json has patch_size {list(patch)}, which is no multiple of the network's "
            f"stride {list(stride)}: it is damaged"
        )
    return patch


def _read_spacing(value: Any) -> tuple[float, ...]:
    spacing = read_numbers("spacing", value)
    if len(spacing) not in (2, 3) or min(spacing) <= 0:
        raise ValueError(
            f"plans.json has spacing {list(spacing)}, and needs 2 or 3 lengths above 0: it is "
            "damaged"
        )
    return spacing


def _read_axes(value: Any) -> tuple[int, ...]:
    axes = read_whole("transpose_forward", value, least=0, count=3)
    if sorted(axes) != [0, 1, 2]:
        raise ValueError(
            f"plans.json has transpose_forward {list(axes)}, and needs 0, 1 and 2 in some order: "
            "it is damaged"
        )
    return axes


def _read_masks(value: Any, channels: int) -> tuple[bool, ...]:
    if not isinstance(value, list) or [type(one) for one in value] != [bool] * channels:
        raise ValueError(
            f"plans.json has use_mask_for_norm {value!r}, and needs true or false for each of "
            f"{channels} channels: it is damaged"
        )
    return tuple(value)


def _inherit(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A configuration with what it inherits from others."""
    known = plans.get("configurations")
    if not isinstance(known, Mapping):
        raise ValueError("plans.json has no configurations: it is not that of nnU-Net v2")
    chain: list[str] = []
    found: dict[str, Any] = {}
    parent: Any = name
    while parent is not None:
        if parent not in known:
            raise ValueError(
                f"plans.json has no configuration {parent!r}: name one of {', '.join(known)}"
            )
        if parent in chain:
            raise ValueError(f"the configurations {', '.join(chain)} inherit from each other")
        chain.append(parent)
        found = {**known[parent], **found}
        parent = known[parent].get("inherits_from")
    return found


def _get(found: Mapping[str, Any], key: str, name: str) -> Any:
    if key not in found:
        raise ValueError(f"the configuration {name} in plans.json has no {key}: it is incomplete")
    return found[key]


def _name_scheme(nnunet_name: str) -> str:
    if nnunet_name not in SCHEMES:
        raise ValueError(
            f"plans.json scales a channel by {nnunet_name!r}, which is none of nnU-Net's own "
            f"({', '.join(SCHEMES)}): predict with nnU-Net itself"
        )
    return SCHEMES[nnunet_name]


def _list_properties(
    plans: Mapping[str, Any], schemes: Sequence[str]
) -> tuple[Mapping[str, float], ...]:
    """What the plans know of the intensities of each channel whose scheme needs it."""
    key = "foreground_intensity_properties_per_channel"
    known = plans.get(key, plans.get("foreground_intensity_properties_by_modality", {}))
    found: list[Mapping[str, float]] = []
    for place, scheme in enumerate(schemes):
        one = known.get(str(place), {})
        if scheme != "ct":
            found.append({})
            continue
        if missing := [name for name in NEEDED if name not in one]:
            raise ValueError(
                f"plans.json lacks {', '.join(missing)} of channel {place}, which is scaled as CT: "
                "it is incomplete"
            )
        values = read_numbers(f"{key} of channel {place}", [one[name] for name in NEEDED])
        found.append(dict(zip(NEEDED, map(float, values), strict=True)))
    return tuple(found)


def _read_resampling(found: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The settings of a resampling, which has to be nnU-Net's own, with its defaults."""
    function = found.get(f"resampling_fn_{kind}", _RESAMPLING)
    if function != _RESAMPLING:
        raise ValueError(
            f"plans.json resamples by {function!r}, and only {_RESAMPLING} is known: its labels "
            "would lie elsewhere, predict with nnU-Net itself"
        )
    section = f"resampling_fn_{kind}_kwargs"
    given = get_mapping(found, section)
    order, across = given.get("order", 3), given.get("order_z", 0)
    orders = _ORDERS if kind == "data" else (_ORDER_OF_LOGITS,)
    slices = given.get("force_separate_z", False)
    known = order in orders and not isinstance(order, bool) and across == 0
    if not known or not (slices is None or isinstance(slices, bool)):
        raise ValueError(
            f"plans.json has {section} with order {order!r}, order_z {across!r} and "
            f"force_separate_z {slices!r}. Known are order {' or '.join(map(str, orders))}, "
            "order_z 0 and force_separate_z true, false or null: predict with nnU-Net itself"
        )
    (anisotropy,) = read_numbers(_ANISOTROPY, [given.get(_ANISOTROPY, 3.0)])
    return {"order": order, "slices": slices, "anisotropy": float(anisotropy)}


def _find_orientation(plans: Mapping[str, Any]) -> str | None:
    reader = plans.get("image_reader_writer", "SimpleITKIO")
    if reader in _PICTURES:
        raise ValueError(
            f"the network was trained on pictures or stacks ({reader}): only those of medical "
            "volumes are imported, predict with nnU-Net itself"
        )
    if reader not in READERS:
        raise ValueError(
            f"plans.json reads images by {reader!r}, which is none of nnU-Net's own for volumes "
            f"({', '.join(READERS)}): predict with nnU-Net itself"
        )
    return READERS[reader]
