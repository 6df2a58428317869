"""`zoo demo`."""

from __future__ import annotations

import click

from zoo.cli import options


@click.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1, shell_complete=options.complete_model)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=7860,
    show_default=True,
    metavar="N",
    help="Port on this machine; 0: any free port.",
)
@options.trust
def demo(models: tuple[str, ...], port: int, trust: bool) -> None:
    """Try MODELs (recipe names, run folders or exports) on a page in the browser, a tab for each.

    Without MODEL: one pretrained model for each task. The page is for this machine alone
    and works offline. Ctrl-C stops it. It needs the extra [demo].
    """
    from zoo.demo import app

    app.require_gradio()
    options.import_tensorflow()
    from zoo.demo.tabs import tabs_of

    app.serve(
        lambda folder: tabs_of(models, folder, trust=trust),
        port,
        lambda address: click.echo(f"Open {address} in a browser. Ctrl-C stops."),
    )
