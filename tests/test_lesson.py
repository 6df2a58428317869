"""The lesson: its code prints what the pages say, and both editions say the same."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.results import measured

from zoo import files

ROOT = Path(__file__).parents[1]
ENGLISH, FRENCH = ROOT / "docs" / "lesson", ROOT / "docs" / "lecon"
PAGES = sorted(path.name for path in ENGLISH.glob("*.md"))
CHAPTERS = [name for name in PAGES if re.match(r"\d\d-", name)]

# A block of code, and what it prints.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)

each_chapter = pytest.mark.parametrize("name", CHAPTERS, ids=lambda name: name[:-3])


def read(folder, name):
    return (folder / name).read_text(encoding="utf-8")


def run(name):
    """Runs the blocks of a page; returns its variables, and what each block printed and should."""
    variables, printed = {}, []
    for code, expected in BLOCK.findall(read(ENGLISH, name)):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, name, "exec"), variables)
        printed.append((out.getvalue(), expected))
    return variables, printed


@each_chapter
def test_the_code_prints_what_the_page_says(name):
    _, printed = run(name)
    assert printed
    for out, expected in printed:
        assert out == expected


def test_the_gradients_by_hand_are_those_of_automatic_differentiation():
    import tensorflow as tf

    by_hand, _ = run("06-backpropagation.md")
    weights = [tf.Variable(value, dtype=tf.float64) for value in (1.0, 0.5, 2.0)]
    w_ax, w_aa, w_ya = weights
    states = []
    with tf.GradientTape() as tape:
        a, loss = tf.constant(0.0, tf.float64), 0.0
        for x, target in zip((1.0, 0.0, -1.0), (1.0, 1.0, 0.0), strict=True):
            a = tf.tanh(w_ax * x + w_aa * a)
            states.append(a)
            y = tf.sigmoid(w_ya * a)
            loss -= tf.math.log(y if target else 1 - y)
    *gradients, first = tape.gradient(loss, [*weights, states[0]])
    expected = [by_hand[name] for name in ("d_ax", "d_aa", "d_ya")]
    assert [float(gradient) for gradient in gradients] == pytest.approx(expected, rel=1e-12)
    text = read(ENGLISH, "06-backpropagation.md").replace("−", "-")
    assert f"| {float(first):.4f} |" in text  # dL/da<1> in the table


def test_the_drawings_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "tools/draw_lesson.py", "--check"], cwd=ROOT, check=False
    )
    assert done.returncode == 0, "run `python tools/draw_lesson.py`"


def test_the_drawings_are_readable_on_a_phone():
    for path in (ROOT / "docs" / "figures" / "lesson").glob("*.svg"):
        picture = path.read_text(encoding="utf-8")
        assert 'viewBox="0 0 360 ' in picture, path.name
        main = [int(size) for size in re.findall(r'<text[^>]* font-size="(\d+)"', picture)]
        assert min(main, default=11) >= 10, path.name
        assert len(picture) < 40_000, path.name


@pytest.mark.parametrize("folder", [ENGLISH, FRENCH], ids=lambda folder: folder.name)
def test_equations_use_what_the_converter_knows(folder):
    from latex2mathml.converter import convert

    for name in CHAPTERS:
        text = BLOCK.sub("", read(folder, name))
        equations = re.findall(r"\$\$\n(.*?)\$\$", text, re.DOTALL)
        equations += re.findall(r"\$([^$\n]+)\$", re.sub(r"\$\$.*?\$\$", "", text, flags=re.DOTALL))
        assert equations
        for equation in equations:
            shown = re.sub(r"<[^>]*>", "", convert(equation))
            # An unknown command or alignment is written as it is.
            assert "\\" not in shown, f"{name}: {equation}"
            assert "&amp;" not in shown, f"{name}: {equation}"


# Both editions


def links(text):
    """Returns targets of links and pictures; drawings of the French edition have another name."""
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [
        target.replace(".fr.svg", ".svg")
        for target in found
        if not target.startswith(("../lesson/", "../lecon/"))  # from one edition to the other
    ]


def test_both_editions_have_the_same_pages():
    assert sorted(path.name for path in FRENCH.glob("*.md")) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_both_editions_have_the_same_parts(name):
    english, french = read(ENGLISH, name), read(FRENCH, name)
    assert BLOCK.findall(english) == BLOCK.findall(french)
    words = re.compile(r"\\text\{[^}]*\}")  # words inside equations are translated
    equations = [
        re.findall(r"^\$\$\n.*?^\$\$$", words.sub("", text), re.MULTILINE | re.DOTALL)
        for text in (english, french)
    ]
    assert equations[0] == equations[1]
    for pattern in (r"^(#+) ", r"^\|[-:| ]+\|$", r"^<details>$", r"^\d\. "):
        both = [re.findall(pattern, text, re.MULTILINE | re.DOTALL) for text in (english, french)]
        assert both[0] == both[1], pattern
    assert sorted(links(english)) == sorted(links(french))
    for picture in re.findall(r"figures/lesson/([\w-]+)\.svg\)", english):
        translated = ROOT / "docs" / "figures" / "lesson" / f"{picture}.fr.svg"
        ending = ".fr.svg" if translated.exists() else ".svg"
        assert f"figures/lesson/{picture}{ending})" in french


@each_chapter
def test_each_page_has_all_parts(name):
    for folder, exercise in ((ENGLISH, "## Exercise"), (FRENCH, "## Exercice")):
        page = read(folder, name)
        assert "figures/lesson/" in page
        assert "\n$$\n" in page
        assert f"\n{exercise}\n" in page
        questions, answers = page.split("\n## Questions\n")[1].split("<details>")
        numbers = [re.findall(r"^(\d)\. ", part, re.MULTILINE) for part in (questions, answers)]
        assert numbers[0] == numbers[1]
        assert len(numbers[0]) >= 3


# What is quoted is what was measured. The numbers of a page, and where they stand in results/.

SCORES = {
    "01-order.md": {
        "imdb-bilstm-supervised-seeds": ("mean", "0.4f"),
        "imdb-bilstm-supervised baseline": ("baseline.nbsvm-bigram", "0.4f"),
        "imdb-bilstm-supervised rows": ("data.rows.train", ",d"),
        "imdb-bilstm": ("score", "0.4f"),
        "imdb-bilstm-large": ("score", "0.4f"),
        "translate-attention-captions": ("score", "0.2f"),
        "translate-attention-captions baseline": ("baseline.ibm-model-1", "0.2f"),
    },
    "05-loss.md": {"shakespeare-lstm": ("score", "0.3f")},
    "09-vanishing.md": {
        "adding-simplernn": ("score", "0.4f"),
        "adding-simplernn baseline": ("baseline.always 1", "0.4f"),
        "adding-lstm": ("score", "0.5f"),
        "adding-simplernn-seeds": ("mean", "0.4f"),
        "adding-simplernn-seeds deviation": ("deviation", "0.4f"),
        "adding-lstm-seeds": ("mean", "0.5f"),
        "adding-lstm-seeds deviation": ("deviation", "0.5f"),
        "adding-gru-seeds": ("mean", "0.5f"),
        "adding-gru-seeds deviation": ("deviation", "0.5f"),
        "adding-lstm-400-seeds": ("mean", "0.4f"),
        "adding-lstm-400-seeds baseline": ("baseline.always 1", "0.4f"),
        "adding-lstm-400-long-seeds": ("mean", "0.4f"),
        "adding-lstm-400-forget3-long-seeds": ("mean", "0.5f"),
        "adding-lstm-400-forget5-long-seeds": ("mean", "0.4f"),
        "adding-gru-400-seeds": ("mean", "0.5f"),
        "adding-gru-400-seeds deviation": ("deviation", "0.5f"),
        "adding-simplernn-glorot": ("score", "0.4f"),
        "adding-simplernn-noclip": ("score", "0.4f"),
        "adding-simplernn-layernorm": ("score", "0.4f"),
        "adding-simplernn-irnn": ("score", "0.5f"),
        "adding-lstm-noforget": ("score", "0.4f"),
    },
    "11-deep.md": {
        "imdb-lstm-supervised-seeds": ("mean", "0.4f"),
        "imdb-lstm-supervised-seeds deviation": ("deviation", "0.4f"),
        "imdb-bilstm-supervised-seeds": ("mean", "0.4f"),
        "imdb-bilstm-supervised-seeds deviation": ("deviation", "0.4f"),
        "imdb-gru-supervised-seeds": ("mean", "0.4f"),
        "imdb-gru-supervised-seeds deviation": ("deviation", "0.4f"),
        "imdb-deep-gru-supervised-seeds": ("mean", "0.4f"),
        "imdb-deep-gru-supervised-seeds deviation": ("deviation", "0.4f"),
        "imdb-bilstm-supervised size": ("metrics.parameters", ",d"),
        "imdb-deep-gru-supervised size": ("metrics.parameters", ",d"),
        "imdb-lstm": ("score", "0.4f"),
        "imdb-bilstm": ("score", "0.4f"),
    },
    "12-words.md": {"imdb-simplernn-supervised": ("metrics.parameters", ",d")},
    "13-language-models.md": {
        "shakespeare-lstm": ("score", "0.3f"),
        "shakespeare-gru": ("score", "0.3f"),
        "shakespeare-gru baseline": ("baseline.*", "0.3f"),
        "folk-gru": ("score", "0.3f"),
        "folk-gru baseline": ("baseline.*", "0.3f"),
    },
    "14-beam-search.md": {
        "decoding-translate-attention": ("greedy.per_second", ",.0f"),
        "decoding-translate-attention beam": ("beam.per_second", ",.0f"),
    },
    "15-attention.md": {
        "translate-attention": ("score", "0.2f"),
        "translate-attention-captions": ("score", "0.2f"),
        "translate-seq2seq-supervised": ("score", "0.2f"),
        "translate-seq2seq": ("score", "0.2f"),
        "translate-seq2seq size": ("metrics.parameters", ",d"),
        "translate-attention-captions size": ("metrics.parameters", ",d"),
    },
    "16-transformers.md": {
        "generation-shakespeare-gru": ("single.per_second", ",.0f"),
        "shakespeare-gru": ("metrics.parameters", ",d"),
        "digits-gru-seeds": ("mean", "0.4f"),
        "digits-gru-seeds deviation": ("deviation", "0.4f"),
        "digits-gru size": ("metrics.parameters", ",d"),
        "digits-gru rows": ("data.rows.train", ",d"),
        "digits-gru baseline": ("baseline.mfcc-mean-nearest", "0.4f"),
        "imdb-bilstm-large": ("score", "0.4f"),
        "stocks-gru": ("score", "0.4f"),
        "stocks-gru baseline": ("baseline.log-linear", "0.4f"),
    },
}


def in_french(number):
    return number.translate(str.maketrans(",.", " ,"))


@pytest.mark.parametrize("name", SCORES)
def test_quoted_scores_are_those_of_the_results(name):
    english, french = (read(folder, name).replace("\u00a0", " ") for folder in (ENGLISH, FRENCH))
    for key, (place, form) in SCORES[name].items():
        quote = format(measured(key.split()[0], place), form)
        assert re.search(rf"(?<![\d.,]){re.escape(quote)}(?!\d)", english), f"{key}: {quote}"
        assert re.search(rf"(?<![\d.,]){re.escape(in_french(quote))}(?!\d)", french), key


def test_quoted_gradients_are_those_that_were_drawn():
    english = read(ENGLISH, "09-vanishing.md")
    for run_ in files.read_json(ROOT / "docs" / "figures" / "adding.json")["runs"]:
        median = run_["gradients"]["median"]
        reached = sum(value >= 0.01 * max(median) for value in median)
        assert re.search(rf"\| `{run_['recipe']}` \| [\d.]+ ± [\d.]+ \| {reached} \|", english)
    notebook = (ROOT / "notebooks" / "10-vanishing-gradients.ipynb").read_text(encoding="utf-8")
    french = read(FRENCH, "09-vanishing.md").replace("\u00a0", " ")
    quoted = re.findall(r"(SimpleRNN|LSTM|GRU) (\d\.\de-\d\d)", english)
    assert len(quoted) == 3
    for cell, number in quoted:
        assert re.search(rf"{cell} +at the first step {number} of it", notebook)
        digits, power = number.split("e-")
        raised = str(int(power)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
        assert f"{cell} {digits.replace('.', ',')} · 10⁻{raised}" in french


def test_quoted_vectors_are_those_that_were_measured():
    numbers = files.read_json(ROOT / "docs" / "figures" / "lesson" / "numbers.json")
    words = numbers["embeddings"]
    english, french = read(ENGLISH, "12-words.md"), read(FRENCH, "12-words.md")
    for pair, cosine in words["cosines"].items():
        row = f"| {pair.replace(' ', ', ')} | {cosine:.2f} |"
        assert row in english
        assert row.replace(".", ",") in french
    for page in (english, french):
        assert ", ".join(words["analogy"]["nearest"]) in page
        assert f"{words['variance']:.0%}"[:-1] in page


def test_the_index_and_the_notebooks_name_the_same_pages():
    row = re.compile(r"^\| \[[\w-]+\]\(../../(notebooks/\S+)\) \|(.*)\|$", re.MULTILINE)
    rows, french = (row.findall(read(folder, "index.md")) for folder in (ENGLISH, FRENCH))
    assert len(rows) == len(list((ROOT / "notebooks").glob("*.ipynb")))
    assert [path for path, _ in rows] == [path for path, _ in french]
    for path, pages in rows:
        last = "".join(files.read_json(ROOT / path)["cells"][-1]["source"])
        named = last.partition("\nPages of the lesson: ")[2]
        listed = re.findall(r"\]\((\d\d-[\w-]+\.md)\)", pages)
        assert re.findall(r"\]\(../docs/lesson/(\S+?)\)", named) == listed
