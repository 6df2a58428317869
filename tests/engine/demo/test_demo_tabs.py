"""The tabs of `zoo demo`, without Gradio: what they take, and the HTML of what they answer."""

import types

import pytest

import zoo
from zoo import listening
from zoo.demo import app, page
from zoo.demo.tab import Field, Part, Tab
from zoo.errors import UsageError, ZooError, exit_code


def tab_with(answer, *fields):
    return Tab("title", "about", fields or (Field("text", "text", "A text"),), answer)


def html_of(tab, *values):
    return list(app.answered(tab, values))


def test_one_pretrained_model_of_each_task():
    from zoo.demo.tabs import default_models

    names = default_models()
    rows = {row["name"]: row for row in zoo.list_models(pretrained=True)}
    tasks = [rows[name]["task"] for name in names]
    assert sorted(tasks) == sorted({row["task"] for row in rows.values()})
    assert {"imdb-bilstm-large", "translate-attention", "adding-gru"} <= set(names)  # the best ones


def test_the_label_of_an_answer_and_the_influence_of_each_word(predictor_of):
    from zoo.demo.tabs import tab_of

    tab = tab_of(predictor_of("imdb-simplernn"))
    (field,) = tab.fields
    assert tab.title == "Film reviews"
    assert field.kind == "text"
    assert field.value
    first, second = tab.answer(text="a wonderful wonderful film")
    assert [part.kind for part in first] == ["bars"]
    assert sum(first[0].value.values()) == pytest.approx(1)
    assert [part.kind for part in second] == ["bars", "influence"]
    assert len(second[1].value) == 4


def test_the_influence_is_the_saliency_of_inspect(predictor_of):
    from zoo.inspection import influence, inspect

    predictor = predictor_of("imdb-simplernn")
    (row,) = inspect(predictor, ["a dull film"], what=["saliency"])["saliency"]
    found = influence(predictor, "a dull film")
    assert [word for word, _ in found] == row["steps"]
    assert [value for _, value in found] == pytest.approx(row["influence"])


def test_a_recipe_without_a_demo_gets_a_tab_of_its_inputs(predictor_of, monkeypatch):
    from zoo.demo.tabs import tab_of

    predictor = predictor_of("imdb-simplernn")
    monkeypatch.delattr(predictor.recipe.module, "DEMO")
    tab = tab_of(predictor)
    assert tab.title == "Sentiment"
    assert [field.name for field in tab.fields] == ["text"]
    assert "zoo-bar" in html_of(tab, tab.fields[0].value)[-1]


def test_values_that_are_no_text_are_json(predictor_of):
    from zoo.demo.tabs import tab_of

    tab = tab_of(predictor_of("adding-simplernn"))
    values = [field.value for field in tab.fields]
    assert "zoo-problem" not in html_of(tab, *values)[-1]
    values[0] = "[1, 2"
    (html,) = html_of(tab, *values)
    assert "takes JSON" in html
    assert "Correct it." in html


def test_files_have_the_names_that_people_know(predictor_of, tmp_path):
    from zoo.demo.tabs import tab_of

    tab = tab_of(predictor_of("digits-mlp"))
    (field,) = tab.fields
    assert field.kind == "drawing"
    (tmp_path / "a.png").write_bytes(b"no picture")
    (html,) = html_of(tab, {"composite": str(tmp_path / "a.png")})
    assert "a.png cannot be read" in html
    assert str(tmp_path) not in html


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("text", " \n", "Write a text."),
        ("text", "x" * 100_001, "the maximum is 100,000"),
        ("file", None, "Choose a file."),
        ("sound", None, "Record something"),
        ("drawing", {"composite": None}, "Draw something."),
    ],
)
def test_a_field_that_is_empty_or_too_long_says_what_to_do(kind, value, said):
    tab = tab_with(lambda **_: pytest.fail("it was asked"), Field("x", kind, "An input"))
    (html,) = html_of(tab, value)
    assert 'role="alert"' in html
    assert "An input" in html
    assert said in html


def test_errors_are_one_escaped_line_and_no_traceback(monkeypatch):
    monkeypatch.delenv("ZOO_DEBUG", raising=False)

    def refuse(text):
        yield [Part("text", text)]
        raise UsageError("<script> is no label.")

    first, last = html_of(tab_with(refuse), "<b>")
    assert "&lt;b&gt;" in first
    assert "&lt;script&gt; is no label." in last

    def fail(text):
        raise KeyError(text)
        yield

    (html,) = html_of(tab_with(fail), "lost")
    assert "KeyError" in html
    assert "please report it" in html
    assert "\n" not in html


def test_parts_are_html_that_fetches_nothing():
    parts = [
        Part("text", "<i>a</i>"),
        Part("note", "<i>b</i>"),
        Part("bars", {"<i>c</i>": 0.25, "d": 0.75}),
        Part("influence", [("<i>good</i>", 0.5), ("bad", -0.25)], "<i>"),
        Part("picture", b"\x89PNG", "fan"),
        Part("picture", b"<svg></svg>", "score"),
        Part("player", b"RIFF", "player"),
        Part("files", {"<i>.mid": b"MThd"}),
    ]
    html = page.render(parts)
    assert "<i>" not in html
    assert "http" not in html
    assert html.index("75.0 %") < html.index("25.0 %")
    assert "most for it: &lt;i&gt;good&lt;/i&gt;; most against it: bad" in html
    assert "data:image/png;" in html
    assert "data:image/svg+xml;" in html


def test_a_port_in_use_is_named_with_another_one():
    with listening.bind(app.HOST, 0, "--port") as bound:
        port = bound.getsockname()[1]
        with pytest.raises(UsageError, match=f"Cannot listen at .*port {port}: .*--port") as raised:
            listening.bind(app.HOST, port, "--port")
        assert exit_code(raised.value) == 2


def test_without_gradio_the_command_says_how_to_install_it(monkeypatch):
    from click.testing import CliRunner

    from zoo.cli.demo import demo

    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(app, "importlib", types.SimpleNamespace(import_module=missing))
    result = CliRunner().invoke(demo, [])
    assert isinstance(result.exception, ZooError)
    assert "needs gradio" in str(result.exception)
    assert "[demo]" in str(result.exception)
