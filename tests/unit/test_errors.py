from zoo.errors import Interrupted, UsageError, ZooError, suggest


def test_the_nearest_name_is_suggested():
    assert suggest("lstn", ["gru", "lstm"]) == " Did you mean 'lstm'?"


def test_all_names_are_told_when_none_is_near():
    assert suggest("transformer", ["lstm", "gru"]) == " There is: gru, lstm."
    assert suggest("lstm", []) == ""


def test_errors_are_what_callers_catch():
    assert issubclass(UsageError, ZooError)
    assert issubclass(UsageError, ValueError)
    assert issubclass(Interrupted, KeyboardInterrupt)
    assert not issubclass(Interrupted, Exception)  # `except Exception` lets it through
    stop = Interrupted(epoch=2, step=30, signum=15)
    assert (stop.epoch, stop.step, stop.signum) == (2, 30, 15)
    assert str(stop) == "stopped in epoch 2 after step 30"
