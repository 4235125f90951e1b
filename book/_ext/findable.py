"""What search engines ask of a site, and those who pass on a link to one.

Each page gets a description, a picture for those who pass it on, and its canonical address (which
Sphinx writes); the site a sitemap, robots.txt and a page for addresses that lead nowhere. What
needs the site's own address is left out where none is known; see `address`.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from textwrap import shorten
from urllib.parse import urlsplit

import address
from docutils import nodes
from sphinx.addnodes import pending_xref

#: The picture that stands beside a link to a page; ``tools/screenshot.py`` takes it.
CARD = "_static/card.png"
CARD_ALT = "The book's explorer: a kernel of nine weights slides over a grid of pixels"

NOT_FOUND = """<h1>There is no such page</h1>
<p>The address may be old, or mistyped. <a href="{root}index.html">The book begins here</a>, and
<a href="{root}search.html">here it is searched</a>.</p>"""


def settle(app, config) -> None:
    """Tell the extensions that write all this where the site is, once `address` has found it."""
    site = address.site(config)
    root = urlsplit(site or "").path + "/"
    config.ogp_site_url = f"{site}/" if site else ""
    config.ogp_site_name = config.html_title
    config.ogp_image = CARD if site else None
    config.ogp_image_alt = CARD_ALT
    config.ogp_social_cards = {"enable": False}
    config.notfound_urls_prefix = root
    config.notfound_context = {"title": "No such page", "body": NOT_FOUND.format(root=root)}
    if site:
        app.setup_extension("sphinx_sitemap")
        config.site_url, config.sitemap_url_scheme = f"{site}/", "{link}"
        config.sitemap_excludes = ["search.html", "genindex.html", "404.html"]


def summaries(app) -> dict[str, str]:
    """Return what the opening page's list of chapters says of each."""
    items = app.env.get_doctree(app.config.root_doc).findall(nodes.list_item)
    links = ((next(item.findall(pending_xref), None), item) for item in items)
    return {link["reftarget"]: item.astext() for link, item in links if link}


def describe(app, pagename, templatename, context, doctree) -> None:
    """Describe a page as the opening page does; others are described by their first words."""
    said = summaries(app).get(pagename) if doctree else None
    if said:
        said = shorten(said, app.config.ogp_description_length, placeholder=" …")
        context["meta"] = {**(context["meta"] or {}), "og:description": escape(said)}
        tag = f'<meta name="description" content="{escape(said)}" />\n'
        context["metatags"] = context.get("metatags", "") + tag


def without_address(app, pagename, templatename, context, doctree) -> None:
    """Leave out a page's address where it would be no more than a path."""
    if not app.config.ogp_site_url:
        tags = context.get("metatags", "")
        context["metatags"] = re.sub(r'<meta property="og:url"[^>]*>\n?', "", tags)


def write_robots(app, exception) -> None:
    """Let every robot read all pages, and say where their list is."""
    if exception or app.builder.format != "html":
        return
    lines = ["User-agent: *", "Allow: /"]
    if app.config.ogp_site_url:
        lines.append(f"Sitemap: {app.config.ogp_site_url}sitemap.xml")
    (Path(app.outdir) / "robots.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def setup(app):
    """Join it to Sphinx, behind the extensions that it tells what to do."""
    app.setup_extension("notfound.extension")
    app.setup_extension("sphinxext.opengraph")
    app.connect("config-inited", settle, priority=200)
    app.connect("html-page-context", describe, priority=400)  # the extensions write at 500
    app.connect("html-page-context", without_address, priority=600)
    app.connect("build-finished", write_robots)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
