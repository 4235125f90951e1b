"""One convolution three ways, loops, im2col and torch, timed in one run on the same input.

Claim: laying the patches out as a matrix (im2col) makes the convolution of `cnnlib.scratch` more
than 100 times as fast as its loops, with the same numbers (to 1e-10 in float64, 1e-4 in float32).
Conditions: one CPU thread for all, forward only, 1 x 3 x 64 x 64 input, 16 kernels of 5 x 5,
stride 1, no padding. In float64 torch has no special kernel and multiplies matrices too.

    python benchmarks/convolution.py [--repeats 9]

The three take turns; the first turn of each is warm-up and is not counted. Prints the median
times and their ratios; writes `benchmarks/results/convolution.json`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_limits

from cnnlib import arithmetic, provenance, scratch

RESULT = Path(__file__).parent / "results" / "convolution.json"
INPUT, WEIGHT = (1, 3, 64, 64), (16, 3, 5, 5)
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


def seconds_each_way(dtype, repeats):
    """Return the seconds of every counted turn of each way, having compared their outputs."""
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=INPUT).astype(dtype), rng.normal(size=WEIGHT).astype(dtype)
    tensors = torch.from_numpy(x), torch.from_numpy(weight)
    ways = {
        "loops": lambda: scratch.conv2d(x, weight, method="loops"),
        "im2col": lambda: scratch.conv2d(x, weight, method="im2col"),
        "torch": lambda: F.conv2d(*tensors).numpy(),
    }
    outputs, seconds = {}, {name: [] for name in ways}
    for _ in range(repeats + 1):
        for name, convolve in ways.items():
            started = time.perf_counter()
            outputs[name] = convolve()
            seconds[name].append(time.perf_counter() - started)
    for name in ("loops", "im2col"):
        np.testing.assert_allclose(outputs[name], outputs["torch"], rtol=0, atol=TOLERANCE[dtype])
    return {name: times[1:] for name, times in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats

    torch.set_num_threads(1)
    with threadpool_limits(1):  # NumPy's matrix product
        seconds = {dtype: seconds_each_way(dtype, repeats) for dtype in TOLERANCE}
    size = arithmetic.output_size(INPUT[2:], WEIGHT[2:])
    result = {
        "device": provenance.describe_device("cpu"),
        "versions": provenance.describe_run()["versions"],
        "input": INPUT,
        "weight": WEIGHT,
        "macs": arithmetic.conv_macs(INPUT[1], WEIGHT[0], WEIGHT[2:], size),
        "n": repeats,
        "seconds": seconds,
        "times_as_fast_as_loops": {},
    }
    print(f"{result['device']['name']}, one thread; median of {repeats}")
    for dtype, ways in seconds.items():
        medians = {name: median(times) for name, times in ways.items()}
        ratios = {name: medians["loops"] / value for name, value in medians.items()}
        result["times_as_fast_as_loops"][dtype] = ratios
        for name, value in medians.items():
            rate = result["macs"] / value / 1e6
            print(
                f"{dtype}  {name:6s} {value * 1e3:9.3f} ms {ratios[name]:7.1f} x"
                f" {rate:9.0f} million MACs/s"
            )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
