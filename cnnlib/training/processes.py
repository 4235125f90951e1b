"""Several processes that train one model, by torch's own engine and launcher.

Every process holds the whole model and makes the same batches. Each takes its share of a batch, and
before a step the gradients are averaged, so that all of them take the same step.

References
----------
S. Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", VLDB 2020.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes that ``torchrun`` started, and part at the end; alone, do nothing.

    They talk by nccl where each has a GPU, by gloo where they compute on CPUs.

    Raises
    ------
    ValueError
        If several machines share one store, in which those begun again would not meet.
    """
    if not dist.is_torchelastic_launched():
        yield
        return
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(dist.get_node_local_rank())
    store, rank, world_size = next(dist.rendezvous("env://"))
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == str(True):
        store = _store_of_this_attempt(store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world_size)
    try:
        yield
    finally:
        dist.destroy_process_group()


def _store_of_this_attempt(store: dist.Store) -> dist.Store:
    """Return the launcher's store as those see it who were begun together.

    The launcher keeps its store when it begins killed processes again: without a prefix they would
    call each other at the addresses of the dead. Each machine's launcher counts for itself, so this
    holds on one machine alone.
    """
    machines = int(os.environ["GROUP_WORLD_SIZE"])
    if machines > 1:
        raise ValueError(
            f"torchrun on {machines} machines has to make a new store whenever it begins processes "
            "again: put TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 before it, on each of them."
        )
    attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
    return dist.PrefixStore(f"attempt {attempt}", store)


def count() -> int:
    """Return how many processes train together: 1 for one alone."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process among them, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_first() -> bool:
    """Return whether this is the process that writes files."""
    return rank() == 0


def share(batch: torch.Tensor) -> torch.Tensor:
    """Return this process's pictures, or labels, of a batch: the shares differ by one at most."""
    return batch.tensor_split(count())[rank()] if count() > 1 else batch


def summed(values: torch.Tensor) -> torch.Tensor:
    """Return the sum of a tensor over all processes."""
    if count() > 1:
        values = values.clone()
        dist.all_reduce(values)
    return values


def from_first(make: Callable[[], Any]) -> Any:
    """Return what `make` returns in the first process; the others do not call it.

    What it raises there is raised everywhere, so that nobody waits for a process that is gone.
    """
    if count() == 1:
        return make()
    answer = [None, None]
    if is_first():
        try:
            answer[0] = make()
        except Exception as error:
            answer[1] = error
    dist.broadcast_object_list(answer, src=0)
    if answer[1] is not None:
        raise answer[1]
    return answer[0]


def first_then_all(make: Callable[[], Any]) -> Any:
    """Return what `make` returns in each process; the first one's call ends before the others'.

    So what is downloaded, or decoded and kept, is there for the others.
    """
    made = []
    from_first(lambda: made.append(make()))
    return made[0] if made else make()


def side_by_side(model: nn.Module, device: torch.device) -> nn.Module:
    """Return the model as the processes call it in training: its gradients are averaged."""
    if count() == 1:
        return model
    return DistributedDataParallel(model, [device] if device.type == "cuda" else None)


def take_first_buffers(model: nn.Module) -> None:
    """Give every process the first one's running means and variances, which shares make differ."""
    if count() > 1:
        for buffer in model.buffers():
            dist.broadcast(buffer, src=0)
