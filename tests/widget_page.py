"""Pages such as MyST-NB builds them, made from real ipywidgets state, for the browser tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ipywidgets.embed import dependency_state, embed_data

ROOT = Path(__file__).parents[1]
HOST = ROOT / "book" / "_static" / "static-widgets.js"

PAGE = """<!DOCTYPE html>
<html lang="{language}" data-theme="{theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Widgets</title>
<link rel="icon" href="data:,">
<style>
  body {{ margin: 1rem auto; max-width: 46rem; padding: 0 1rem;
    font: 1rem/1.65 system-ui, sans-serif; }}
  html {{ background: #fff; color: #1f2328; }}
  html[data-theme="dark"] {{ background: #14181e; color: #e6e6e6; color-scheme: dark; }}
</style>
<script type="module" src="static-widgets.js"></script>
</head>
<body>
<main>
<h1>Widgets</h1>
{body}
</main>
</body>
</html>
"""


def script(kind: str, content) -> str:
    """Return a script element as MyST-NB writes it."""
    text = json.dumps(content).replace("</script>", r"<\/script>")
    return f'<script type="application/vnd.jupyter.widget-{kind}+json">{text}</script>'


def view(widget, fallback: str = "") -> str:
    """Return one shown widget: the view, and what stands there without scripts."""
    kept = f'<div data-widget-fallback="">{fallback}</div>' if fallback else ""
    return f"<div>{kept}{script('view', {'model_id': widget.model_id})}</div>"


def state(*widgets) -> str:
    """Return the saved state of some widgets and of everything that they refer to."""
    data = embed_data(views=widgets, state=dependency_state(widgets, drop_defaults=False))
    return script("state", data["manager_state"])


def write(folder, body: str, *, theme: str = "light", language: str = "en") -> Path:
    """Write ``index.html`` and the page host into a folder; return the folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HOST, folder)
    page = PAGE.format(body=body, theme=theme, language=language)
    (folder / "index.html").write_text(page, encoding="utf-8")
    return folder
