"""Files of the project that no other test reads: tasks, forms, drawings, versions."""

import ast
import importlib.util
import itertools
import json
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import zoo
from zoo import plugins

ROOT = Path(__file__).parents[1]


def test_the_drawing_of_the_imports_is_up_to_date():
    command = [sys.executable, "tools/draw_architecture.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == 0, "run `python tools/draw_architecture.py`"


def test_the_drawing_refuses_an_import_that_leads_upwards(tmp_path, monkeypatch):
    tool = load(ROOT / "tools" / "draw_architecture.py")
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    for package in ("zoo", "zoo/data", "zoo/serving"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    module = tmp_path / "zoo" / "data" / "files.py"
    module.write_text("import zoo.errors\n", encoding="utf-8")
    errors = tmp_path / "zoo" / "errors.py"
    errors.touch()
    (tmp_path / "zoo" / "serving" / "load.py").write_text("import zoo.data.files\n", "utf-8")
    assert tool.edges() == {("zoo.serving", "zoo.data"): 1}
    errors.write_text("def late():\n    from zoo.serving import load\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"upwards: .*'zoo\.serving'"):
        tool.edges()
    errors.write_text("", encoding="utf-8")
    (tmp_path / "zoo" / "other").mkdir()
    (tmp_path / "zoo" / "other" / "__init__.py").write_text("import zoo.data.files\n", "utf-8")
    with pytest.raises(ValueError, match="zoo/other/ has no box"):
        tool.edges()


def test_the_citation_has_the_version_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == zoo.__version__


def test_each_task_of_the_pages_is_one_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    tasks = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    pages = [
        *(
            ROOT / name
            for name in ("README.md", "CONTRIBUTING.md", ".ci/run", ".pre-commit-config.yaml")
        ),
        *(path for name in ("docs/**/*.md", ".github/**/*.yml") for path in ROOT.glob(name)),
    ]
    # In code alone: `make lint types`, a line of a block, a step of a workflow.
    command = re.compile(
        r"(?:`|^|&& |run: )make(?: --\S+)*((?: [a-z]+)+)(?=[ `\n]|$)", re.MULTILINE
    )
    named = {
        task
        for page in pages
        for line in command.findall(page.read_text(encoding="utf-8"))
        for task in line.split()
    }
    assert named <= tasks, named - tasks
    assert named >= {"test", "slow", "lint", "types", "docs", "linkcheck", "matrix", "bench"}


def test_the_commands_of_the_tests_are_the_same_everywhere():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (options,) = re.findall(r"^test: .*\n\t\$\(PYTHON\) -m pytest (.*)$", makefile, re.MULTILINE)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f".venv/bin/pytest {options}\n```" in readme.partition("<!-- .ci/run runs")[2]


def test_reports_of_bugs_ask_for_the_environment():
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text(encoding="utf-8"))
    fields = {field.get("id"): field for field in form["body"]}
    assert "zoo doctor" in fields["doctor"]["attributes"]["description"]
    assert fields["doctor"]["validations"]["required"]


def test_the_workflow_runs_what_a_person_runs():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["ci"]["steps"]
    assert any(step.get("run") == ".ci/run" for step in steps)
    pythons = workflow["jobs"]["matrix"]["strategy"]["matrix"]["python"]
    assert pythons == ["3.10", "3.11", "3.12", "3.13"]
    (matrix,) = (step["run"] for step in workflow["jobs"]["matrix"]["steps"] if "make" in str(step))
    values = re.sub(r"\$\{\{ matrix\.(\w+) \}\}", r"\1", matrix)
    done = subprocess.run([*shlex.split(values), "-n"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "tools/matrix python resolution\n"


def load(path):
    """Imports a file that is in no package, such as one of `tools/`."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_badge_for_colab_is_added_once():
    tool = load(ROOT / "tools" / "add_badges.py")
    cell = "# A title\n\nText."
    first = tool.with_badge(cell, "a.ipynb", "me/mine", "main")
    assert first.startswith("# A title\n\n[![Open in Colab]")
    assert first.endswith("\n\nText.")
    assert "/github/me/mine/blob/main/notebooks/a.ipynb" in first
    second = tool.with_badge(first, "a.ipynb", "you/yours", "v1")
    assert second == tool.with_badge(cell, "a.ipynb", "you/yours", "v1")


def test_no_install_is_advised_by_a_name_that_no_index_has():
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
    folders = ("zoo", "recipes", "benchmarks", "deploy", "notebooks")
    suffixes = {".py", ".in", ".yaml", ".ipynb", ".sh"}
    found = (path for name in folders for path in ROOT.glob(f"{name}/**/*"))
    files += [path for path in found if path.suffix in suffixes]
    assert {path.suffix for path in files} >= {".md", ".py", ".in", ".yaml", ".ipynb"}
    advice = re.compile(r"pip install (?:-\S+ )*['\"]?rnn[-_]zoo(?:\[|['\"\s]|$)", re.MULTILINE)
    assert advice.search("pip install 'rnn-zoo[serve]'")
    assert not [path for path in files if advice.search(path.read_text(encoding="utf-8"))]


def test_each_public_name_is_in_the_reference():
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\.\. auto\w+:: zoo\.(\w+)$", page, re.MULTILINE))
    public = {*zoo.__all__, *plugins.registered(plugins.FUNCTIONS)} - {"__version__"}
    assert "backtest" in public
    assert public - described == set()
    for path in re.findall(r"^\.\. auto\w+:: (zoo\.\S+)$", page, re.MULTILINE):
        assert pkgutil.resolve_name(path).__doc__, f"{path} has no description"


def message_templates():
    """Yields the texts of all errors that the code raises; `…` stands for what is filled in."""
    for path in [*ROOT.glob("zoo/**/*.py"), *ROOT.glob("recipes/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (getattr(part, "value", "") for part in node.values)
                yield "…".join(part if isinstance(part, str) else "" for part in parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_each_message_in_the_faq_is_one_that_the_code_prints():
    page = (ROOT / "docs" / "reference" / "faq.md").read_text(encoding="utf-8")
    titles = re.findall(r"^\*\*(\".*)\*\*$", page, re.MULTILINE)
    messages = [message for title in titles for message in re.findall(r'"([^"]+)"', title)]
    assert len(messages) > 20
    code = "\n".join(re.sub("…+", "…", template) for template in message_templates())
    for message in messages:
        for part in message.split("…"):
            assert part.strip(" .:,") in code, f"{message!r} is not printed: {part!r}"


def test_the_page_of_the_guide_is_a_recipe(cli, tmp_path):
    guide = (ROOT / "docs" / "guides" / "recipe.md").read_text(encoding="utf-8")
    (page,) = re.findall(r"^```python\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    (tmp_path / "mine.py").write_text(page, encoding="utf-8")
    cli("train", "mine.py:attentive-gru", "--data", "sample", "--set", "epochs=1", "-o", "run")
    answers = cli("predict", "run", "A wonderful film.", "A wonderful film. " * 9, "--trust").out
    assert answers.count("A wonderful film.") == 10


def test_the_walk_types_what_the_readme_says(tmp_path):
    walk = load(ROOT / "tools" / "walk.py")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(walk.first_command(readme)) == 3
    tests = walk.second_command(readme)
    assert len(tests) == 3
    assert "pytest" in tests[-1]
    verbs = [line.split()[:2] for line in walk.commands(readme, "Train on your data")]
    assert verbs == [["zoo", "train"], ["zoo", "predict"], ["zoo", "evaluate"]]
    export, serve, request = walk.commands(readme, "Serve")
    assert (export.split()[1], serve) == ("export", "zoo serve serving/imdb")
    assert request.startswith("curl ")
    for name in ("a.csv", "b.csv"):
        walk.write_reviews(tmp_path / name, 5)
    first, second = ((tmp_path / name).read_text() for name in ("a.csv", "b.csv"))
    assert first.startswith("review,label\n")
    assert first.count("\n") == 6
    assert first != second


def test_docstrings_become_prose_and_equations():
    page = load(ROOT / "docs" / "repository.py")
    assert page.prose("A state h_t:\n\n    h_t = f(x)\n\n    y = g(h_t)\n\nSee `a_b`, 5 $.") == (
        "A state h\\_t:\n\n```text\nh_t = f(x)\n\ny = g(h_t)\n```\n\nSee `a_b`, 5 \\$."
    )


def model_pages():
    page = load(ROOT / "docs" / "repository.py")
    manifest = json.loads((page.PACKS / "manifest.json").read_text(encoding="utf-8"))
    return {name: page.model_page(name, entry) for name, entry in manifest.items()}


def test_each_model_has_a_page_with_its_use_its_limits_and_its_network():
    uses = json.loads((ROOT / "recipes/pretrained/use.json").read_text(encoding="utf-8"))
    pages = model_pages()
    assert len(pages) == 27
    for name, text in pages.items():
        assert text.count("## Intended use and limits") == 1, name
        assert "## What it is for" not in text, name
        assert all(sentence in text for sentence in uses.get(name, {}).get("use", [])), name
        assert "It was trained on" in text, name
        assert "custom" not in text.partition("## Intended use")[2].partition("\n## ")[0], name
        assert f"figures/models/{name}.svg" in text
        assert (ROOT / f"docs/figures/models/{name}.svg").exists()
        assert " 0.0 MB" not in text
    assert "Mean test score: F1 0.8974 ± 0.0019 (3 seeds)." in pages["conll-bilstm-crf"]
    assert "Mean test score" not in pages["imdb-bilstm-large"]
    assert "{" + '"numbers": [0.3' in pages["adding-gru"]
    assert "zoo predict digits-ctc recipes/audio/voices/314_jackson.wav" in pages["digits-ctc"]


def test_drawings_of_networks_are_up_to_date():
    # In a process of its own, as the numbers in names of layers go on in this one.
    command = [sys.executable, "tools/draw_models.py", "adding-gru", "conll-bilstm-crf", "--check"]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == 0, "run `python tools/draw_models.py`"


def test_boxes_of_a_drawing_are_apart_and_hold_their_text():
    from tools import draw_models as draw

    layers = [
        draw.Layer("ids", "InputLayer", "ids", (None,)),
        draw.Layer("e", "Embedding", "Embedding, 10 ids", (None, 8), ["ids"]),
        draw.Layer(
            "rnn", "Bidirectional", "Bidirectional GRU, 2 × 4 units", (None, 8), ["e"], "→←"
        ),
        draw.Layer("both", "Concatenate", "Concatenate", (None, 16), ["rnn", "e"]),
    ]
    rows, pairs = draw.place(layers)
    assert [[box.name for box in row if box.layer] for row in rows] == [
        ["ids"], ["e"], ["rnn"], ["both"],
    ]  # fmt: skip
    assert any(box.layer is None for box in rows[2])  # the line from e to both passes the GRU
    for row in rows:
        for left, right in itertools.pairwise(row):
            assert left.left + left.width < right.left
        for box in row:
            assert box.left >= draw.MARGIN
            assert box.left + box.width <= draw.WIDTH - draw.MARGIN + 0.01
            assert all(len(line) * box.size * draw.CHARACTER < box.width for line in box.lines)
    for above, below in pairs:
        assert above.top + above.height <= below.top
    drawn = draw.draw("x", layers)
    assert drawn.count('width="12"') == 10  # five steps in each direction
    assert "Bidirectional GRU, 2 × 4 units" in drawn
