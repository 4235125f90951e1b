"""Every widget's Python side, under the ipywidgets at hand: `make test` runs this under two.

Colab has ipywidgets 7.7.1, JupyterLab 4 has 8.1.
"""

from __future__ import annotations

import json
from html import escape

import ipywidgets
import pytest
import traitlets
from IPython.core.formatters import DisplayFormatter
from ipywidgets.embed import dependency_state, embed_data

from cnnlib import widgets

VIEW = "application/vnd.jupyter.widget-view+json"
FAR_OUT = -1_000_000


@pytest.fixture(params=widgets.__all__)
def widget(request):
    """One of the book's widgets, as a reader first makes it."""
    return getattr(widgets, request.param)()


def own_traits(widget, kind) -> list[str]:
    """Return the names of the widget's synced traits of a kind."""
    traits = widget.traits(sync=True)
    return [name for name in traits if isinstance(traits[name], kind) and name[0] != "_"]


def test_is_a_version_that_readers_have():
    major, minor, *_ = map(int, ipywidgets.__version__.split(".")[:2])
    assert (major, minor) in {(7, 7), (8, 1)}


def test_is_shown_alive_and_says_what_it_is_where_it_cannot_be(widget):
    data, _ = DisplayFormatter().format(widget)
    assert data[VIEW]["model_id"] == widget.model_id
    assert "It is drawn where notebooks run" in data["text/html"]
    assert escape(repr(widget)) in data["text/html"]
    assert data["text/plain"] == repr(widget)
    assert type(widget).__name__ in repr(widget)


def test_the_saved_state_is_whole(widget):
    embedded = embed_data(views=[widget], state=dependency_state([widget], drop_defaults=False))
    state = embedded["manager_state"]["state"][widget.model_id]
    assert state["model_name"] == "AnyModel"
    assert set(widget.keys) <= set(state["state"])
    assert "export default" in state["state"]["_esm"]
    assert ".cnn-widget" in state["state"]["_css"]
    json.dumps(embedded["manager_state"], allow_nan=False)


def test_a_saved_state_makes_the_same_widget(widget):
    state = {name: value for name, value in widget.get_state().items() if name[0] != "_"}
    state.pop("layout", None)
    other = type(widget)()
    other.set_state(json.loads(json.dumps(state)))
    again = other.get_state()
    assert {name: again[name] for name in state} == state
    assert repr(other) == repr(widget)


def test_a_link_drives_it_and_hears_it(widget):
    for name in own_traits(widget, traitlets.Int):
        value = getattr(widget, name)
        box = ipywidgets.IntText(value)
        link = ipywidgets.link((box, "value"), (widget, name))
        ipywidgets.jslink((box, "value"), (widget, name))
        assert box.value == getattr(widget, name) == value
        link.unlink()


def test_there_is_a_trait_to_link(widget):
    assert own_traits(widget, traitlets.Int)


def test_what_is_far_out_is_refused_and_the_old_value_stays(widget):
    for name in own_traits(widget, traitlets.Int):
        value = getattr(widget, name)
        with pytest.raises(ValueError, match=str(FAR_OUT)):
            setattr(widget, name, FAR_OUT)
        assert getattr(widget, name) == value


@pytest.mark.parametrize("kind", [ipywidgets.HBox, ipywidgets.VBox])
def test_stands_in_a_box(widget, kind):
    box = kind([ipywidgets.IntSlider(), widget])
    state = dependency_state([box], drop_defaults=False)
    assert widget.model_id in state
