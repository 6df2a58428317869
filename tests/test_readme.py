"""What the README and the docstrings claim is what the files say."""

import json
import re
import subprocess
from pathlib import Path

import pytest

import zoo
from benchmarks import results
from benchmarks.score_tables import across_seeds, read_results, seed_runs, shown_score
from recipes.corpora.imdb import IMDB_TFDS, IMDB_WHEEL
from zoo import files, manifest

ROOT = Path(__file__).parents[1]


def test_the_table_of_results_is_made_from_the_results():
    for page in results.PAGES:
        assert not results.write_table(ROOT / page, ROOT / "results", check=True)


def test_each_pretrained_model_has_its_result():
    for row in zoo.list_models(pretrained=True):
        recipe = zoo.get_recipe(row["name"])
        assert (ROOT / "results" / f"{recipe.name}.json").exists()


@pytest.mark.parametrize("name", [row["name"] for row in zoo.list_models(pretrained=True)])
def test_the_docstring_tells_the_measured_score(name):
    recipe = zoo.get_recipe(name)
    entry = manifest.manifest_entry(recipe)
    said = re.search(rf"{re.escape(name)}\s+([\d.]+)", recipe.doc)
    assert said, f"the docstring of {recipe.module.__name__} does not tell the score of {name}"
    digits = len(said[1].partition(".")[2])
    shares = entry["metric"] in ("accuracy", "f1", "word_error_rate")  # told in %
    result = files.read_json(ROOT / "results" / f"{name}.json")
    score = shown_score(across_seeds(result, seed_runs(read_results(ROOT / "results"))))
    assert float(said[1]) == round(score * (100 if shares else 1), digits)


def test_the_page_on_topologies_places_every_recipe():
    page = (ROOT / "docs" / "lesson" / "03-topologies.md").read_text(encoding="utf-8")
    for row in zoo.list_models():
        module = Path(zoo.get_recipe(row["name"]).module.__file__)
        assert f"](../../recipes/{module.name})" in page


def anchors(text):
    """Returns the anchors of the headings of a Markdown page, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).strip().lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def test_links_in_the_documents_lead_somewhere():
    command = ["git", "ls-files", "-co", "--exclude-standard", "docs"]  # without what is built
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pages = [ROOT / line for line in listed.splitlines() if line.endswith(".md")]
    assert ROOT / "docs" / "index.md" in pages
    pages += [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")]
    texts = {path: path.read_text(encoding="utf-8") for path in pages}
    for path in ROOT.glob("notebooks/*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts[path] = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    for document, text in texts.items():
        for link, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", text):
            if re.match(r"[a-z]+:", link):
                continue
            target = document.parent / link if link else document
            assert target.exists(), f"{document.name} links to {link}"
            if anchor and target.suffix == ".md":
                headings = anchors(target.read_text(encoding="utf-8"))
                assert anchor in headings, f"{document.name} links to {link}#{anchor}"


def test_the_readme_tells_what_the_labels_alone_give():
    scores = [
        files.read_json(path)["score"] for path in ROOT.glob("results/imdb-*-supervised.json")
    ]
    said = f"`zoo train` gives {min(scores):.2f} to {max(scores):.2f} for the `imdb-…` models"
    assert said in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def test_the_readme_tells_how_many_models_there_are():
    count = len(zoo.list_models(pretrained=True))
    assert f"[{count} models]" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_first_command_costs_what_it_was_measured_to():
    walk = json.loads((ROOT / "results" / "walk.json").read_text(encoding="utf-8"))
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert walk["command"] in readme
    loaded, seconds = walk["downloaded_mb"], walk["seconds"]
    first, second = (round(source.size / 1e6) for source in (IMDB_TFDS, IMDB_WHEEL))
    assert loaded["data"] == second
    assert (
        f"downloads {loaded['packages']} MB of packages. It also downloads the reviews: {first} "
        f"MB, or {second} MB from a second source if the first source is not available. It takes "
        f"{walk['installed_mb'] / 1000:.1f} GB of disk. It took "
        f"{seconds['install']:.0f} s to install and {seconds['train']:.0f} s to train, "
        "from the second source"
    ) in readme


def test_the_second_command_costs_what_it_was_measured_to():
    walk = json.loads((ROOT / "results" / "walk.json").read_text(encoding="utf-8"))["tests"]
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert walk["command"] in readme
    assert (
        f"downloads {walk['downloaded_mb']:,} MB of packages and takes "
        f"{walk['installed_mb'] / 1000:.1f} GB of disk. On two cores, it took "
        f"{walk['seconds']['install']:.0f} s to install and {walk['seconds']['test'] / 60:.0f} min "
        "to test"
    ) in readme


def test_the_steps_of_getting_started_took_what_was_measured():
    page = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    seconds = files.read_json(ROOT / "results" / "walk.json")["seconds"]
    told = [float(each) for each in re.findall(r"^\| .* \| ([\d.]+) \|$", page, re.MULTILINE)]
    steps = [name for name in seconds if name not in ("environment", "install_serve", "request")]
    assert told == [seconds[name] for name in steps]
