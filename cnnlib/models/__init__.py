"""The networks of the book: one file a family, and one registry that knows them all."""

from . import lenet, resnet_cifar, simple  # the families enter themselves in the registry
from .lenet import LeNet5
from .registry import create_model, list_models, register
from .resnet_cifar import CifarResNet
from .simple import SimpleCNN, SimpleResNet

__all__ = [
    "CifarResNet",
    "LeNet5",
    "SimpleCNN",
    "SimpleResNet",
    "create_model",
    "lenet",
    "list_models",
    "register",
    "resnet_cifar",
    "simple",
]
