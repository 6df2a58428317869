import pytest

from zoo.errors import Interrupted, UsageError, ZooError, nearest, quoted, shortened, suggest


def test_the_nearest_name_is_suggested():
    assert suggest("lstn", ["gru", "lstm"]) == " Did you mean 'lstm'?"


def test_all_names_are_told_when_none_is_near():
    assert suggest("transformer", ["lstm", "gru"]) == " There is: gru, lstm."
    assert suggest("lstm", []) == ""


def test_a_message_that_lists_the_names_suggests_only_a_near_one():
    assert nearest("lstn", ["gru", "lstm"]) == " Did you mean 'lstm'?"
    assert nearest("transformer", ["lstm", "gru"]) == ""


def test_errors_are_what_callers_catch():
    assert issubclass(UsageError, ZooError)
    assert issubclass(UsageError, ValueError)
    assert issubclass(Interrupted, KeyboardInterrupt)
    assert not issubclass(Interrupted, Exception)  # `except Exception` lets it through
    stop = Interrupted(epoch=2, step=30, signum=15)
    assert (stop.epoch, stop.step, stop.signum) == (2, 30, 15)
    assert str(stop) == "stopped in epoch 2 after step 30"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("lstm", "'lstm'"),
        ("it's", '"it\'s"'),
        ("x" * 200, f"'{'x' * 200}'"),
        ("x" * 201, f"'{'x' * 199}…'"),
        ("\x1b" * 100, "'" + ("\\x1b" * 50)[:199] + "…'"),
        (b"x" * 1000, f"b'{'x' * 199}…'"),
        ([1] * 1000, ("[" + "1, " * 100)[:199] + "…"),
        (5, "5"),
        ("", "''"),
    ],
)
def test_messages_quote_at_most_200_characters(value, expected):
    assert quoted(value) == expected
    assert len(quoted(value)) <= 203


@pytest.mark.parametrize("make", [lambda: "x" * 10**8, lambda: 1 << 100_000, lambda: [0] * 10**6])
def test_whatever_is_quoted(make):
    assert len(quoted(make())) <= 202  # Python refuses to write an integer of so many digits


def test_a_shortened_text_has_nothing_that_a_terminal_obeys():
    assert shortened("a\x1b[31m\nb\x9bc") == "a [31m b c"
    assert shortened("abcdef", 4) == "abc…"


def test_suggestions_are_short_and_quick():
    long = "lstm" * 1_000_000
    assert len(suggest(long, [long + "x", "gru"])) < 250
    assert len(suggest("bert", [long, "gru"])) < 250
