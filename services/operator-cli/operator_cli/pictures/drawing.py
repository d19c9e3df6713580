"""Elements, text and colours of the pictures. Everything goes through an element tree, so that no name can be markup."""

import re
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

SVG = "http://www.w3.org/2000/svg"
SANS = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'SF Mono', 'Liberation Mono', 'DejaVu Sans Mono', monospace"
WIDTH_OF_SANS = 0.58
WIDTH_OF_BOLD = 0.64
WIDTH_OF_MONO = 0.605
"""Of a character, in the font's size: sans as wide as names come out in the wide fonts, mono exact."""

_UNSHOWABLE = re.compile(
    "[^\t\n\r -\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u200b-\u200f\u202a-\u202e\u2060-\u206f]"
)
"""What XML can't carry, and what would turn or hide the text around it."""

Number = float | int
Face = Literal["sans", "bold", "mono"]


@dataclass(frozen=True)
class Palette:
    """Colours of one scheme; the pairs of text and ground have a contrast of 4.5 or more (WCAG 2.2, 1.4.3)."""

    ground: str
    card: str
    edge: str
    text: str
    quiet: str
    line: str
    role: str
    role_edge: str
    good: str
    good_ground: str
    bad: str
    bad_ground: str
    warn: str
    warn_ground: str


LIGHT = Palette(
    ground="#ffffff", card="#f6f8fa", edge="#d0d7de", text="#1f2328", quiet="#57606a", line="#57606a",
    role="#eaf2ff", role_edge="#3b6fb6", good="#1a6b34", good_ground="#e3f5e8", bad="#b3261e", bad_ground="#fde8e6",
    warn="#7d4e00", warn_ground="#fff3d6",
)  # fmt: skip
DARK = Palette(
    ground="#0f141a", card="#182029", edge="#35404d", text="#e8edf2", quiet="#a3b0be", line="#94a3b3",
    role="#152a45", role_edge="#7fb0f5", good="#7ee2a0", good_ground="#12301f", bad="#ff9b93", bad_ground="#431a18",
    warn="#f2c261", warn_ground="#3a2b0b",
)  # fmt: skip


def styles(scope: str = "svg") -> str:
    """The style sheet of a picture: light, dark where the reader's system is, light again on paper."""
    shape = f"""
text{{font-family:{SANS};font-size:13px}}
.mono{{font-family:{MONO};font-size:12px}}
.head{{font-size:22px;font-weight:650}}
.sub{{font-size:13px}}
.name{{font-weight:600}}
.small{{font-size:11px}}
.flow{{fill:none;stroke-width:1.6}}
.undeclared{{stroke-width:2.4;stroke-dasharray:7 4}}
[tabindex]:focus-visible{{outline:3px solid #3b82f6;outline-offset:2px}}
"""
    return (
        shape
        + _colours(LIGHT)
        + "@media (prefers-color-scheme:dark){"
        + _colours(DARK)
        + "}@media print{"
        + _colours(LIGHT)
        + "}"
    ).replace("\n", "")


def _colours(of: Palette) -> str:
    return f"""
.ground{{fill:{of.ground}}}.card{{fill:{of.card};stroke:{of.edge}}}.frame{{fill:none;stroke:{of.edge}}}
.role{{fill:{of.role};stroke:{of.role_edge}}}
text{{fill:{of.text}}}.quiet{{fill:{of.quiet}}}
.flow{{stroke:{of.line}}}.tip{{fill:{of.line}}}.rule{{stroke:{of.edge}}}
.good{{fill:{of.good}}}.goodground{{fill:{of.good_ground};stroke:{of.good}}}
.bad{{fill:{of.bad}}}.badground{{fill:{of.bad_ground};stroke:{of.bad}}}
.warn{{fill:{of.warn}}}.warnground{{fill:{of.warn_ground};stroke:{of.warn}}}
.flow.undeclared{{stroke:{of.bad}}}.tip.undeclared{{fill:{of.bad}}}
"""


def clean(text: str, most: int = 400) -> str:
    """The text without what can't be shown, at most so many characters long."""
    shown = _UNSHOWABLE.sub("\ufffd", text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def add(parent: Element, tag: str, text: str | None = None, **attributes: str | Number) -> Element:
    """A new element inside `parent`; a name's `_` is a `-`, a leading one is dropped (`_class`)."""
    made = ElementTree.SubElement(
        parent, tag, {name.strip("_").replace("_", "-"): _said(value) for name, value in attributes.items()}
    )
    if text is not None:
        made.text = clean(text)
    return made


def picture(width: Number, height: Number, title: str, description: str) -> Element:
    """An empty picture with its ground, its style, and what it is called for those who can't see it."""
    root = Element(
        "svg",
        {
            "xmlns": SVG,
            "viewBox": f"0 0 {_said(width)} {_said(height)}",
            "width": _said(width),
            "height": _said(height),
            "role": "img",
            "aria-labelledby": "picture-title picture-description",
        },
    )
    add(root, "title", title, id="picture-title")
    add(root, "desc", description, id="picture-description")
    add(root, "style").text = styles()
    add(root, "rect", _class="ground", width=width, height=height)
    return root


def to_svg(root: Element) -> str:
    """The picture as a file of its own."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def wide(text: str, size: Number = 13, *, face: Face = "sans") -> float:
    """How wide the text comes out, in pixels: rather too wide than too narrow."""
    across = {"sans": WIDTH_OF_SANS, "bold": WIDTH_OF_BOLD, "mono": WIDTH_OF_MONO}[face]
    return sum(1.8 if ord(each) > 0x2E80 else 1 for each in text) * size * across


def fitting(text: str, width: Number, size: Number = 13, *, face: Face = "sans") -> str:
    """The text, cut with an ellipsis where it is wider than that."""
    shown = clean(text)
    while len(shown) > 1 and wide(shown, size, face=face) > width:
        shown = f"{shown.rstrip('…')[:-1].rstrip()}…"
    return shown


def _said(value: str | Number) -> str:
    if isinstance(value, str):
        return clean(value)
    return f"{value:.1f}".removesuffix(".0")
