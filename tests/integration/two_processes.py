"""Two processes: one of the ranks of `test_multi_gpu`; rank 0 prints the gradients' faults.

Run by torchrun from a folder that holds bundles/. First it trains what its arguments name, each the
bundle and the choices of a run, in JSON: one start of Python serves all. Then it looks at
gradients. Network, wrapper and loss are those of a training by several processes, with a tiny
network without normalisation: a bias that a normalisation cancels has no gradient but rounding.
"""

import json
import sys

import ignite.distributed as idist
import torch
from monai.bundle import ConfigParser

CHOICES = {"channels": [2, 4, 6], "head_weights": "equal", "norm": None, "seed": 0}
VARIANTS = [
    ("liver", "unet", False, False),
    ("liver", "unet_e", True, False),
    ("liver", "unet_plus", True, False),
    ("liver", "unet_plusplus", False, False),
    ("liver", "unet_plusplus", True, False),
    ("liver", "unet_3plus", False, False),
    ("liver", "unet_3plus", True, False),
    ("liver", "unet_3plus", True, True),
    ("hippocampus", "unet_plusplus", True, False),
    ("hippocampus", "unet_3plus", True, True),
]
"""Bundle, topology, deep supervision, class guide."""


def configured(bundle: str, **choices) -> ConfigParser:
    """The training of a bundle with its overlay for several GPUs and choices of its own."""
    files = [f"bundles/{bundle}/{name}.json" for name in ("train", "multi_gpu_train")]
    parser = ConfigParser(ConfigParser.load_config_files(files))
    parser.update(choices)
    return parser


def train(bundle: str, **choices) -> None:
    """Run the training of a bundle, without starting and ending the group of processes."""
    parser = configured(bundle, **choices)
    for number in range(len(parser["training"])):
        parser.get_parsed_content(f"training#{number}")


def after_two_steps(parser: ConfigParser) -> dict[str, torch.Tensor | None]:
    """The gradient of every parameter; the second step fails where the first one left some out."""
    torch.manual_seed(0)
    network = parser.get_parsed_content("network").train()
    loss = parser.get_parsed_content("loss")
    size = [2, 1, *[16] * parser["spatial_dims"]]
    generator = torch.Generator().manual_seed(idist.get_rank())
    for _ in range(2):
        network.zero_grad()
        image = torch.rand(size, generator=generator)
        label = torch.randint(0, len(parser["classes"]) + 1, size, generator=generator)
        loss(network(image), label).backward()
    return {name: parameter.grad for name, parameter in network.named_parameters()}


def spread(gradient: torch.Tensor) -> float:
    """The largest deviation of this process from the mean over the processes."""
    mean = idist.all_reduce(gradient.clone()) / idist.get_world_size()
    return (gradient - mean).abs().max().item()


def report(bundle: str, topology: str, deep_supervision: bool, class_guide: bool) -> dict:
    """What `test_multi_gpu` asserts on, for one variant."""
    choices = {"deep_supervision": deep_supervision, "class_guide": class_guide}
    gradients = after_two_steps(configured(bundle, topology=topology, **choices, **CHOICES))
    found = {name: g for name, g in gradients.items() if g is not None}
    return {
        "processes": idist.get_world_size(),
        "parameters": len(gradients),
        "without": [name for name in gradients if name not in found],
        "zero": [name for name, gradient in found.items() if not gradient.any()],
        "spread": max(spread(gradient) for gradient in found.values()),
    }


def main(jobs: list[str]) -> None:
    parser = configured("liver")
    parser.get_parsed_content("initialize")
    for job in jobs:
        train(**json.loads(job))
    reports = {" ".join(map(str, variant)): report(*variant) for variant in VARIANTS}
    if idist.get_rank() == 0:
        print(json.dumps(reports))
    parser.get_parsed_content("finalize")


if __name__ == "__main__":
    main(sys.argv[1:])
