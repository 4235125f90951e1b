"""The registry: networks by name."""

from __future__ import annotations

import difflib
import fnmatch
import inspect
from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

import torch
from torch import nn

Builder = Callable[..., nn.Module]

_BUILDERS: dict[str, Builder] = {}


def register(builder: Builder) -> Builder:
    """Enter a function that builds a network in the registry, under the function's own name.

    Parameters
    ----------
    builder : callable
        Takes ``num_classes`` and ``in_channels``, each with a default, and whatever options the
        network has; returns a ``torch.nn.Module``. Where it takes ``**options``, it is annotated
        with the class that they are passed on to.

    Returns
    -------
    callable
        The same function, so that this serves as a decorator.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    name = builder.__name__
    if name in _BUILDERS:
        raise ValueError(f"a model named {name!r} is registered already: choose another name")
    _BUILDERS[name] = builder
    return builder


def list_models(pattern: str = "*") -> list[str]:
    """Return the names of the registered networks, sorted.

    Parameters
    ----------
    pattern : str
        A shell-style pattern: ``"resnet*"``, ``"*20"``.
    """
    return sorted(fnmatch.filter(_BUILDERS, pattern))


def create_model(
    name: str,
    num_classes: int | None = None,
    in_channels: int | None = None,
    **options: Any,
) -> nn.Module:
    """Build a network by name, with freshly drawn weights.

    The weights are drawn from torch's global generator: call ``torch.manual_seed`` before for
    the same weights again.

    Parameters
    ----------
    name : str
        One of `list_models()`.
    num_classes : int, optional
        How many numbers the network gives for each picture. Without it, the network's own: 1,000
        for a network of ImageNet, 1 for ``simple_cnn``, 10 for the others.
    in_channels : int, optional
        Channels of the pictures. Without it, the network's own: 3, but 1 for the LeNets.
    **options
        What else the network takes, such as ``image_size=32`` for the networks of ImageNet.

    Returns
    -------
    torch.nn.Module
        Takes pictures ``(N, in_channels, H, W)``, gives logits ``(N, num_classes)``. Its attribute
        ``origin`` says by which name and options it was built; a checkpoint keeps it.

    Raises
    ------
    ValueError
        If no network has that name (the nearest names are given), a count is not a positive
        integer, a flag neither True nor False, or the network knows no such option.
    """
    builder = builder_of(name)
    known = _options(builder)
    for option, value in options.items():
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}; it takes {', '.join(known)}")
        if known[option].annotation == "bool" and not isinstance(value, bool):
            raise ValueError(f"{option} must be True or False, not {value!r}")
    origin = {"architecture": name, "options": dict(options)}
    for key, value in (("num_classes", num_classes), ("in_channels", in_channels)):
        if value is not None:
            options[key] = require_count(key, value)
    model = builder(**options)
    model.origin = origin
    return model


def builder_of(name: str) -> Builder:
    """Return the function that builds a network.

    Parameters
    ----------
    name : str
        One of `list_models()`.

    Returns
    -------
    callable
        As `register` entered it.

    Raises
    ------
    ValueError
        If no network has that name; the nearest names are given.
    """
    if name not in _BUILDERS:
        nearest = difflib.get_close_matches(str(name), _BUILDERS, n=3) or list_models()
        raise ValueError(f"no model is named {name!r}; the nearest names: {', '.join(nearest)}")
    return _BUILDERS[name]


def _options(builder: Builder) -> dict[str, inspect.Parameter]:
    """Return what a builder takes by name, with what it passes on to its class."""
    known = dict(inspect.signature(builder).parameters)
    if known.pop("options", None):
        known |= inspect.signature(get_type_hints(builder)["return"]).parameters
    # What the builder's name decides is none of them.
    return {name: known[name] for name in known if name not in ("depth", "layout")}


def require_count(name: str, value: int) -> int:
    """Return `value` if it is a positive integer, else raise a ``ValueError``."""
    # NumPy's integers are welcome. True is an integer in Python, but True classes are a slip.
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < 1:
        raise ValueError(f"{name} must be a positive integer, not {value!r}")
    return int(value)


def require_choice(name: str, value: Any, choices: Iterable) -> Any:
    """Return `value` if it is one of `choices`, else raise a ``ValueError`` that lists them."""
    choices = list(choices)
    if value not in choices or isinstance(value, bool):
        raise ValueError(f"{name} must be {' or '.join(map(repr, choices))}, not {value!r}")
    return value


def require_images(
    x: torch.Tensor, in_channels: int, image_size: int | None = None, smallest: int = 1
) -> None:
    """Refuse a batch that a network cannot take, before a layer deep inside it does.

    Raises a ``ValueError`` unless `x` is ``(N, in_channels, H, W)``, and, where the network has a
    fixed ``image_size``, ``H`` and ``W`` are that, or else at least `smallest`.
    """
    size = "H, W" if image_size is None else f"{image_size}, {image_size}"
    if x.ndim != 4:
        raise ValueError(
            f"expected a batch (N, {in_channels}, {size}), got {tuple(x.shape)}; "
            "for a single picture, add the batch axis with x[None]"
        )
    if x.shape[1] != in_channels:
        raise ValueError(
            f"expected {in_channels} channels, (N, {in_channels}, {size}), got {tuple(x.shape)}; "
            f"build the network with in_channels={x.shape[1]}, or convert the pictures"
        )
    if image_size is not None and tuple(x.shape[2:]) != (image_size, image_size):
        raise ValueError(
            f"expected pictures of {image_size}x{image_size}, (N, {in_channels}, {size}), got "
            f"{tuple(x.shape)}; its fully connected layer fixes the size: resize or pad them"
        )
    if min(x.shape[2:]) < smallest:
        raise ValueError(
            f"expected pictures of at least {smallest}x{smallest}, got {tuple(x.shape)}: its "
            "poolings leave nothing of smaller ones; resize them, or see the option image_size"
        )
