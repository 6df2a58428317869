"""A Sphinx extension: pages that are made from the repository, and links into it.

Before the build, it writes `docs/models/NAME.md`, a page for each packed model, of its card and its
recipe, and copies notebooks, the changelog and the contribution guide. While pages are read,
links to files of the repository that are no pages become downloads.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", lambda _: make_pages())
    app.connect("source-read", rewrite_links)
    app.connect("html-page-context", set_language)
    return {"parallel_read_safe": True}


def make_pages() -> None:
    """Writes the pages that are made from other files of the repository."""
    models = DOCS / "models"
    shutil.rmtree(models, ignore_errors=True)
    models.mkdir()
    manifest = json.loads((ROOT / "recipes" / "pretrained" / "manifest.json").read_text("utf-8"))
    for name, entry in manifest.items():
        (models / f"{name}.md").write_text(model_page(name, entry), encoding="utf-8")
    (models / "index.md").write_text(models_index(manifest), encoding="utf-8")
    notebooks = DOCS / "notebooks"
    shutil.rmtree(notebooks, ignore_errors=True)
    notebooks.mkdir()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        shutil.copy(path, notebooks)
    for source, target in PAGES.items():
        shutil.copy(ROOT / source, DOCS / target)
    (DOCS / "reference" / "cli.md").write_text(cli_page(), encoding="utf-8")


def cli_page() -> str:
    """Returns the page of the command line: what `zoo VERB --help` prints."""
    import click

    from zoo.cli import zoo as cli

    root = click.Context(cli, info_name="zoo", terminal_width=80)
    parts = ["# Command line", _help(cli.get_help(root))]
    for verb in sorted(cli.list_commands(root)):
        command = cli.get_command(root, verb)
        assert command is not None
        context = click.Context(command, root, info_name=verb, terminal_width=80)
        parts += [f"## zoo {verb}", _help(command.get_help(context))]
        if isinstance(command, click.Group):
            for name in sorted(command.list_commands(context)):
                inner = command.get_command(context, name)
                assert inner is not None
                under = click.Context(inner, context, info_name=name, terminal_width=80)
                parts += [f"### zoo {verb} {name}", _help(inner.get_help(under))]
    return "\n\n".join(parts) + "\n"


def _help(text: str) -> str:
    return f"```text\n{text}\n```"


def card_of(entry: dict[str, Any]) -> str:
    """Returns the model card inside a pack."""
    with tarfile.open(ROOT / "recipes" / "pretrained" / entry["file"]) as pack:
        member = pack.extractfile("assets.extra/card.md")
        assert member is not None
        return member.read().decode()


def model_page(name: str, entry: dict[str, Any]) -> str:
    """Returns the page of a packed model: what it does, how to use it, its card."""
    import zoo

    recipe = zoo.get_recipe(name)
    page = Path(str(recipe.module.__file__)).name
    idea, _, explanation = recipe.doc.partition("\n\n")
    card = card_of(entry).partition("\n")[2].replace(idea, "", 1).strip()
    verb = "generate" if recipe.topology == "one-to-many" else "predict"
    argument = "" if verb == "generate" else ' "…"'
    size = entry["bytes"] / 1e6
    return f"""# {name}

{idea}

```console
$ zoo {verb} {name}{argument}
```

```python
import zoo

model = zoo.load("{name}")
```

The packed model has {size:.1f} MB. Licence of its training data: {entry["licence"]}.
The recipe is [recipes/{page}](../../recipes/{page}).

{card}

## The network

```text
{explanation.strip()}
```
"""


def models_index(manifest: dict[str, Any]) -> str:
    """Returns the page that lists the packed models."""
    import zoo

    rows = [
        f"| [{name}]({name}.md) | {zoo.get_recipe(name).topology} | {entry['data']} "
        f"| {entry['metric']} {entry['score']:.4g} | {entry['bytes'] / 1e6:.1f} |"
        for name, entry in manifest.items()
    ]
    names = "\n".join(manifest)
    head = "| model | topology | data | score on the test split | MB |\n|---|---|---|---|---:|\n"
    return (
        "# Models\n\nModels that come with weights. Each page is made from the card that the "
        f"training wrote.\n\n{head}"
        + "\n".join(rows)
        + f"\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"
    )


def rewrite_links(app: Any, name: str, source: list[str]) -> None:
    """Turns links to pages outside of `docs/` into links to their copies, or into plain code."""
    here = (DOCS / name).parent

    def target(match: re.Match[str]) -> str:
        text, link, anchor = match[1], match[2], match[3] or ""
        if re.match(r"[a-z]+:", link):
            return match[0]
        origin = here
        if name in ("changelog", "contributing"):
            origin = ROOT
        elif name.startswith("notebooks/"):
            origin = ROOT / "notebooks"
        path = (origin / link).resolve()
        depth = "../" * name.count("/")
        if path.suffix in (".md", ".ipynb", ".png") and path.is_relative_to(DOCS):
            return f"[{text}]({depth}{path.relative_to(DOCS)}{anchor})"
        if path.parent == ROOT / "notebooks" and path.suffix == ".ipynb":
            return f"[{text}]({depth}notebooks/{path.name})"
        if path.parent == ROOT and path.name in PAGES:
            return f"[{text}]({depth}{PAGES[path.name]}{anchor})"
        if path == ROOT / "README.md":
            return f"[{text}]({depth}index.md)"
        if path.is_file():
            return f"{{download}}`{_plain(text)} <{_relative(path, here)}>`"
        return f"`{_plain(text)}`" if path.is_dir() else match[0]

    source[0] = re.sub(
        r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)#\s]+)(#[^)\s]*)?\)", target, source[0]
    )


def set_language(app: Any, name: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Tells browsers and screen readers that the pages in `docs/lecon/` are in French."""
    if name.startswith("lecon/"):
        context["language"] = "fr"


def _plain(text: str) -> str:
    return text.replace("`", "")


def _relative(path: Path, here: Path) -> str:
    import os

    return os.path.relpath(path, here)
