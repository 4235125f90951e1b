"""What a release holds of the whole book, and the way there from each page's download button."""

from __future__ import annotations

#: File of a release, what the button says, what it says when pointed at, icon.
FILES = [
    ("seeing-convolutions.pdf", "book, .pdf", "Download the whole book as one PDF", "fa-book"),
    (
        "seeing-convolutions.zip",
        "book, .zip",
        "Download all pages for a disk",
        "fa-box-archive",
    ),
]


def offer(app, pagename, templatename, context, doctree) -> None:
    """Offer the newest release's files, if it is known where releases are."""
    repository = app.config.html_theme_options.get("repository_url")
    if not repository:
        return
    buttons = [
        {
            "type": "link",
            "url": f"{repository}/releases/latest/download/{file}",
            "text": text,
            "tooltip": tooltip,
            "icon": f"fas {icon}",
            "label": f"download-{file.replace('.', '-')}",
        }
        for file, text, tooltip, icon in FILES
    ]
    for group in context.get("header_buttons", []):
        if group["label"] == "download-buttons":
            group["buttons"] += buttons


def setup(app):
    """Join the buttons to the theme's, which makes its own at priority 501."""
    app.connect("html-page-context", offer, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
