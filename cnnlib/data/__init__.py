"""Pictures in: CIFAR-10, digits, the cat, your own folder; batches out, on the device.

Every set of pictures is an `ImageSet`: uint8 pixels in ``(N, C, H, W)``, integer labels, the
classes' names, and a name that says where the pictures come from. This package is the only reader
of the environment variables ``CNNLIB_DATA`` and ``CNNLIB_CIFAR10_URL``.
"""

from __future__ import annotations

from .batches import DeviceBatches
from .cifar import CIFAR10_CLASSES, cifar10
from .drawn import stand_in
from .imageset import ImageSet, cat, channel_statistics, digits, split
from .pictures import image_folder, open_picture

__all__ = [
    "CIFAR10_CLASSES",
    "DeviceBatches",
    "ImageSet",
    "cat",
    "channel_statistics",
    "cifar10",
    "digits",
    "image_folder",
    "open_picture",
    "split",
    "stand_in",
]
