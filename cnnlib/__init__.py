"""Convolutional networks, by hand and then for real: the package of *Seeing Convolutions*.

``import cnnlib`` is quick and has no side effect: a name is looked up in its module when it is
first used, so that reading sizes or moving a widget never waits for torch.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "create_model": "models",
    "list_models": "models",
    "TrainConfig": "training",
    "EpochRecord": "training",
    "train": "training",
    "fit": "training",
    "evaluate": "training",
    "load_model": "prediction",
    "predict": "prediction",
    "glue": "page",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'cnnlib' has no attribute {name!r}")
    return getattr(import_module(f"cnnlib.{_HOME[name]}"), name)


def __dir__():
    return sorted(__all__)
