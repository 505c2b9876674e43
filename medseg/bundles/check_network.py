"""Bundle check, networks: what MONAI needs of a bundle's configs, and whether its weights fit."""

from collections.abc import Iterator
from typing import Any

import torch
from monai.bundle import ConfigParser, ConfigWorkflow, verify_net_in_out

from medseg.base.errors import find_root_cause, is_documented
from medseg.base.path_keys import escape_for_monai
from medseg.base.scratch import make_scratch_folder
from medseg.bundles.bundle import INFERENCE, METADATA, TRAIN, WEIGHTS, Bundle, cut_to_first_line
from medseg.networks import fit_to_weights, load_weights
from medseg.plausibility import explain_not_compared, explain_not_used, read_trained_on
from medseg.transforms import choose_activation


def find_train_property_faults(bundle: Bundle) -> list[str]:
    """Faults that MONAI finds in the properties that it needs in the training."""
    return _find_property_faults(bundle, TRAIN, kind="train")


def find_inference_property_faults(bundle: Bundle) -> list[str]:
    """Faults that MONAI finds in the properties that it needs in the inference."""
    return _find_property_faults(bundle, INFERENCE, kind="infer")


def _find_property_faults(bundle: Bundle, file: str, *, kind: str) -> list[str]:
    """Faults that MONAI's `check_properties` finds; it builds each component that is a property."""
    with make_scratch_folder() as scratch:
        here = {
            "bundle_root": escape_for_monai(str(bundle.root)),
            "device": "cpu",
            "output_dir": escape_for_monai(str(scratch)),
        }
        config = bundle.read_json(file)
        pairs = {key: value for key, value in here.items() if key in config}
        try:
            workflow = ConfigWorkflow(
                str(bundle.root / file),
                logging_file=False,
                workflow_type=kind,
                initialize=[],
                **pairs,
                **_stand_in_data(config),
            )
            workflow.initialize()
            wrong = workflow.check_properties() or []
        except Exception as error:  # a component may raise anything
            return [
                f"{file}: MONAI's check_properties: {_shorten_error(error)}: correct the layers"
            ]
    return [f"{file}: MONAI's property {name} is missing or has a wrong id" for name in wrong]


def _stand_in_data(config: dict[str, Any]) -> dict[str, Any]:
    """Overrides with which every dataset is one empty case with its transform, without a record."""
    parser = ConfigParser(config)
    datasets = [key for key in ("train#dataset", "validate#dataset", "dataset") if key in parser]
    stand_in: dict[str, Any] = {
        key: {"_target_": "Dataset", "data": [{}], "transform": parser[key].get("transform")}
        for key in datasets
    }
    return {**stand_in, "record": "$None"} if "record" in config else stand_in


class OneTensor(torch.nn.Module):
    """Passes on the output of a network, if it is one tensor on the grid of its input.

    Raises:
        TypeError: the network gives something else, such as a list of heads.
        ValueError: the spatial shape differs.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, C, *spatial) to (B, channels, *spatial)."""
        pred = self.network(image)
        if not torch.is_tensor(pred):
            raise TypeError(f"the network gives a {type(pred).__name__} in eval, not one tensor")
        if pred.shape[2:] != image.shape[2:]:
            raise ValueError(f"pred is {tuple(pred.shape[2:])} on {tuple(image.shape[2:])}")
        return pred


def find_network_faults(bundle: Bundle) -> Iterator[str]:
    """Faults where a network takes or gives something else than the metadata declare."""
    for file in (TRAIN, INFERENCE):
        try:
            verify_net_in_out(
                "checked",
                meta_file=str(bundle.root / METADATA),
                config_file=str(bundle.root / file),
                device="cpu",
                checked={"_target_": f"{__name__}.OneTensor", "network": "@network_def"},
            )
        except Exception as error:  # a network may raise anything
            yield (
                f"{file}: network_def is not what {METADATA} declares: {_shorten_error(error)}: "
                f"correct one of them"
            )


def find_weight_faults(bundle: Bundle) -> Iterator[str]:
    """Faults of weights that do not load into the network, or that MONAI would not load."""
    if not (bundle.root / WEIGHTS).is_file():
        return
    parser = ConfigParser(bundle.read_json(INFERENCE))
    try:
        network_def = parser.get_parsed_content("network_def")
        activation = choose_activation(parser.get_parsed_content("classes"))
        network = fit_to_weights(network_def, bundle.root / WEIGHTS, activation=activation)
        load_weights(network, bundle.root / WEIGHTS)
    except Exception as error:  # a network may raise anything
        reason = _shorten_error(error)
        yield f"{WEIGHTS} does not load into the network_def of {INFERENCE}: {reason}"
        return
    state = torch.load(bundle.root / WEIGHTS, map_location="cpu", weights_only=True)
    if not network.state_dict().keys() <= state.keys():  # wrapped: MONAI would not load it
        yield f"{WEIGHTS} is not a flat state dict: save only network.state_dict()"


def find_trained_on_faults(bundle: Bundle) -> Iterator[str]:
    """Faults of the file beside the weights that says what they were trained on."""
    weights = bundle.root / WEIGHTS
    if not weights.is_file():
        return
    try:
        found, not_used = read_trained_on(weights), explain_not_used(weights)
    except ValueError as error:
        yield str(error)
        return
    if not_used:
        yield not_used
    if found is not None and not found.is_of(weights):
        yield explain_not_compared(weights)


def _shorten_error(error: Exception) -> str:
    """The text of a documented error; of another one its type and the beginning of its message."""
    cause = find_root_cause(error)
    if is_documented(cause):
        return str(cause)
    return f"{type(cause).__name__} {cut_to_first_line(str(cause))}"
