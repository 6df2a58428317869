import dataclasses
from typing import ClassVar, Literal

import pytest

from zoo.config import Config, describe, override, parse_settings, saved_settings
from zoo.errors import UsageError
from zoo.registry import get_recipe, list_models


@dataclasses.dataclass(frozen=True)
class Example(Config):
    units: int = 64  # size of the state
    rate: float = 0.1  # share: hidden in training
    deep: bool = False  # more than one layer
    cell: Literal["lstm", "gru"] = "lstm"  # the recurrent cell
    name: str = "x"  # any text, "a # b" too

    def __post_init__(self):
        if self.units == 13:
            raise ValueError("units must not be 13.")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("units", "32", 32),
        ("units", "20_000", 20_000),
        ("units", 32.0, 32),
        ("rate", "1e-3", 1e-3),
        ("rate", "1", 1.0),
        ("rate", 1, 1.0),
        ("deep", "true", True),
        ("deep", "No", False),
        ("deep", "1", True),
        ("deep", True, True),
        ("cell", "gru", "gru"),
        ("name", "1e3", "1e3"),
        ("epochs", "7", 7),  # inherited
    ],
)
def test_overrides_take_the_type_of_the_field(key, text, value):
    found = getattr(override(Example(), {key: text}), key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("units", "many", "takes a value of type int; got 'many'"),
        ("units", "1.5", "takes a value of type int"),
        ("units", 1.5, "takes a value of type int"),
        ("units", True, "takes a value of type int"),
        ("units", None, "takes a value of type int"),
        ("units", "", "takes a value of type int"),
        ("units", float("inf"), "takes a value of type int"),
        ("rate", "half", "takes a value of type float"),
        ("rate", "nan", "takes a finite number"),
        ("rate", "inf", "takes a finite number"),
        ("deep", "perhaps", "takes a value of type bool"),
        ("deep", 2, "takes a value of type bool"),
        ("cell", "gruu", r"must be one of lstm, gru; got 'gruu'. Did you mean 'gru'\?"),
        ("cell", "xyz", r"must be one of lstm, gru; got 'xyz'\.$"),
        ("cell", 3, "must be one of lstm, gru; got 3"),
        ("name", 3, "takes a value of type str"),
        ("unit", "3", r"Unknown setting 'unit'. Did you mean 'units'\?"),
        ("units", "13", "units must not be 13"),
    ],
)
def test_what_does_not_fit_is_said(key, value, message):
    with pytest.raises(UsageError, match=message):
        override(Example(), {key: value})


def test_overriding_changes_nothing_else():
    config = Example(units=8)
    assert override(config, {}) == config
    assert override(config, {"rate": "0.5"}) == dataclasses.replace(config, rate=0.5)
    assert config.rate == 0.1
    assert override(Example(), dataclasses.asdict(config)) == config  # as a run folder keeps it


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", -1.0),
        ("warmup", 1.5),
        ("decay_to", -0.1),
        ("clip_norm", -1.0),
        ("patience", -1),
    ],
)
def test_values_that_cannot_train_are_refused(key, value):
    with pytest.raises(UsageError, match=key):
        override(Config(), {key: value})


