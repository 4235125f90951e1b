"""Checks that grade a reader's own function, and say what is wrong with it.

``check_correlate2d(mine)`` calls `mine` on hidden settings and returns a `Verdict`: true or false,
with a sentence to read. A check never raises because an answer is wrong.

A check is data: the task, a function that is right, the hidden settings, and the *diagnoses*, which
are the mistakes that are often made, each as a sentence and a function that makes it. A mistake is
named only if it explains the reader's answers on every setting. So the settings are such that no
two mistakes give the same answers: nothing is square, strides do not divide, numbers are negative.

A function that never ends is not caught: interrupt it, and look at its loops.
"""

from .alexnet import (
    check_dropout,
    check_grouped_parameters,
    check_local_response_norm,
    check_top_k_error,
)
from .compared import check_agreeing_pairs, check_largest_batch, check_paired_interval
from .grading import Check, Verdict
from .inception import (
    check_bottleneck_macs,
    check_inception_channels,
    check_stack_macs,
    check_vgg_parameters,
)
from .networks import check_lenet_parameters, check_partial_connections, check_subsample
from .residual import check_block_parameters, check_option_a, check_resnet_depth
from .seeing import (
    check_avg_pool2d,
    check_conv2d,
    check_conv_parameters,
    check_correlate1d,
    check_correlate1d_backward,
    check_correlate2d,
    check_correlate_channels,
    check_correlation_matrix,
    check_dilate_kernel,
    check_field_interval,
    check_max_pool2d,
    check_output_size,
    check_pointwise,
    check_receptive_field,
    check_same_padding,
)
from .speed import check_loss_scale, check_one_cycle, check_speedup
from .training import (
    check_batch_norm,
    check_cross_entropy,
    check_fold_batch_norm,
    check_relu_backward,
    check_sgd_step,
    check_softmax,
)

__all__ = [
    "Check",
    "Verdict",
    "check_agreeing_pairs",
    "check_avg_pool2d",
    "check_batch_norm",
    "check_block_parameters",
    "check_bottleneck_macs",
    "check_conv2d",
    "check_conv_parameters",
    "check_correlate1d",
    "check_correlate1d_backward",
    "check_correlate2d",
    "check_correlate_channels",
    "check_correlation_matrix",
    "check_cross_entropy",
    "check_dilate_kernel",
    "check_dropout",
    "check_field_interval",
    "check_fold_batch_norm",
    "check_grouped_parameters",
    "check_inception_channels",
    "check_largest_batch",
    "check_lenet_parameters",
    "check_local_response_norm",
    "check_loss_scale",
    "check_max_pool2d",
    "check_one_cycle",
    "check_option_a",
    "check_output_size",
    "check_paired_interval",
    "check_partial_connections",
    "check_pointwise",
    "check_receptive_field",
    "check_relu_backward",
    "check_resnet_depth",
    "check_same_padding",
    "check_sgd_step",
    "check_softmax",
    "check_speedup",
    "check_stack_macs",
    "check_subsample",
    "check_top_k_error",
    "check_vgg_parameters",
]
