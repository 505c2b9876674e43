"""Rules: what each key of a config has to be, whatever the bundle.

Every key that a user may choose has a rule, so that a value of another kind is refused by its name
before data are read. Whether a value suits the others, such as a topology and its depth, is judged
where they are used.
"""

from collections.abc import Mapping
from typing import Any

from medseg.base.arguments import (
    LARGEST,
    is_count,
    is_finite_number,
    is_integer,
    is_list_of,
    is_text,
    is_whole,
)
from medseg.base.choices.rule import (
    Rule,
    allow_list,
    allow_null,
    allow_words,
    make_axes_rule,
    make_list_rule,
    make_number_rule,
    make_range_rule,
    make_whole_rule,
    make_word_rule,
)

LR_SCHEDULES = ("constant", "polynomial", "cosine", "one_cycle")
NETWORK_PARTS = ("encoder", "decoder", "heads")
_MOST_CHANNELS = 2**16  # of a level; a convolution between two such levels has 154 GB of weights
_WIDEST = 255  # voxels of a kernel or a stride, along one axis


def _are_labels(value: Any) -> bool:
    """Whether it is a list of whole numbers, each once."""
    return is_list_of(value, lambda v: is_whole(v, -(2**31))) and len(set(value)) == len(value)


def _is_layer(value: Any) -> bool:
    """Whether it is the name of a layer, or a list of the name and its arguments."""
    if not isinstance(value, (list, tuple)):
        return is_text(value)
    return len(value) == 2 and is_text(value[0]) and isinstance(value[1], Mapping)


def _is_existing_mode(value: Any) -> bool:
    """Whether it says what becomes of existing outputs; None is for a plan, which writes none."""
    return value is None or (isinstance(value, str) and value in ("refuse", "skip", "overwrite"))


def _is_choice_of_series(value: Any) -> bool:
    return value in ("largest", "all") if isinstance(value, str) else is_integer(value)


def _is_encoder(value: Any) -> bool:
    return value in ("plain", "residual") or (is_text(value) and value[:5] == "timm/")


def _is_component(value: Any) -> bool:
    """Whether it is a component, in words or made already."""
    return "_target_" in value if isinstance(value, Mapping) else not _is_plain(value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, bool, int, float, list, tuple))


def _is_path(value: Any) -> bool:
    """Whether it is a text, or an object such as a path or a device."""
    is_object = value is not None and not isinstance(value, Mapping) and not _is_plain(value)
    return is_text(value) or is_object


def _is_memory(value: Any) -> bool:
    return is_text(value) or (is_finite_number(value) and value >= 0)


_PROBABILITY = make_number_rule("from 0 to 1", lambda x: 0 <= x <= 1)
_BELOW_1 = make_number_rule("from 0 to below 1", lambda x: 0 <= x < 1)
_POSITIVE = make_number_rule("above 0", lambda x: x > 0)
_NOT_NEGATIVE = make_number_rule("of 0 or more", lambda x: x >= 0)
_SWITCH = Rule("True or False", lambda value: isinstance(value, bool))
_SIZES = make_axes_rule("whole numbers of at least 1", lambda x: is_count(x, 1), LARGEST)
_TEXT = Rule("text", is_text)
_TEXTS = make_list_rule("text values", is_text)
_ORDERED = make_range_rule("the low end before the high end", lambda low, high: low < high)
_LAYER = Rule("text, or a list of text and a dictionary", _is_layer)
_COMPONENT = allow_null(Rule("a component", _is_component))
_PATH = Rule("a path", _is_path)
_DEVICES = (
    *("cpu", "cuda", "mps", "xpu", "hpu", "xla", "hip", "ipu", "mtia", "maia", "ve", "fpga"),
    *("vulkan", "opengl", "opencl", "lazy", "meta", "privateuseone"),
)
"""What torch knows by name, said before it is imported, which takes seconds."""

_DEVICE = Rule(
    "cpu, cuda, cuda:0 or another device that torch knows",
    lambda value: _is_path(value) and str(value).partition(":")[0] in _DEVICES,
)

