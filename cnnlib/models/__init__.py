"""The networks of the book: one file a family, and one registry that knows them all."""

# The families enter themselves in the registry.
from . import alexnet, fast, googlenet, lenet, resnet, simple, vgg
from .alexnet import AlexNet
from .fast import FastNet
from .googlenet import GoogLeNet
from .lenet import LeNet5, PublishedLeNet5
from .registry import builder_of, create_model, list_models, register
from .resnet import ResNet
from .simple import SimpleCNN, SimpleResNet
from .vgg import VGG

__all__ = [
    "VGG",
    "AlexNet",
    "FastNet",
    "GoogLeNet",
    "LeNet5",
    "PublishedLeNet5",
    "ResNet",
    "SimpleCNN",
    "SimpleResNet",
    "alexnet",
    "builder_of",
    "create_model",
    "fast",
    "googlenet",
    "lenet",
    "list_models",
    "register",
    "resnet",
    "simple",
    "vgg",
]
