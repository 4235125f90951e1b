"""A stand-in for Colab's own package, which is not on PyPI: what the book asks of it, no more."""


def load_ipython_extension(_shell) -> None:
    """Be there from the first cell on, as in Colab, whose kernels load this as an extension."""
    from . import output  # noqa: F401