def test_settings_are_parsed():
    assert parse_settings(["a=1", "b = x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    for wrong, message in (["a", "key=value"], ["=1", "key=value"]):
        with pytest.raises(UsageError, match=message):
            parse_settings([wrong])
    with pytest.raises(UsageError, match="given twice"):
        parse_settings(["a=1", "a =2"])


def test_comments_beside_the_defaults_are_described():
    described = {name: (value, comment) for name, value, comment in describe(Example(units=8))}
    assert list(described)[:2] == ["epochs", "batch_size"]
    assert described["units"] == (8, "size of the state")
    assert described["rate"] == (0.1, "share: hidden in training")
    assert described["name"] == ("x", 'any text, "a # b" too')
    assert described["epochs"][1] == "passes over the training split, at most"


def test_describing_needs_no_source():
    made = dataclasses.make_dataclass("Made", [("width", int, 3)], bases=(Config,), frozen=True)
    assert describe(made())[-1] == ("width", 3, "")


@pytest.mark.parametrize(
    ("recipe", "settings", "message"),
    [
        ("digits-ctc", {"longest": 2}, "'longest' must be at least 'shortest', 3; got 2"),
        ("digits-ctc", {"shortest": 0}, "'shortest' must be at least 1; got 0"),
        ("digits-ctc", {"beam": 0}, "'beam' must be at least 1"),
        ("digits-ctc", {"sequences": -1}, "'sequences' must be at least 1"),
        ("digits-gru", {"stack": 0}, "'stack' must be at least 1"),
        ("digits-gru", {"bands": 0}, "'bands' must be at least 1"),
        ("digits-gru", {"tempos": 0}, "'tempos' must be at least 1"),
        ("digits-gru", {"epochs": 0}, "'epochs' must be at least 1"),  # what every recipe checks
        ("digits-mlp", {"units": 0}, "'units' must be at least 1"),
        ("imdb-simplernn", {"units": 0}, "'units' must be at least 1; got 0"),
        ("imdb-simplernn", {"layers": 0}, "'layers' must be at least 1"),
        ("imdb-simplernn", {"embedding": -4}, "'embedding' must be at least 1; got -4"),
        ("imdb-simplernn", {"vocabulary": 0}, "'vocabulary' must be at least 1"),
        ("imdb-simplernn", {"dropout": 2}, "'dropout' must be at least 0, and below 1; got 2"),
        ("imdb-simplernn", {"word_dropout": 1}, "'word_dropout' must be at least 0, and below 1"),
        ("imdb-simplernn", {"adversarial": -1}, "'adversarial' must be at least 0"),
        ("conll-bilstm", {"dropout_in": 1.5}, "'dropout_in' must be at least 0, and below 1"),
        ("conll-bilstm", {"hidden_words": 1.5}, "'hidden_words' must be from 0 to 1"),
        ("conll-bilstm", {"max_characters": 2}, "'max_characters' must be at least 3; got 2"),
        ("shakespeare-gru", {"window": 0}, "'window' must be at least 1"),
        ("shakespeare-gru", {"temperature": -1}, "'temperature' must be at least 0"),
        ("shakespeare-gru", {"top_p": 0}, "'top_p' must be above 0, and 1 at most"),
        ("translate-seq2seq", {"label_smoothing": 1}, "'label_smoothing' must be at least 0, and"),
        ("chorales-lstm", {"transpose": -1}, "'transpose' must be at least 0"),
        ("adding-lstm", {"length": 1}, "'length' must be at least 2"),
        ("stocks-lstm", {"horizon": 0}, "'horizon' must be at least 1"),
        ("digits-mlp", {"move": -1}, "'move' must be at least 0; got -1"),
    ],
)
def test_settings_that_cannot_be_are_named(recipe, settings, message):
    with pytest.raises(UsageError, match=message):
        override(get_recipe(recipe).config, settings)


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("chorales-lstm", {"transpose": 0, "patience": 0}),
        ("imdb-lstm", {"vector_words": 0, "clip_norm": 0, "patience": 0}),
        ("reviews-lm", {"sampled": 0, "temperature": 0}),
        ("ptb-lstm", {"cache": 0, "top_p": 1}),
        ("adding-lstm", {"forget_start": -1}),
    ],
)
def test_settings_that_turn_something_off_may_be_0(recipe, settings):
    changed = override(get_recipe(recipe).config, settings)
    assert {name: getattr(changed, name) for name in settings} == settings


def test_no_default_is_out_of_range():
    for name in [each["name"] for each in list_models()]:
        config = get_recipe(name).config
        assert override(config, dataclasses.asdict(config)) == config


@pytest.mark.parametrize("field", ["epochs", "learning_rate", "nothing"])
def test_messages_quote_little(field):
    long = "x" * 1_000_000
    for changes in ({field: long}, {field + long: "1"}, {field: "-" + "9" * 4000}):
        with pytest.raises(UsageError) as caught:
            override(Config(), changes)
        assert len(str(caught.value)) < 500
    for settings in ([long], [f"{long}=1", f"{long}=2"]):
        with pytest.raises(UsageError) as caught:
            parse_settings(settings)
        assert len(str(caught.value)) < 500


@dataclasses.dataclass(frozen=True)
class Renamed(Config):
    repair: str = ""  # repairs

    ALIASES: ClassVar[dict] = {"mend": "repair"}


def test_an_earlier_name_of_a_setting_keeps_working():
    assert override(Renamed(), {"mend": "sort"}) == override(Renamed(), {"repair": "sort"})
    assert "mend" not in dataclasses.asdict(override(Renamed(), {"mend": "sort"}))
    with pytest.raises(UsageError, match="'mend' is the earlier name of the setting 'repair'"):
        override(Renamed(), {"mend": "sort", "repair": "sort"})
    assert override(get_recipe("stocks-lstm").config, {"mend": "sort"}).repair == "sort"


def test_a_setting_that_a_saved_model_lacks_has_the_default_of_its_class():
    entry = Example(deep=True, units=128)  # as `RECIPES` sets them today
    assert override(entry, saved_settings(entry, {"units": 32})) == Example(units=32)
    assert saved_settings(Renamed(repair="sort"), {"mend": "drop"})["repair"] == "drop"
    assert saved_settings(Renamed(repair="sort"), {})["repair"] == ""
