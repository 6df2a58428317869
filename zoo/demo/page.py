"""Renders the parts of an answer as self-contained HTML."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zoo.demo.tab import Part

STRONGEST = 5  # number of words listed for and against an answer

CSS = """
.gradio-container {width: 100% !important; max-width: 60rem !important; margin: 0 auto !important}
.zoo-part {margin: 0 0 1rem; overflow-x: auto; contain: inline-size}
.zoo-text {white-space: pre-wrap; overflow-wrap: anywhere; font-size: 1.1rem}
.zoo-label {font-size: .85rem; opacity: .75; margin: 0 0 .3rem}
.zoo-note {font-size: .9rem; border-left: 3px solid #888; padding-left: .6rem}
.zoo-problem {border-left: 4px solid #d55e00; padding: .5rem .8rem; margin: 0}
.zoo-bar {display: grid; grid-template-columns: minmax(4rem, auto) 1fr 4rem; gap: .6rem;
  align-items: center; margin: .2rem 0}
.zoo-bar > span:nth-child(2) {background: #8882; border-radius: 3px}
.zoo-bar > span > span {display: block; height: 1rem; background: #0072b2; border-radius: 3px}
.zoo-words {line-height: 2}
.zoo-words > span {padding: .1rem .15rem; border-radius: 3px}
.zoo-part > img {display: block; max-width: none; width: 100%; min-width: 34rem;
  background: white}
.zoo-part > audio {width: 100%}
.zoo-part > a {margin-right: 1rem}
"""


def render(parts: Sequence[Part]) -> str:
    """Returns the HTML of an answer."""
    return "".join(_PARTS[part.kind](part.value, html.escape(part.label)) for part in parts)


def problem(message: str) -> str:
    """Returns the HTML of an error message."""
    return f'<p class="zoo-problem" role="alert">{html.escape(message)}</p>'


def _block(content: str, label: str = "", kind: str = "") -> str:
    heading = f'<p class="zoo-label">{label}</p>' if label else ""
    return f'<div class="zoo-part {kind}">{heading}{content}</div>'


def _text(value: str, label: str) -> str:
    return _block(f'<div class="zoo-text">{html.escape(value)}</div>', label)


def _html(value: str, label: str) -> str:
    return _block(value, label)


def _note(value: str, label: str) -> str:
    return _block(html.escape(value), label, "zoo-note")


def _bars(value: Mapping[str, float], label: str) -> str:
    rows = sorted(value.items(), key=lambda item: -item[1])
    bars = "".join(
        f'<div class="zoo-bar"><span>{html.escape(name)}</span>'
        f'<span><span style="width:{100 * share:.1f}%"></span></span>'
        f"<span>{100 * share:.1f} %</span></div>"
        for name, share in rows
    )
    return _block(bars, label)


def _influence(value: Sequence[tuple[str, float]], label: str) -> str:
    """Returns the HTML of words: blue for the answer, orange against it."""
    largest = max((abs(each) for _, each in value), default=0.0) or 1.0
    words = " ".join(
        f'<span title="{each:+.3g}" style="background:rgba('
        f'{"0,114,178" if each > 0 else "213,94,0"},{0.75 * abs(each) / largest:.2f})">'
        f"{html.escape(word)}</span>"
        for word, each in value
    )
    ordered = sorted(value, key=lambda item: item[1])
    lines = []
    for name, chosen in (("for", ordered[::-1]), ("against", ordered)):
        sign = 1 if name == "for" else -1
        strong = [word for word, each in chosen[:STRONGEST] if sign * each > 0.05 * largest]
        lines.append(f"{name} it: {html.escape(', '.join(strong)) or 'no word'}")
    return _block(
        f'<div class="zoo-words">{words}</div>'
        f'<p class="zoo-label">most {"; most ".join(lines)}</p>',
        f"{label}: blue is for it, orange against it",
    )


def _picture(value: bytes, label: str) -> str:
    kind = "png" if value.startswith(b"\x89PNG") else "svg+xml"
    return _block(f'<img alt="{label}" src="{_data(value, f"image/{kind}")}">', label)


def _player(value: bytes, label: str) -> str:
    source = _data(value, "audio/wav")
    return _block(f'<audio controls aria-label="{label}" src="{source}"></audio>')


def _files(value: Mapping[str, bytes], label: str) -> str:
    links = "".join(
        f'<a download="{html.escape(name)}" href="{_data(content, "application/octet-stream")}">'
        f"{html.escape(name)}</a>"
        for name, content in value.items()
    )
    return _block(links, label) if links else ""


def _data(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


_PARTS: dict[str, Callable[[Any, str], str]] = {
    "text": _text,
    "html": _html,
    "note": _note,
    "bars": _bars,
    "influence": _influence,
    "picture": _picture,
    "player": _player,
    "files": _files,
}