_LABELS = allow_list("a whole number", lambda x: is_whole(x, -(2**31)))
_HALO = allow_list("a whole number of at least 0", lambda x: is_count(x, 0), most=LARGEST)

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(
        ("max_epochs", "val_interval", "batch_size", "val_slice_step"), make_whole_rule(1)
    ),
    **dict.fromkeys(("patches_per_volume", "patch_size"), make_whole_rule(1)),
    **dict.fromkeys(("in_channels", "skip_channels"), make_whole_rule(1, _MOST_CHANNELS)),
    "channels": make_list_rule(
        f"whole numbers, each from 1 to {_MOST_CHANNELS}",
        lambda x: is_whole(x, 1) and x <= _MOST_CHANNELS,
    ),
    **dict.fromkeys(
        ("kernel_size", "strides"),
        allow_list(
            f"a whole number from 1 to {_WIDEST}",
            lambda x: is_whole(x, 1) and x <= _WIDEST,
            nested=True,
        ),
    ),
    **dict.fromkeys(("windows_per_batch", "smallest_object"), make_whole_rule(1)),
    **dict.fromkeys(("patience", "level"), allow_null(make_whole_rule(1))),
    "hours": allow_null(make_number_rule("above 0, at most 10000", lambda x: 0 < x <= 10_000)),
    **dict.fromkeys(("fold", "num_workers", "worst_cases", "overlay_cases"), make_whole_rule(0)),
    "folds": make_whole_rule(2),
    **dict.fromkeys(
        ("seed", "split_seed"),
        Rule("a whole number from 0 to 4294967295", lambda x: is_whole(x, 0) and x < 2**32),
    ),
    "slice_axis": Rule("0, 1 or 2", lambda x: is_whole(x, 0) and x <= 2),
    "spatial_dims": Rule("2 or 3", lambda x: is_whole(x, 2) and x <= 3),
    "learning_rate": make_number_rule("above 0, at most 1000", lambda x: 0 < x <= 1000),
    "lr_schedule": make_word_rule(*LR_SCHEDULES),
    **dict.fromkeys(("warmup_epochs", "freeze_epochs"), make_whole_rule(0)),
    "freeze": Rule(
        f"a list of words, each {', '.join(NETWORK_PARTS[:-1])} or {NETWORK_PARTS[-1]}",
        lambda value: is_list_of(value, lambda word: word in NETWORK_PARTS, least=0),
    ),
    **dict.fromkeys(
        ("thawed_rate", "companion_share"),
        make_number_rule("above 0, at most 1", lambda x: 0 < x <= 1),
    ),
    **dict.fromkeys(("border_sigma", "elastic_sigma_px"), _POSITIVE),
    "surface_tolerance": _NOT_NEGATIVE,
    **dict.fromkeys(("flip_prob", "flip_prob_axis0", "affine_prob", "elastic_prob"), _PROBABILITY),
    "intensity_prob": _PROBABILITY,
    **dict.fromkeys(("dropout", "bottom_dropout", "overlap", "scale_range"), _BELOW_1),
    **dict.fromkeys(("rotate_rad", "brightness_shift", "border_w0"), _NOT_NEGATIVE),
    "noise_std": make_number_rule("from 0 to 100", lambda x: 0 <= x <= 100),  # of 0 to 1
    **dict.fromkeys(("intensity_shift", "intensity_scale", "background_slices"), _NOT_NEGATIVE),
    "window_hu": _ORDERED,
    "contrast_gamma": make_range_rule(
        "the lower first, above 0", lambda low, high: 0 < low <= high
    ),
    "elastic_magnitude": make_range_rule(
        "the lower first, 0 or more", lambda low, high: 0 <= low <= high
    ),
    "intensity_percentiles": make_range_rule(
        "the lower first, from 0 to 100", lambda low, high: 0 <= low < high <= 100
    ),
    "preview_window": allow_null(_ORDERED),
    "preview_percentiles": allow_null(
        make_range_rule("the lower first, from 0 to 100", lambda low, high: 0 <= low < high <= 100)
    ),
    "iou_thresholds": Rule(
        "a list of numbers, each from 0.5 to below 1",
        lambda value: is_list_of(value, lambda x: is_finite_number(x) and 0.5 <= x < 1, least=0),
    ),
    "score_objects": Rule(
        "True, False or the key of a case's numbered objects, such as instances",
        lambda value: isinstance(value, bool) or is_text(value),
    ),
    **dict.fromkeys(("image_size", "fit_size", "elastic_spacing", "elastic_grid"), _SIZES),
    "roi_size": allow_list("a whole number of at least 1", lambda x: is_count(x, 1), most=LARGEST),
    "tile_halo": allow_words(("auto",), _HALO),
    "ignore": Rule(
        "a whole number, a list of such numbers, or null",
        lambda value: value in (None, [], ()) or _LABELS.holds(value),
    ),
    "cache": make_word_rule("memory", "disk", "none"),
    "image_channels": make_list_rule("text values", is_text),
    "channel_windows": make_list_rule(
        "two numbers, the low end before the high end, or null, one for each channel",
        lambda value: value is None or _ORDERED.holds(value),
    ),
    "channel_series": Rule(
        "a dictionary of names of channels and texts, or lists of texts, such as {'t1': '*T1*'}",
        lambda value: (
            isinstance(value, Mapping)
            and all(is_text(each) or is_list_of(each, is_text) for each in value.values())
        ),
    ),
    "channel_dropout": _BELOW_1,
    **dict.fromkeys(("resample_channels", "allow_missing_channel"), _SWITCH),
    "spacing_mm": make_axes_rule("numbers above 0", _POSITIVE.holds),
    "label_values": Rule("a list of whole numbers, each once", _are_labels),
    **dict.fromkeys(("resume", "deep_supervision", "mixed_precision", "class_guide"), _SWITCH),
    **dict.fromkeys(("checkpointing", "pad_input", "colour", "whole_images"), _SWITCH),
    **dict.fromkeys(
        (
            "score_lesions",
            "save_probabilities",
            "all_cases",
            "publish",
            "keep_predictions",
            "resample",
            "force",
            "fast",
        ),
        _SWITCH,
    ),
    **dict.fromkeys(
        ("other_settings", "measure", "radiomics", "rtstruct", "sr", "probability_maps"), _SWITCH
    ),
    **dict.fromkeys(("report", "show_patient"), _SWITCH),
    # text, words and components
    **dict.fromkeys(("bundle_root", "dataset_dir", "input", "output_dir", "weights"), _PATH),
    **dict.fromkeys(("cache_dir", "resume_file"), _PATH),
    **dict.fromkeys(("encoder_weights", "start_from", "companion"), allow_null(_PATH)),
    "name": _TEXT,
    "device": _DEVICE,
    **dict.fromkeys(("case_group", "series_uid"), allow_null(_TEXT)),
    **dict.fromkeys(("spatial_keys", "spatial_modes"), _TEXTS),
    **dict.fromkeys(
        ("body_part", "largest_only", "fill_holes"), make_list_rule("text values", is_text, least=0)
    ),
    "classes": Rule(  # what is in it is judged by `check_classes`
        "a dictionary of class names and lists of whole numbers, such as {'liver': [1, 2]}",
        lambda value: isinstance(value, Mapping),
    ),
    "organ_ml": Rule(
        "a dictionary of class names and lists of two numbers, the lower first",
        lambda value: isinstance(value, Mapping) and all(map(_ORDERED.holds, value.values())),
    ),
    "smallest_part": Rule(
        "a dictionary of class names and numbers of 0 or more",
        lambda value: (
            isinstance(value, Mapping)
            and all(is_finite_number(size) and size >= 0 for size in value.values())
        ),
    ),
    "modality": make_word_rule("CT", "MR", "picture"),
    "spatial_padding": make_word_rule("zeros", "border", "reflection"),
    "topology": make_word_rule("unet", "unet_e", "unet_plus", "unet_plusplus", "unet_3plus"),
    "encoder": Rule("plain, residual or timm/NAME", _is_encoder),
    **dict.fromkeys(("norm", "act"), allow_null(_LAYER)),
    "upsample": make_word_rule("deconv", "interp"),
    "padding": make_word_rule("same", "valid"),
    "head_weights": allow_words(
        ("equal", "decaying", "learned"),
        make_list_rule("numbers of 0 or more", _NOT_NEGATIVE.holds),
    ),
    "backend": make_word_rule("nccl", "gloo"),
    "section": make_word_rule("training", "validation", "test"),
    "view": make_word_rule("patches", "slices"),
    "skip": allow_null(Rule("a number", is_finite_number)),
    **dict.fromkeys(("flips", "flip_axes"), make_list_rule("whole numbers", is_integer, least=0)),
    "predictor": make_word_rule("auto", "eager", "compile", "openvino", "onnxruntime"),
    "memory_limit": allow_null(Rule("bytes, text such as 6GiB", _is_memory)),
    "output": make_word_rule("labels", "logits"),
    "fold_average": make_word_rule("logits", "probabilities"),
    "seg": allow_null(make_word_rule("binary", "labelmap", "fractional")),
    "surface_unit": make_word_rule("mm", "pixel"),
    "existing": Rule("refuse, skip or overwrite", _is_existing_mode),
    "volume": allow_null(make_whole_rule(0)),
    "affine": allow_null(make_word_rule("sform", "qform")),
    "units": allow_null(make_word_rule("mm", "cm", "m", "micron", "stated")),
    "choose_series": allow_null(
        Rule("largest, all or the number of a series", _is_choice_of_series)
    ),
    **dict.fromkeys(("load", "fit"), _COMPONENT),
}
"""Key of a config -> what its value has to be, whatever the bundle."""
