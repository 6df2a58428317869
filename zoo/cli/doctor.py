"""`zoo doctor`."""

from __future__ import annotations

from typing import Any

import click

from zoo.cli import options


@click.command()
@options.json_output
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Show versions, devices and folders, and how to fix problems.

    Exits with 1 if something essential is missing. Changes nothing and does not use the network.
    """
    from zoo.diagnosis import doctor

    with options.transient("looking …"):
        report = doctor()
    if as_json:
        click.echo(options.json_text(report, indent=2))
    else:
        _show(report)
    ctx.exit(0 if report["ok"] else 1)


def _show(report: dict[str, Any]) -> None:
    machine, cache = report["environment"], report["cache"]
    cpu = ", ".join(
        f"{machine[key]}{unit}"
        for key, unit in (("cpu", ""), ("cores", " cores"), ("memory_gib", " GiB"))
        if machine.get(key)
    )
    no_gpu = f"none (with an NVIDIA GPU: {report['gpu_install']})"
    packed = report["pretrained"]
    facts = {
        "Python": f"{machine['python']}, {machine.get('system')} {machine.get('machine')}",
        "zoo": machine.get("zoo"),
        **{name: version or _bad("missing") for name, version in report["packages"].items()},
        "Keras backend": report["backend"] or _bad("unknown"),
        "CPU": cpu,
        "GPU": ", ".join(report["gpus"]) or no_gpu,
        "pip": report["pip"] or _bad("missing"),
        "cache": f"{cache['path']}: {cache['bytes'] / 1e6:,.1f} MB used, "
        f"{cache['free_bytes'] / 1e9:,.1f} GB free",
        "pretrained": f"{list(packed.values()).count('ok')} of {len(packed)} packs are complete",
        **{name: value for name, value in report["settings"].items() if value is not None},
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        options.say(f"{name.ljust(width)}  {value}", hang=" " * (width + 2))
    click.echo()
    for problem in report["problems"]:
        mark = _bad("problem:") if problem["essential"] else click.style("note:", fg="yellow")
        options.say(f"{mark} {problem['what']}")
        options.say(f"fix: {problem['remedy']}", "  ")
    if not report["problems"]:
        click.echo(click.style("Nothing is missing.", fg="green"))


def _bad(text: str) -> str:
    return click.style(text, fg="red")
