"""Files of: the files that a batch of images was read from."""

from torch import Tensor


def files_of(images: Tensor) -> list[str]:
    """The paths in the meta data of a `MetaTensor`, one per image; none for a plain tensor.

    Example:
        >>> files_of(torch.zeros(1, 1, 8, 8))
        []
    """
    files = getattr(images, "meta", {}).get("filename_or_obj", ())
    return [files] if isinstance(files, str) else list(map(str, files))
