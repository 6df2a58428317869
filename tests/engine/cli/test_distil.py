"""`zoo distil`."""

import pytest


@pytest.fixture
def called(monkeypatch, sample_run):
    """What `zoo.distil` is called with; nothing is trained."""
    from zoo.training import Run

    calls = []
    monkeypatch.setattr(
        "zoo.training.distil",
        lambda *arguments, **options: calls.append((arguments, options)) or Run(sample_run),
        raising=False,
    )
    return calls


def test_teachers_are_a_list_and_options_of_train_are_taken(cli, called):
    cli(
        *("distil", "imdb-lstm", "--teachers", "linear", "runs/a", "--unlabelled", "more.csv"),
        *("--label-share", "0.75", "--set", "units=3", "--seed", "4", "--teachers", "runs/b"),
    )
    ((arguments, options),) = called
    assert arguments == ("imdb-lstm", "runs/imdb-lstm-distilled")
    assert options["teachers"] == ("linear", "runs/a", "runs/b")
    assert options["unlabelled"] == "more.csv"
    assert options["label_share"] == 0.75
    assert options["settings"] == {"units": "3"}
    assert options["seed"] == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["imdb-lstm"], "--teachers"),
        (["imdb-lstm", "--teachers"], "--teachers"),
        (["imdb-lstm", "--teachers", "-q"], "--teachers"),
        (["--teachers", "linear", "imdb-lstm"], "STUDENT"),
        (["imdb-lstm", "--teachers", "linear", "--label-share", "3"], "--label-share"),
        (["imdb-lstm", "--teachers", "linear", "--index", "1"], "--index"),
    ],
)
def test_wrong_use_is_said_in_a_line(cli, called, arguments, message):
    result = cli("distil", *arguments, code=2)
    assert message in result.err
    assert not called
