"""Widgets that are not Colab's own: where they are allowed, each display says who draws them."""

from IPython import get_ipython

WIDGET = "application/vnd.jupyter.widget-view+json"
MANAGER = "https://example.org/manager.js"

_installed_url = None  # which anywidget reads, by this name


def enable_custom_widget_manager() -> None:
    """Allow them, from the next display on."""
    global _installed_url
    if _installed_url is None:
        get_ipython().display_pub.register_hook(_name_manager)
    _installed_url = MANAGER


def _name_manager(message: dict) -> dict:
    """Write into a widget's display who draws it."""
    content = message["content"]
    if WIDGET in content.get("data", {}):
        content["metadata"][WIDGET] = {"colab": {"custom_widget_manager": {"url": MANAGER}}}
    return message
