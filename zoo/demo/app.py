"""Shows tabs in the browser with Gradio. Nothing is fetched from or sent to the internet."""

from __future__ import annotations

import importlib
import os
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo import listening
from zoo.demo import page
from zoo.demo.tab import Field, Tab
from zoo.environment import install_extra
from zoo.errors import UsageError, ZooError, first_line, shortened

HOST = "127.0.0.1"
MAX_FILE = 50 * 2**20  # bytes of an uploaded file
MAX_TEXT = 100_000  # characters
SIDE = 280  # pixels of the side of a drawing
# Makes the browser block content from other origins.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'; "
    "base-uri 'self'; form-action 'self'"
)


def require_gradio() -> Any:
    """Imports Gradio, with its analytics and downloads disabled.

    Raises:
      ZooError: it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        return importlib.import_module("gradio")
    except ImportError as error:
        raise ZooError(f"`zoo demo` needs gradio ({error}): {install_extra('demo')}.") from error


def answered(tab: Tab, values: Sequence[Any]) -> Iterator[str]:
    """Yields the HTML of an answer so far; for an error, its message.

    Args:
      tab: the tab whose function is called.
      values: the values of its fields, in order; for a drawing, Gradio's dict.
    """
    given = {}
    try:
        for field, value in zip(tab.fields, values, strict=True):
            if isinstance(value, dict):  # a drawing: its layers and their composite
                value = value.get("composite")
            if isinstance(value, str) and field.kind in ("text", "line"):
                if len(value) > MAX_TEXT:
                    raise UsageError(
                        f"{field.label}: the text has {len(value):,} characters; the maximum is "
                        f"{MAX_TEXT:,}. Shorten it."
                    )
                value = value if value.strip() else None
            if value is None and field.needed:
                raise UsageError(f"{field.label}: the field is empty. {_REQUESTS[field.kind]}")
            given[field.name] = value
        for parts in tab.answer(**given):
            yield page.render(parts)
    except ZooError as error:
        yield page.problem(_without_folders(str(error), values))
    except Exception as error:
        if os.environ.get("ZOO_DEBUG"):
            traceback.print_exc()
        said = _without_folders(first_line(error), values)
        yield page.problem(
            f"{type(error).__name__}: {shortened(said)} (this should not happen: please report it "
            "with the traceback that ZOO_DEBUG=1 shows)"
        )


_REQUESTS = {
    "text": "Write a text.",
    "line": "Write a text.",
    "number": "Give a number.",
    "slider": "Give a number.",
    "file": "Choose a file.",
    "sound": "Record something, or choose a file.",
    "drawing": "Draw something.",
}


def _without_folders(message: str, values: Sequence[Any]) -> str:
    """Returns a message without Gradio's folder in the paths of uploaded files."""
    for value in values:
        path = value.get("composite") if isinstance(value, dict) else value
        if isinstance(path, str) and os.path.isabs(path):
            message = message.replace(path, os.path.basename(path))
    return message


def make_blocks(tabs: Sequence[Tab]) -> Any:
    """Returns the page as a `gradio.Blocks`.

    Raises:
      ZooError: Gradio is not installed.
    """
    gr = require_gradio()
    with gr.Blocks(title="RNN zoo", analytics_enabled=False) as blocks:
        gr.Markdown("# RNN zoo")
        with gr.Tabs():
            for tab in tabs:
                with gr.Tab(tab.title):
                    _fill(gr, tab)
    return blocks


def _fill(gr: Any, tab: Tab) -> None:
    """Adds the content of a tab."""
    gr.Markdown(tab.about)
    small = [field for field in tab.fields if field.kind in ("line", "number", "slider")]
    components = {}
    with gr.Row():
        for field in small:
            components[field.name] = _component(gr, field)
    for field in tab.fields:
        if field not in small:
            components[field.name] = _component(gr, field)
    inputs = [components[field.name] for field in tab.fields]
    if tab.example is not None:
        gr.Examples([[tab.example]], inputs, cache_examples=False, label="Example")
    button = gr.Button(tab.button, variant="primary")
    output = gr.HTML(elem_classes="zoo-answer")

    def answer(*values: Any) -> Iterator[str]:
        yield from answered(tab, values)

    triggers = [button.click]
    triggers += [components[field.name].submit for field in small if field.kind == "line"]
    gr.on(
        triggers,
        answer,
        inputs,
        output,
        api_visibility="private",
        concurrency_limit=1,  # models use all cores: one answer at a time
        concurrency_id="answers",
    )
    if tab.warning:
        gr.Markdown(tab.warning)


def _component(gr: Any, field: Field) -> Any:
    """Returns the Gradio component of a field."""
    common: dict[str, Any] = {"label": field.label, "value": field.value}
    info = field.help or None
    if field.kind == "number":
        return gr.Number(precision=0, info=info, **common)
    if field.kind == "slider":
        return gr.Slider(0, 1.5, step=0.05, info=info, **common)
    if field.kind == "file":
        return gr.File(**common)
    if field.kind == "sound":
        sources = ["microphone", "upload"]
        return gr.Audio(sources=sources, type="filepath", editable=False, **common)
    if field.kind == "drawing":
        import numpy as np

        return gr.Sketchpad(
            # With a background image, the brush is selected at once.
            value=np.full((SIDE, SIDE, 3), 255, np.uint8),
            label=field.label,
            type="filepath",
            format="png",
            canvas_size=(SIDE, SIDE),
            fixed_canvas=True,
            layers=False,
            transforms=(),
            brush=gr.Brush(default_size=18, colors=["#000000"], color_mode="fixed"),
        )
    lines = 4 if field.kind == "text" else 1
    return gr.Textbox(lines=lines, max_lines=3 * lines, info=info, **common)


class _Guard:
    """ASGI middleware that adds the policy to every response."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", POLICY.encode())
                message = {**message, "headers": [*message["headers"], policy]}
            await send(message)

        await self.app(scope, receive, guarded)


def make_server(tabs: Sequence[Tab], folder: Path) -> Any:
    """Returns the ASGI application.

    Args:
      tabs: the tabs to show.
      folder: the folder of their example files.

    Raises:
      ZooError: Gradio is not installed.
    """
    gr = require_gradio()
    from fastapi import FastAPI  # a dependency of Gradio
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    app.add_middleware(_Guard)
    return gr.mount_gradio_app(
        app,
        make_blocks(tabs),
        path="/",
        server_name=HOST,
        footer_links=[],
        run_history=False,
        allowed_paths=[str(folder)],
        show_error=False,
        max_file_size=MAX_FILE,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        theme=gr.themes.Default(),
        css=page.CSS,
    )


def serve(
    make_tabs: Callable[[Path], Sequence[Tab]], port: int, on_ready: Callable[[str], None]
) -> None:
    """Serves a page until the process is stopped.

    Args:
      make_tabs: takes a folder for example files, returns the tabs.
      port: local port; 0: any free port.
      on_ready: called with the address.

    Raises:
      ZooError: Gradio is not installed.
      UsageError: the port is in use.
    """
    require_gradio()
    import uvicorn

    with listening.bind(HOST, port, "--port") as bound, tempfile.TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder) / "uploads")
        app = make_server(make_tabs(Path(folder)), Path(folder))
        config = uvicorn.Config(
            app, log_level="warning", lifespan="on", timeout_graceful_shutdown=2
        )
        on_ready(f"http://{HOST}:{bound.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[bound])
