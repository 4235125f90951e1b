"""One thing, one colour, everywhere: the palette that plots, widgets and pages read.

The hues are Okabe and Ito's, which readers with any common form of colour blindness can tell
apart. Each has a lighter form for dark pages.

References
----------
M. Okabe and K. Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

#: role -> (on a light page, on a dark page)
COLORS = {
    "input": ("#0072B2", "#56B4E9"),
    "kernel": ("#D55E00", "#F28E4B"),
    "output": ("#009E73", "#35C79A"),
    "highlight": ("#E69F00", "#F5C04A"),
    "text": ("#1F2328", "#E6E6E6"),
    "muted": ("#59636E", "#A9B1BA"),
    "grid": ("#D1D9E0", "#484F58"),
    "surface": ("#FFFFFF", "#14181E"),
}
#: role -> its colour on a light page, in which figures are drawn
INK = {role: light for role, (light, _) in COLORS.items()}

#: Signed values, kernels above all: one diverging map, centred on zero.
DIVERGING = "RdBu_r"
#: Feature maps: one sequential map.
SEQUENTIAL = "viridis"

#: Points, 12 pixels on the page: the smallest type in a figure.
SMALL = 9
#: How matplotlib draws all figures of the book.
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine measures alike
    "font.size": 10,
    "text.color": INK["text"],
    "axes.edgecolor": INK["muted"],
    "axes.labelcolor": INK["text"],
    "axes.titlecolor": INK["text"],
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlepad": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": INK["grid"],
    "xtick.color": INK["muted"],
    "ytick.color": INK["muted"],
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "ytick.major.size": 0,
    "lines.linewidth": 2,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "cnnlib",  # the same figure, the same bytes
}

# How each host says "dark": the built page, JupyterLab, Colab, VS Code.
DARK_SELECTORS = (
    'html[data-theme="dark"]',
    'body[data-jp-theme-light="false"]',
    "html[theme=dark]",
    "body.vscode-dark",
)


def css_variables() -> str:
    """Return the palette as CSS custom properties, ``--cnn-input`` and so on.

    Returns
    -------
    str
        A style sheet that sets the light form on ``:root`` and the dark form wherever the host
        says that the page is dark.
    """
    light, dark = (
        " ".join(f"--cnn-{role}: {pair[shade]};" for role, pair in COLORS.items())
        for shade in (0, 1)
    )
    return f":root {{ {light} }}\n{', '.join(DARK_SELECTORS)} {{ {dark} }}\n"
