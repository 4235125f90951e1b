"""A plugin of pytest: with nbval, a cell fails whose widget's display lacks Colab's metadata.

Without it, Colab refuses to draw a widget that is not its own.
"""

from __future__ import annotations

import pytest

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Look at what a cell has shown."""
    result = yield
    for output in item.test_outputs:
        if WIDGET in output.get("data", {}):
            metadata = output.get("metadata", {}).get(WIDGET, {})
            assert "custom_widget_manager" in metadata.get("colab", {}), (
                f"Colab would not draw this widget: its display has the metadata {metadata}."
            )
    return result
