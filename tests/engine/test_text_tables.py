"""Tables that fit the terminal, whatever they hold."""

import os

from zoo import tables


def longest(lines):
    return max(map(len, lines))


def test_a_narrow_table_is_aligned_numbers_to_the_right():
    rows = [{"name": "a", "n": "1,000", "size": "1.5 MB"}, {"name": "long", "n": "2", "x": "-"}]
    assert tables.lines(rows) == [
        "name      n    size  x",
        "a     1,000  1.5 MB",
        "long      2          -",
    ]


def test_long_texts_are_broken_in_their_cells():
    rows = [{"name": "a", "n": "1", "text": "word " * 30}, {"name": "b [x]", "n": "22", "text": ""}]
    lines = tables.lines(rows, 40)
    assert longest(lines) <= 40
    assert lines[0].split() == ["name", "n", "text"]
    assert sum(line.count("word") for line in lines) == 30
    assert lines[-1].split() == ["b", "[x]", "22"]  # brackets are text


def test_many_columns_of_numbers_of_few_rows_become_rows():
    rows = [{"": name, **{f"metric_{i:02}": f"{i}.5000" for i in range(12)}} for name in "ab"]
    lines = tables.lines(rows, 40)
    assert lines[0].split() == ["a", "b"]
    assert lines[3].split() == ["metric_02", "2.5000", "2.5000"]
    assert len(lines) == 13


def test_numbers_that_fit_in_no_way_are_parted():
    rows = [{"": f"row {i}", **{f"c{j:02}": f"{i * j}" for j in range(30)}} for i in range(30)]
    lines = tables.lines(rows, 40)
    assert longest(lines) <= 40
    heads = [line.split() for line in lines if line.strip().startswith("c")]
    assert [name for head in heads for name in head] == [f"c{j:02}" for j in range(30)]
    parts = "\n".join(lines).split("\n\n")
    assert len(parts) == len(heads) > 1
    assert all(part.count("row ") == 30 for part in parts)


def test_blocks_with_gaps_are_squeezed_until_they_fit():
    block = "    SimpleRNN  h = tanh(x)          (Elman 1990)\n    LSTM       h = o * tanh(c)"
    assert tables.squeezed(block, 80) == block
    assert tables.squeezed(block, 44) == (
        "    SimpleRNN  h = tanh(x)      (Elman 1990)\n    LSTM       h = o * tanh(c)"
    )
    assert tables.squeezed(block, 30) == block  # in no way


def test_html_is_escaped():
    html = tables.html_table([{"<b>": "<script>"}])
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_the_width_is_that_of_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "33")
    assert tables.terminal_width() == 33
    monkeypatch.setenv("COLUMNS", "none")
    monkeypatch.setattr(os, "get_terminal_size", lambda _: (_ for _ in ()).throw(OSError()))
    assert tables.terminal_width() == 80


def test_numbers_are_never_cut_for_the_sake_of_texts():
    rows = [
        {"": f"row {i}", "interval": "51.1 [49.7, 52.5]", **{f"c{j}": "0.1234" for j in range(12)}}
        for i in range(20)
    ]
    lines = tables.lines(rows)
    assert longest(lines) <= 80
    assert sum(line.count("0.1234") for line in lines) == 20 * 12
    assert sum(line.count("51.1 [49.7, 52.5]") for line in lines) == 20
