"""Where the book lives: its repository, from which that of its pages follows.

Nothing that is committed names it, so that a copy anywhere, a fork for one, publishes itself. It is
read when pages and notebooks are made, from the first of these that knows it:

1. the environment variable ``BOOK_REPOSITORY``: any address that git can fetch from, such as
   ``file:///path/to/a/checkout``;
2. ``repository.url`` in ``_config.yml``;
3. the checkout's remote, if that is on GitHub;
4. ``GITHUB_REPOSITORY``, which a workflow on github.com sets to ``owner/name``.

Pages lie where ``html.baseurl`` in ``_config.yml`` says, else on the repository's GitHub Pages.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from telling import tell

#: An address on GitHub, in the ways in which git writes one.
GITHUB = re.compile(
    r"(?i:(?:https?|ssh|git)://(?:[^@/]+@)?(?:www\.|ssh\.)?github\.com(?::\d+)?/|[\w-]+@github\.com:/?)"
    r"([\w-]+)/+([\w.-]+?)(?:\.git)?/*"
)
#: The buttons of a page that lead to the repository.
BUTTONS = ["launch_buttons", "use_repository_button", "use_issues_button"]


def github(url: str) -> str | None:
    """Return a repository's address on GitHub as ``https://github.com/owner/name``, or None."""
    match = GITHUB.fullmatch(url.strip())
    return match and f"https://github.com/{match[1]}/{match[2]}"


def remote(folder: Path) -> str:
    """Return the address of a checkout's remote; it is empty where there is no checkout or no git.

    A copy without ``.git`` may lie within another's checkout, whose remote is not meant.
    """
    if not (folder / ".git").exists():
        return ""
    # As in a hook, these would name another checkout than the folder's.
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        told = subprocess.run(command, capture_output=True, env=own).stdout
        return told.decode(errors="replace").strip()

    try:
        is_root = Path(git("rev-parse", "--show-toplevel") or "/").samefile(folder)
        return git("ls-remote", "--get-url") if is_root else ""
    except FileNotFoundError:
        return ""


def find_repository(folder: Path, configured: str = "") -> str | None:
    """Return the address of the repository, or None where nothing tells it.

    Parameters
    ----------
    folder : Path
        The root of the checkout.
    configured : str
        ``repository.url`` of ``_config.yml``.
    """
    given = (os.environ.get("BOOK_REPOSITORY") or configured).strip()
    if given:
        # It stands in pages and notebooks: no token goes with it, and no blank ends it.
        return github(given) or re.sub(r"://[^@/]*@", "://", given).replace(" ", "%20")
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    name = os.environ.get("GITHUB_REPOSITORY")
    return github(remote(folder)) or (name and github(f"{server}/{name}"))


def pages(repository: str) -> str:
    """Return the address of a repository's GitHub Pages, or nothing if it is not on GitHub."""
    match = GITHUB.fullmatch(repository)
    if not match:
        return ""
    owner, name = match.groups()
    host = f"{owner}.github.io".lower()
    return f"https://{host}" if name.lower() == host else f"https://{host}/{name}"


def site(config) -> str | None:
    """Return the address of the book's pages, without a last slash, or None if it is not known."""
    return config.html_baseurl.rstrip("/") or None


def settle(app, config) -> None:
    """Find both addresses before another extension asks; leave out the buttons that have none."""
    theme = config.html_theme_options
    found = find_repository(Path(app.srcdir), theme.get("repository_url", "")) or ""
    config.book_repository = found or None
    config.html_baseurl = config.html_baseurl or pages(found)
    theme["repository_url"] = github(found) or ""
    if not theme["repository_url"]:
        for button in BUTTONS:
            theme.pop(button, None)


def say_missing(app, exception) -> None:
    """Say what the pages go without, and why. A notice, not a warning."""
    known = app.config.html_theme_options["repository_url"]
    if known or exception or app.builder.format != "html":
        return
    rest = "" if site(app.config) else ", a sitemap and canonical addresses"
    tell(
        "NOTICE: Neither _config.yml nor git's remote tells an address on GitHub: the pages go "
        f"without the buttons of Colab and the repository{rest}."
    )


def setup(app):
    """Settle the addresses before others read them."""
    app.add_config_value("book_repository", None, "")
    app.connect("config-inited", settle, priority=100)
    app.connect("build-finished", say_missing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
