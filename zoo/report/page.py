"""Cards as HTML, for notebooks."""

from __future__ import annotations

import base64
import html

import markdown


def card_html(title: str, card: str, picture: bytes = b"") -> str:
    """Returns HTML with a title, a picture and a collapsed card.

    Args:
      title: a line, plain text.
      card: Markdown. HTML and links in it, which may be untrusted, are shown as text.
      picture: a PNG, or empty.
    """
    parts = [f"<div><b>{html.escape(title)}</b>"]
    if picture:
        data = base64.b64encode(picture).decode()
        parts.append(f'<br><img style="max-width:100%" src="data:image/png;base64,{data}">')
    if card:
        parts.append(f"<details><summary>model card</summary>{_rendered(card)}</details>")
    return "".join([*parts, "</div>"])


def _rendered(text: str) -> str:
    renderer = markdown.Markdown(extensions=["tables"])
    renderer.preprocessors.deregister("html_block")
    for pattern in (
        *("html", "link", "image_link", "image_reference", "reference", "short_reference"),
        *("short_image_ref", "autolink", "automail"),
    ):
        renderer.inlinePatterns.deregister(pattern)
    renderer.parser.blockprocessors.deregister("reference")
    return renderer.convert(text)
