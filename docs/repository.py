"""A Sphinx extension: pages that are made from the repository, and links into it.

Before the build, it writes `docs/models/NAME.md`, a page for each packed model, of its card, its
intended use, its drawing and its recipe, and copies notebooks, the changelog and the contribution
guide. While pages are read, links to files of the repository that are no pages become downloads.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import tarfile
import tempfile
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKS = ROOT / "recipes" / "pretrained"
PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}


def setup(app: Any) -> dict[str, Any]:
    app.connect("builder-inited", lambda _: make_pages())
    app.connect("source-read", rewrite_links)
    app.connect("html-page-context", set_language)
    return {"parallel_read_safe": True}


def make_pages() -> None:
    """Writes the pages that are made from other files of the repository."""
    models = DOCS / "models"
    for path in models.glob("*.md"):
        if path.name != "index.md":  # in the repository; `python -m benchmarks table` changes it
            path.unlink()
    manifest = json.loads((PACKS / "manifest.json").read_text("utf-8"))
    for name, entry in manifest.items():
        (models / f"{name}.md").write_text(model_page(name, entry), encoding="utf-8")
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


def card_of(recipe: Any, entry: dict[str, Any]) -> str:
    """Returns the model card of a pack, made from its JSON files in the words of this version."""
    from zoo.manifest import USE, read_use
    from zoo.report.card import render

    with tarfile.open(PACKS / entry["file"], "r:xz") as pack, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for member in pack:
            file = Path(member.name)
            if file.match("assets.extra/*.json"):
                content = pack.extractfile(member)
                assert content is not None
                (folder / file.name).write_bytes(content.read())
        # As `zoo.serving.Predictor` does: the file in the pack, or the entry beside all packs.
        use = None if (folder / USE).exists() else read_use(PACKS).get(recipe.name)
        return render(folder, recipe, use)


TOPOLOGIES = {
    "one-to-one": "One box between one input and one output",
    "one-to-many": "One input; each output is the next input",
    "many-to-one": "Four inputs, one output at the last",
    "many-to-many": "Four inputs, an output at each",
    "ctc": "Four inputs, outputs at two of them",
    "encoder-decoder": "Three steps read, two others write",
}
CELLS = {
    "lstm": "An LSTM: three gates and a candidate change the cell state",
    "gru": "A GRU: two gates and a candidate change the state",
}


ROWS = {"numbers": [0.3, 0.9, 0.5], "markers": [1, 0, 1]}  # of the adding problem
STEPS = """A row is two lists of equal length. The markers are 1 at the two numbers to add, else 0.
The training rows have 100 steps; for short rows such as this one, errors are larger."""
FILES = {
    "picture.png": "a picture of one digit",
    "prices.csv": "a table with a row for each day ([formats](../prices.md))",
}


def model_page(name: str, entry: dict[str, Any]) -> str:
    """Returns the page of a packed model: what it does, how to use it, drawings, its card."""
    import zoo

    recipe = zoo.get_recipe(name)
    page = Path(str(recipe.module.__file__)).name
    idea, _, explanation = recipe.doc.partition("\n\n")
    card = card_of(recipe, entry)
    card = card.partition("\n")[2].replace(idea, "", 1).strip()
    command, call = usage(name, recipe)
    file = next((file for file in FILES if command.endswith(file)), "")
    about = f"`{file}` is {FILES[file]}.\n\n" if file else ""
    if recipe.task == "adding":
        about = f"{STEPS}\n\n"
    topology = "ctc" if name.endswith("-ctc") else recipe.topology
    cell = getattr(recipe.config, "cell", "")
    general = drawing(f"lesson/topology-{topology}", TOPOLOGIES[topology], "14rem")
    if cell in CELLS:
        general += drawing(f"lesson/{cell}", CELLS[cell], "24rem")
    return f"""# {name}

{idea}

```console
$ {command}
```

```python
import zoo

model = zoo.load("{name}")
{call}```

{about}{seeds_of(name)}Size of the packed model: {size_of(entry["bytes"])}.
Licence of its training data: {entry["licence"]}.
The recipe is [recipes/{page}](../../recipes/{page}).

{card}

## The network

{drawing(f"models/{name}", described(name), "24rem")}
Each box is a layer, with the shape of its output for one row. `time` is the number of steps.
Recurrent layers are blue; their arrows show the direction, and bidirectional layers have both.
Dropout and masks are omitted.

{general}
The lesson explains [topologies](../lesson/03-topologies.md) and [cells](../lesson/10-gates.md).

