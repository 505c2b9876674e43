"""Bundle export: writes the network of a bundle with its weights into a file without medseg."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from medseg.base.files import check_folder, check_place
from medseg.base.path_keys import is_absolute_path, is_text_key
from medseg.base.watch import Watch
from medseg.bundles.bundle import find_config
from medseg.bundles.overrides import PASSED_ON, read_overrides, write_for_monai
from medseg.networks import NestedUNet, load_weights
from medseg.networks.export import export
from medseg.plausibility import check_settings

_OF_NNUNET = "medseg.networks.nnunet."


def export_bundle(
    bundle: Path, output: Path, *, arguments: Sequence[str] = (), overwrite: bool = False
) -> Path:
    """Write the network that a bundle segments with as ONNX, torch.export program or TorchScript.

    The network is `network_def` of the bundle's inference.json, its weights are those of the key
    `weights`. The suffix of `output` chooses the format, see `medseg.networks.export.export`.

    Args:
        bundle: folder of the bundle.
        output: the file to write; its folder is made if absent.
        arguments: overrides of the bundle's inference.json, as in `run_bundle`, for instance
            `--level 3` for the head of that level alone.
        overwrite: replace `output` if it exists.

    Returns:
        The file that was written.

    Raises:
        FileExistsError: `output` exists.
        FileNotFoundError: no such bundle, or it has no weights.
        OSError: `output` or its folder cannot be written, or is removed meanwhile.
        TypeError: `network_def` makes no NestedUNet.
        ValueError: an override that is not a key, weights that do not fit the network, or what
            `medseg.networks.export.export` refuses, such as another suffix.
        RuntimeError: the file gives other logits than the network; it is not kept.

    Example:
        >>> export_bundle(Path("bundles/liver"), Path("liver.onnx"))  # doctest: +SKIP
        PosixPath('liver.onnx')
    """
    check_place(output)
    if output.exists() and not overwrite:
        raise FileExistsError(
            f"an export does not replace files, and {output} exists: name another file, or pass "
            f"--overwrite"
        )
    check_folder(output.parent)
    with closing(Watch()) as watch:
        overrides = _read_overrides(bundle, arguments)
        network = _load_trained_network(bundle, _read_config(bundle, overrides))
        configs = _write_configs(bundle, overrides) if output.suffix == ".ts" else None
        file = export(network, output, configs=configs)
        watch.check()
    return file


def _read_overrides(bundle: Path, arguments: Sequence[str]) -> dict[str, Any]:
    overrides = read_overrides(bundle, "inference", arguments)
    if idle := overrides.keys() & set(PASSED_ON):
        raise ValueError(
            f"an export runs no workflow, so --{min(idle)} has no effect: leave it out"
        )
    return overrides


def _read_config(bundle: Path, overrides: Mapping[str, Any]) -> ConfigParser:
    parser = ConfigParser(ConfigParser.load_config_file(str(find_config(bundle, "inference"))))
    parser.update(write_for_monai(overrides))
    return parser


def _load_trained_network(bundle: Path, parser: ConfigParser) -> NestedUNet:
    network = parser.get_parsed_content("network_def")
    if not isinstance(network, NestedUNet):
        raise TypeError(
            f"only a NestedUNet can be exported, network_def of {bundle} makes a "
            f"{type(network).__name__}: {_name_remedy(parser)}"
        )
    weights = str(parser.get_parsed_content("weights"))
    force = parser.get_parsed_content("other_settings")
    check_settings(weights, parser.get_parsed_content("choices"), force=force)
    return load_weights(network, weights)


def _name_remedy(parser: ConfigParser) -> str:
    if str(parser.get("network_def#_target_")).startswith(_OF_NNUNET):
        return (
            "a network of nnU-Net runs in the bundle, use `medseg segment`, or the Segmenter of "
            "medseg.bundles.segmenter in a program of yours"
        )
    return "use `python -m monai.bundle ckpt_export`"


def _write_configs(bundle: Path, overrides: Mapping[str, Any]) -> dict[str, str]:
    """What a program needs to segment with the file: config with its overrides, and metadata.

    The file is for other machines, so it holds no places of this one: overrides that are paths, or
    text of a header, are left out, and absolute paths in the bundle, as that of a run has, become
    the working directory.
    """
    kept = {key: value for key, value in overrides.items() if not is_text_key(key)}
    config = _replace_absolute_paths(_read_config(bundle, kept).config)
    configs = {"inference.json": json.dumps(config, indent=4)}
    metadata = find_config(bundle, "inference").with_name("metadata.json")
    if metadata.is_file():
        configs["metadata.json"] = metadata.read_text(encoding="utf-8")
    return configs


def _replace_absolute_paths(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _replace_absolute_paths(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replace_absolute_paths(item) for item in value]
    return "." if isinstance(value, str) and is_absolute_path(value) else value
