"""Give a trained network a new task: a new head, frozen layers, slower rates for earlier ones.

What is frozen keeps its weights, and a frozen BatchNorm keeps its running mean and variance too:
:func:`cnnlib.train` leaves it in ``eval()`` mode. (In training mode it would go on adapting to the
new pictures, under weights that were learned with the old ones.)
"""

from __future__ import annotations

import difflib

from torch import nn

from cnnlib.models import create_model
from cnnlib.prediction import ModelCard

_VGGS = {f"vgg{depth}": f"vgg{depth}_bn" for depth in (11, 13, 16, 19)}
_SAME_NAME = ("alexnet", "googlenet", *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)))

#: networks that have learned ImageNet, and torchvision's names for them
IMAGENET = {name: name for name in _SAME_NAME} | _VGGS


def pretrained(name: str) -> nn.Module:
    """Build a network with the weights that torchvision offers for ImageNet, in ``eval()`` mode.

    They are downloaded once, by torchvision, which keeps them and checks their hash. VGG comes with
    BatchNorm, GoogLeNet without its auxiliary classifiers, which were never trained.

    Parameters
    ----------
    name : str
        One of ``IMAGENET``.

    Returns
    -------
    torch.nn.Module
        Its attribute ``card``, a `cnnlib.prediction.ModelCard`, holds the 1,000 classes and how
        pictures are prepared, so that `cnnlib.predict` can name what is in them.

    Raises
    ------
    ValueError
        If there are no such weights.
    ConnectionError
        If they cannot be had, and what to do without a network.
    """
    from torchvision.models import get_model_weights

    if name not in IMAGENET:
        raise ValueError(f"there are no weights for {name!r}; there are for {', '.join(IMAGENET)}")
    weights = get_model_weights(IMAGENET[name]).DEFAULT
    options = {"batch_norm": True} if name in _VGGS else {}
    model = create_model(name, **options)
    try:
        state = weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise ConnectionError(
            f"The weights of {name} could not be downloaded ({error}). Without a network, begin "
            "from the book's own: load_model('results/resnet20_cifar10.safetensors')."
        ) from error
    keys = model.state_dict().keys()
    model.load_state_dict({key: state[key] for key in keys})
    model.card = _card(name, weights, options)
    return model.eval()


def replace_head(model: nn.Module, num_classes: int) -> nn.Module:
    """Put a new, untrained last layer in place of the old one, and return the model.

    Parameters
    ----------
    model : torch.nn.Module
        A network that ends in a fully connected layer. GoogLeNet's auxiliary classifiers, which end
        in layers of as many classes, get new ones too.
    num_classes : int
        Outputs of the new layer. Its weights are drawn by torch's rule for linear layers.

    Raises
    ------
    ValueError
        If `num_classes` is not a positive integer, or the network has no such layer.
    """
    if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1:
        raise ValueError(f"num_classes must be a positive integer, not {num_classes!r}")
    for name in _heads(model):
        parent, _, last = name.rpartition(".")
        old = model.get_submodule(name)
        new = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
        new.to(device=old.weight.device, dtype=old.weight.dtype)
        setattr(model.get_submodule(parent), last, new)
    return model


def freeze(model: nn.Module, *parts: str) -> nn.Module:
    """Keep the parameters of the model, or of some parts of it, as they are; return the model.

    Parameters
    ----------
    model : torch.nn.Module
    *parts : str
        Names such as ``"conv1"`` or ``"layer1.0"``; none for the whole model.

    Raises
    ------
    ValueError
        If the model has no part of that name; the nearest names are given.
    """
    return _set_learning(model, parts, learns=False)


def unfreeze(model: nn.Module, *parts: str) -> nn.Module:
    """Let the parameters of the model, or of some parts of it, learn again; return the model.

    Takes and raises what `freeze` does.
    """
    return _set_learning(model, parts, learns=True)


def param_groups(model: nn.Module, lr: float, decay: float) -> list[dict]:
    """Return the parameters layer by layer, each layer slower than the one after it [1]_.

    A layer is a kernel or a matrix with the biases and norms that follow it, in the order in which
    the model defines them. Frozen parameters are left out; their layers count all the same.

    Parameters
    ----------
    model : torch.nn.Module
    lr : float
        Peak learning rate of the last layer.
    decay : float
        In (0, 1]: the rate of each layer, as a share of the next one's. The layer that is k layers
        before the last learns at ``lr * decay ** k``.

    Returns
    -------
    list of dict
        ``{"params": [...], "lr": ...}``, for `cnnlib.train` and for any of torch's optimisers.

    Raises
    ------
    ValueError
        If `lr` is not positive or `decay` does not lie in (0, 1].

    References
    ----------
    .. [1] J. Howard and S. Ruder, "Universal Language Model Fine-tuning for Text Classification",
       ACL 2018, "discriminative fine-tuning".
    """
    if not lr > 0:
        raise ValueError(f"lr is {lr!r}; it must be a positive number")
    if not 0 < decay <= 1:
        raise ValueError(f"decay is {decay!r}; it must lie in (0, 1], where 1 is one rate for all")
    layers: list[list[nn.Parameter]] = []
    for parameter in model.parameters():
        if parameter.ndim > 1 or not layers:
            layers.append([])
        layers[-1].append(parameter)
    groups = []
    for distance, layer in zip(reversed(range(len(layers))), layers, strict=True):
        learning = [parameter for parameter in layer if parameter.requires_grad]
        if learning:
            groups.append({"params": learning, "lr": lr * decay**distance})
    return groups


def _card(name, weights, options):
    """Return what torchvision says of its weights as a card."""
    transforms = weights.transforms()
    # This one was trained on pictures from -1 to 1; torchvision converts them inside the network.
    halves = ([0.5] * 3, [0.5] * 3)
    mean, std = halves if name == "googlenet" else (transforms.mean, transforms.std)
    return ModelCard(
        architecture=name,
        classes=weights.meta["categories"],
        image_size=transforms.crop_size * 2,
        mean=mean,
        std=std,
        data="ImageNet, ILSVRC 2012",
        options=options,
        resize=transforms.resize_size[0],
        filter="bilinear",
    )


def _heads(model):
    """Return the name of the last layer, and of those that end auxiliary classifiers."""
    layers = {
        name: module
        for name, module in model.named_modules()
        if not list(module.children()) and module.state_dict()
    }
    *_, last = layers or [None]
    if not isinstance(layers.get(last), nn.Linear):
        raise ValueError(
            f"{type(model).__name__} does not end in a fully connected layer that could be "
            "replaced; build it anew with another num_classes"
        )
    # GoogLeNet's "aux1.fc2": of each part that is an auxiliary classifier, the last layer.
    ends = {name.partition(".")[0]: name for name in layers if name.startswith("aux")}
    return [*ends.values(), last]


def _set_learning(model, parts, learns):
    named = dict(model.named_modules())
    for part in parts or ("",):
        if part not in named:
            children = [name for name, _ in model.named_children()]
            nearest = difflib.get_close_matches(part, named, n=3) or children
            raise ValueError(f"no part is named {part!r}; the nearest names: {', '.join(nearest)}")
        named[part].requires_grad_(learns)
    return model