{prose(explanation)}
"""


def seeds_of(name: str) -> str:
    """Returns a paragraph on the score over several seeds; "" where the model has one."""
    from benchmarks.score_tables import across_seeds, metric_name, number, spread

    result = json.loads((ROOT / "results" / f"{name}.json").read_text("utf-8"))
    result = across_seeds(result, _seed_runs())
    if "seeds" not in result:
        return ""
    metric, mean = result["metric"], result["seeds"]["mean"]
    score = f"{metric_name(metric)} {number(mean, mean, metric)}{spread(result, mean)}"
    below = f"The scores below are those of the packed model, seed {result['seed']}."
    return f"Mean test score: {score}. {below}\n\n"


@functools.cache
def _seed_runs() -> list[dict[str, Any]]:
    """Returns the results over several seeds, which each page asks for."""
    from benchmarks.score_tables import read_results, seed_runs

    return seed_runs(read_results(ROOT / "results"))


def size_of(size: int) -> str:
    """Returns a size in MB, or in kB below 0.1 MB."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


def described(name: str) -> str:
    """Returns the text of a drawing of a network, which says its layers."""
    drawn = (DOCS / "figures" / "models" / f"{name}.svg").read_text("utf-8")
    (text,) = re.findall(r"<title>(.*)</title>", drawn)
    return text


def drawing(name: str, text: str, width: str) -> str:
    """Returns a drawing, with the text for those who do not see it."""
    return f"""```{{image}} ../figures/{name}.svg
:alt: {text}
:width: {width}
```

"""


def usage(name: str, recipe: Any) -> tuple[str, str]:
    """Returns a command that asks the model, and a line of Python that does so."""
    module = recipe.module
    example = dict(module.DEMO.example) if hasattr(module, "DEMO") else {}
    if recipe.topology == "one-to-many":
        given = "".join(f" --{key} {json.dumps(value)}" for key, value in example.items())
        folder = " -o music" if hasattr(module, "render") else ""
        return f"zoo generate {name}{given}{folder}", "model.generate(1)\n"
    if recipe.task == "adding":
        command = f"echo '{json.dumps(ROWS)}' > rows.jsonl\n$ zoo predict {name} -i rows.jsonl"
        columns = {column: [values] for column, values in ROWS.items()}
        return command, f"model.predict({json.dumps(columns)})\n"
    if hasattr(module, "NAMED"):
        (file,) = module.NAMED.values()
        if "audio" in module.NAMED:  # a recording that is in the repository
            import recipes  # installed, perhaps in an environment inside the checkout

            path = Path(module.example(recipe.config, ROOT))
            file = path.relative_to(Path(recipes.__file__).parents[1]).as_posix()
        asked = f'"{file}"' if file.endswith(".csv") else f'["{file}"]'
        return f"zoo predict {name} {file}", f"model.predict({asked})\n"
    text = example.get("text") or recipe.dataset.sample()["text"][0]
    return f'zoo predict {name} "{text}"', f'model.predict(["{text}"])\n'


def prose(docstring: str) -> str:
    """Returns the paragraphs of a docstring as Markdown; what is indented stays as it is."""
    parts = []
    for block in re.split(r"\n\n(?=\S)|(?<=\n)\n(?= )", docstring.strip("\n")):
        lines = block.rstrip().split("\n")
        first = next((i for i, line in enumerate(lines) if line.startswith("    ")), len(lines))
        if first:
            text = re.split(r"(`[^`]*`)", "\n".join(lines[:first]).strip())
            escaped = [re.sub(r"([\\*_$<>\[\]{}#|~])", r"\\\1", each) for each in text[::2]]
            text[::2] = escaped
            parts.append("".join(text))
        if first < len(lines):
            literal = textwrap.dedent("\n".join(lines[first:])) + "\n```"
            if not first and parts and parts[-1].startswith("```"):
                parts[-1] = parts[-1].removesuffix("```") + "\n" + literal
            else:
                parts.append("```text\n" + literal)
    return "\n\n".join(part for part in parts if part.strip())


def rewrite_links(app: Any, name: str, source: list[str]) -> None:
    """Turns links to pages outside of `docs/` into links to their copies, or into plain code.

    In the table of models, names become links to their pages, which are made by the build.
    """
    if name == "models/index":
        source[0] = re.sub(r"^\| `([\w-]+)`", r"| [`\1`](\1.md)", source[0], flags=re.MULTILINE)
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
