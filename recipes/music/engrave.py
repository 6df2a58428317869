"""Engraves scores as SVG images with Verovio (https://www.verovio.org)."""

from __future__ import annotations

from pathlib import Path

from recipes.music.libraries import require, suppress_output
from zoo.errors import ZooError

WIDTH = 2_100  # of the page, in tenths of a millimetre, at a scale of 100 %
HEIGHT = 60_000  # at most: a page is as high as its music
SCALE = 40  # percent


def engrave(document: bytes) -> bytes:
    """Returns MusicXML as an SVG picture of one page, the same bytes for the same document.

    Raises:
      ZooError: Verovio is not installed, or cannot read the document.
    """
    require("verovio")
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    # Verovio stores the path of its fonts per thread, and its import sets it in one thread only.
    verovio.setDefaultResourcePath(str(Path(verovio.__file__).with_name("data")))
    toolkit = verovio.toolkit()
    toolkit.resetXmlIdSeed(1)  # else the ids of elements are random
    toolkit.setOptions(
        {
            "pageWidth": WIDTH,
            "pageHeight": HEIGHT,
            "adjustPageHeight": True,
            "scale": SCALE,
            "header": "none",
            "footer": "none",
            "svgViewBox": True,
            "svgFormatRaw": True,  # without indentation: a smaller file
        }
    )
    with suppress_output():
        read = toolkit.loadData(document.decode())
    if not read:
        raise ZooError("Verovio cannot engrave the piece.")
    return toolkit.renderToSVG(1).encode()
