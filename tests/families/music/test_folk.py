"""folk-gru: its data as volunteers typed them, ids and back, and what is served."""

import dataclasses
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from recipes import folk
from recipes.music import abc, chorales
from recipes.music import folk as data
from recipes.music import tune_checks as metrics
from recipes.music.codec import TuneCodec, learn_tunes, meters_of
from recipes.music.copies import with_copies
from recipes.music.tune_baselines import draw_tunes, fit_tunes, nats_of_each
from zoo.assets import Assets
from zoo.data.reading import Reading, ReadOptions
from zoo.errors import UsageError, ZooError

BODY = "GAB c2d | e2c d2B | cBA B2G | A2F G3 |"


def tune(number, title, body=BODY, key="G", meter="6/8", more=""):
    return f"X:{number}\nT:{title}\nM:{meter}\nL:1/8\n{more}K:{key}\n{body}\n\n"


def members(**files):
    return {f"music21/corpus/{name}/x.abc": text.encode() for name, text in files.items()}


@pytest.fixture
def small(monkeypatch):
    """A corpus of a few tunes has no rare keys or signs."""
    monkeypatch.setattr(data, "MIN_TUNES_PER_KEY", 1)
    monkeypatch.setattr(data, "MIN_TUNES_PER_TOKEN", 1)


def read(**files):
    parts, notes = data.read_corpus(members(**files))
    return parts["train"], notes


def test_a_type_is_that_of_the_field_or_of_the_part_of_the_book_or_of_the_title(small):
    rows, _ = read(
        oneills1850=tune(1, "A Lament")
        + tune(700, "Planxty Drew")
        + tune(701, "The Swaggering Hornpipe")
        + tune(1116, "Rocky Road", "GAB c2d e3|", meter="9/8")
        + tune(1117, "A Slip", "GAB c2d e3|GAB c2d e3|", meter="9/8", more="R:Double Jig\n")
        + tune(1801, "Brian Boru's March")
        + tune(1803, "The White Cockade"),
        ryansMammoth=tune(1, "Old Reel -- Waltz", more="R:REEL\n") + tune(2, "X", more="R:waltz\n"),
        airdsAirs=tune(2, "Quick Step. 25th Regt.") + tune(3, "A Slip Jig") + tune(4, "Jiggery"),
    )
    assert rows["type"] == [
        "air", "air", "jig", "slip jig", "jig", "march", "tune", "reel", "tune", "march",
        "slip jig", "tune",
    ]  # fmt: skip
    assert set(rows["type"]) <= set(data.TYPES)


def test_unusable_tunes_are_omitted_and_counted(monkeypatch):
    monkeypatch.setattr(data, "MIN_TUNES_PER_KEY", 2)
    monkeypatch.setattr(data, "MIN_TUNES_PER_TOKEN", 2)
    rows, notes = read(
        airdsAirs=tune(1, "One", "GAB c2d | g3 e3 |")
        + tune(2, "Two", "GAB c2d | e3 g3 |")
        + tune(3, "Another metre", "GABc | GABc | GABc |")
        + tune(4, "Rare key", key="F#m")
        + tune(5, "Rare sign", "GAB c2d | (9GABcdefga c3 |")
        + tune(6, "Two keys", "GAB c2d |\nK:D\nGAB c2d |")
        + tune(7, "Voices", "[V:1] GAB c2d |"),
    )
    assert rows["tune"] == ["[M:6/8] GABc2d | g3e3 |]", "[M:6/8] GABc2d | e3g3 |]"]
    assert rows["title"] == ["one", "two"]
    assert notes == [
        "2 of 7 tunes cannot be written with one voice, key and metre",
        "1 omitted whose bars do not fill their metre",
        "2 omitted in rare keys or with rare signs",
    ]


def test_variants_of_a_tune_have_one_title():
    tune_ = "GABc dBGB AFDF GBdB"
    run = "gabg fgaf efge dBcA GABG"  # 20 notes
    rows, _ = data.read_tunes(
        ("", each)
        for each in abc.split_tunes(
            tune(1, "Cup of Tea, The", tune_)
            + tune(2, "THE CUP OF TEA -- REEL", tune_[::-1])
            + tune(3, "By Another Name", f"A>A {run} | c3 d3 |")
            # The same melody a step higher, in another rhythm.
            + tune(4, "The Cup of Tea Jig", "DD ab2c'a gabg fga>f ecdB ABcA |", key="A")
            + tune(5, "Something Else", f"A {run[:12]} c c {run[12:]} |")
            + tune(6, "", "EFG")
            + tune(7, "Up", "CDEFGABcdefgabc'd'e'")
            + tune(8, "Up and Up", "DEFGABcdefgabc'd'e'f'")
        )
    )
    titles = data.examples(rows)["title"]
    assert titles == [
        *["cup of tea"] * 4, "something else", "[M:6/8] EFG |]", "up", "up and up"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "title",
    ["Cup of Tea, The", "The Cup of Tea", "CUP OF TEA -- REEL", "Cup of Tea Reel., The"],
)
def test_titles_are_compared_without_article_case_and_type(title):
    assert data.plain_title(title) == "cup of tea"


def test_the_splits_have_no_variants_of_each_other():
    splits = data.FOLK.load("sample")
    titles = [set(part["title"]) for part in (splits.train, splits.validation, splits.test)]
    assert sum(map(len, titles)) == len(set.union(*titles))


def test_a_custom_file_is_read_and_an_invalid_one_is_an_error(tmp_path, capsys):
    path = tmp_path / "my.abc"
    path.write_text(tune(1, "My Jig") + tune(2, "Other", key="Edor") + tune(3, "Bad", "hello"))
    reading = Reading()
    rows = data.FOLK.reader(path, None, reading=reading)
    assert rows["type"] == ["jig", "tune"]
    assert rows["key"] == ["G major", "E dorian"]
    assert list(rows) == list(data.FOLK.columns)
    (note,) = reading.notes
    assert note.startswith("1 of 3 tunes of my.abc omitted")
    assert capsys.readouterr().err == ""
    path.write_text("X:1\nK:G\nhello\n")
    with pytest.raises(ZooError, match="1 ABC tunes, none of which"):
        data.read_file(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ZooError, match="is empty"):
        data.read_file(path)


def test_omitted_tunes_are_among_the_notes_of_the_data(tmp_path):
    path = tmp_path / "my.abc"
    tunes = (tune(number, f"T{number}", BODY[4 * number :]) for number in range(6))
    path.write_text("".join(tunes) + tune(9, "Bad", "hello"))
    assert "1 of 7 tunes of my.abc omitted" in " ".join(data.FOLK.load(path).notes)


@pytest.mark.parametrize("read", [data.read_file, chorales.read_custom])
def test_a_custom_file_is_read_in_the_encoding_that_is_said(tmp_path, read):
    path = tmp_path / "my.abc"
    path.write_bytes(tune(1, "\xab\xe3\xbb \xe3\xf5 Jig", BODY).encode("latin-1"))
    with pytest.raises(UsageError, match=r"is not UTF-8 on line 2.*--encoding"):
        read(path)
    reading = Reading(ReadOptions(encoding="latin-1"))
    assert len(read(path, reading=reading)["key"]) == 1
    assert reading.notes == ["my.abc: encoding latin-1"]
    folder = tmp_path / "folder"
    folder.mkdir()
    path.rename(folder / "my.abc")
    folders = {data.read_file: data.read_folder, chorales.read_custom: chorales.read_folder}
    assert len(folders[read](folder, reading=reading)[0]["train"]["key"]) == 1


@pytest.mark.parametrize("dataset", [data.FOLK, chorales.CHORALES], ids=lambda each: each.name)
@pytest.mark.parametrize("name", ["my.abc", "my.mid", "my.xml", "folder"])
def test_music_is_no_table(tmp_path, dataset, name):
    folder = tmp_path / "folder"
    folder.mkdir()
    for each in ("my.abc", "folder/my.abc"):
        (tmp_path / each).write_text(tune(1, "My Jig"))
    for each in ("my.mid", "my.xml"):  # not read
        (tmp_path / each).touch()
    for given in ({"columns": {"key": "x"}}, {"reading": {"sep": "tab"}}):
        with pytest.raises(UsageError, match=rf"is for tables, but .*{name} is none\. Omit it"):
            dataset.load(tmp_path / name, **given)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (tune(1, "A Reel", "GABc dBGB |]", "Ador", "C|"),
         {"prime": "[M:2/2] GABcdBGB |", "key": "A dorian", "type": "reel"}),
        ("M:6/8\nK:D\nGAB", {"prime": "[M:6/8] GAB |", "key": "D major", "type": "tune"}),
        ("GAB {c}def |\n", {"prime": "GABdef |"}),
    ],
)  # fmt: skip
def test_a_file_to_continue(tmp_path, text, expected):
    path = tmp_path / "prime.abc"
    path.write_text(text)
    assert data.read_prime(path) == expected
    assert folk.seed(folk.Config(), {"prime": str(path), "key": "Bb"}) == {
        "type": "", **expected, "key": "B- major"
    } or "type" not in expected  # fmt: skip


def test_a_damaged_file_to_continue_gives_one_line(tmp_path):
    path = tmp_path / "prime.abc"
    path.write_text("X:1\nM:6/8\nK:G\nGAB hello\n")
    with pytest.raises(ZooError, match=r"prime\.abc is not a tune .* 'hello"):
        data.read_prime(path)


# Ids.

TUNES = ["[M:6/8] |: GAB^c2d | [1 e3-e3 :| [2 e6 |]", "[M:2/2] D>E(3FGA B4 | d'/2z7/2 B,4 |]"]
ROWS = {"type": ["jig", "reel", "reel"], "key": ["G major", "A dorian", "B- major"]}


@pytest.fixture(scope="module")
def codec():
    return TuneCodec(**learn_tunes(ROWS["type"], ROWS["key"], [*TUNES, TUNES[1]]))


def test_ids_are_type_key_tokens_and_end_and_their_text_is_the_tune(codec):
    rows = codec.rows(ROWS["type"][:2], ROWS["key"][:2], TUNES)
    names = ["", "", *codec.types, *codec.keys, *codec.tokens]
    assert codec.size == len(names)
    for row, kind, key, text in zip(rows, ROWS["type"], ROWS["key"], TUNES, strict=False):
        assert row.dtype == np.int32
        assert [names[each] for each in row[:2]] == [kind, key]
        assert [names[each] for each in row[2:-1]] == abc.tokens(text)
        assert row[-1] == codec.end == 1
        for cut in (2, 5):  # what is given, and what was drawn
            prefix = tf.RaggedTensor.from_tensor([row[:cut]])
            written = codec.text(tf.constant([[*row[cut:-1], 0, 0]]), prefix)
            expected = abc.tune_text(kind, key, abc.tokens(text))
            assert written.numpy()[0].decode() == expected


def test_long_tunes_have_four_bars_a_line_in_both_ways_of_writing(codec):
    text = "[M:6/8] B4 | " + "D4 | |: A4 | e3 :| " * 5 + "| [1 D :| [2 E3 |]"
    tokens = abc.tokens(text)
    (row,) = codec.rows(["jig"], ["B- major"], [text])
    prefix = tf.RaggedTensor.from_tensor([row[:2]])
    written = codec.text(tf.constant([row[2:-1]]), prefix).numpy()[0].decode()
    assert written == abc.tune_text("jig", "B- major", tokens)
    assert abc.tokens_of(written) == tokens


@pytest.mark.parametrize(
    ("drawn", "kept"),
    [
        ("[M:6/8] GAB c2d | GA", "[M:6/8] GAB c2d |"),
        ("[M:6/8] |: GAB c2d :| [1 e3", "[M:6/8] |: GAB c2d :|"),
        ("[M:6/8] GAB c2d |]", "[M:6/8] GAB c2d |]"),
        ("[M:6/8] GAB", "[M:6/8] GAB"),  # no bar line at all: all that was drawn
    ],
)
def test_a_tune_that_is_cut_by_the_steps_ends_with_its_last_whole_bar(drawn, kept):
    tunes = ["[M:6/8] |: GAB c2d | [1 e3 :| [2 e6 |]"]
    codec = TuneCodec(**learn_tunes(["jig"], ["G major"], tunes))
    ids = codec.split(tf.constant([drawn])).to_tensor()
    prefix = codec.prefix(["jig"], ["G major"], [""])
    text = codec.text(ids, prefix).numpy()[0].decode()
    assert abc.tokens_of(text) == abc.tokens(kept)


def test_a_tune_without_a_metre_says_so(codec):
    prefix = codec.prefix(["jig"], ["G major"], [""])
    written = codec.text(tf.zeros([1, 0], tf.int32), prefix).numpy()[0].decode()
    assert written == "X:1\nT:Jig in G major\nR:jig\nM:none\nL:1/8\nK:G\n\n"


def test_what_is_not_given_is_the_most_frequent(codec):
    names = ["", "", *codec.types, *codec.keys, *codec.tokens]

    def prefix(kind, key, prime):
        return [names[each] for each in codec.prefix([kind], [key], [prime]).numpy()[0]]

    assert prefix("", "", "") == ["reel", "A dorian"]
    assert prefix("jig", "", "") == ["jig", "G major"]
    assert prefix(" reel ", "B- major", "") == ["reel", "B- major"]
    # The metre is the type's, but for one that is given.
    assert prefix("jig", "", "GAB") == ["jig", "G major", "[M:6/8]", "G", "A", "B"]
    assert prefix("jig", "", "[M:2/2] G") == ["jig", "G major", "[M:2/2]", "G"]


@pytest.mark.parametrize(
    ("kind", "key", "prime", "said"),
    [
        ("polska", "", "", "Known types are reel, jig; got polska."),
        ("reel", "C", "", "Known keys are A dorian, B- major, G major; got C."),
        ("reel", "", "GAB hello", "The prime has signs that no training tune has; got GAB hello."),
        ("reel", "", "GAB (7abcdefg", "The prime has signs"),
        ("reel", "", "G" * 101, "The tune is longer than 100 bytes."),
        ("x" * 10**6, "", "", "Known types are reel, jig; got xxxxxxxx"),
        (b"\xff\n\0", "", "", "Known types are reel, jig; got \ufffd."),
    ],
)
def test_what_is_not_known_is_a_problem_of_its_row(codec, kind, key, prime, said):
    given = tf.constant([kind, "reel"]), tf.constant([key, ""]), tf.constant([prime, ""])
    found = [text.decode() for text in codec.problem(*given, 100).numpy()]
    assert found[0].startswith(said)
    assert len(found[0]) < 120
    assert found[1] == ""
    assert codec.prefix(*given).to_list()[1] == codec.prefix(["reel"], [""], [""]).to_list()[0]


def test_a_tune_of_a_type_that_was_not_learnt_is_not_encoded(codec):
    with pytest.raises(ZooError, match=r"Known types are reel, jig; got polska\. Omit such tunes"):
        codec.rows(["reel", "polska"], ["G major"] * 2, TUNES[:2])


def test_a_token_that_was_never_seen_is_not_scored(codec):
    (row,) = codec.rows(["jig"], ["G major"], ["[M:6/8] GAB(7 ?!"])
    (same,) = codec.rows(["jig"], ["G major"], ["[M:6/8] GAB"])
    np.testing.assert_array_equal(row, same)


def test_the_codec_survives_its_config(codec):
    again = TuneCodec.from_config(codec.get_config())
    for one, other in zip(*(each.rows(["jig"], ["G major"], TUNES[:1]) for each in (codec, again)),
                          strict=True):  # fmt: skip
        np.testing.assert_array_equal(one, other)


def test_what_is_learnt_does_not_depend_on_the_order_of_rows():
    learnt = learn_tunes(["jig", "reel"], ["G major", "D major"], TUNES)
    assert learnt == learn_tunes(["reel", "jig"], ["D major", "G major"], TUNES[::-1])
    assert learnt["meters"] == {"jig": ["6/8"], "reel": ["2/2"]}
    assert learnt["usual_keys"] == {"jig": "G major", "reel": "D major"}


# What is served.


@pytest.fixture(scope="module")
def served():
    keras.utils.set_random_seed(0)
    config = dataclasses.replace(folk.Config(), units=16, embedding=8, steps=40)
    sample = data.sample()
    assets = Assets(folk.prepare(config, sample), partial(folk.encoder, config))
    model = folk.build(config, assets)
    return config, assets, model, folk.serve(config, assets, model).functions, sample


def test_the_score_is_that_of_the_model_without_type_and_key(served):
    config, assets, model, functions, sample = served
    inputs = {name: tf.constant(sample[name][:3]) for name in ("type", "key", "tune")}
    answer = {name: value.numpy() for name, value in functions["score"](**inputs).items()}
    batches = folk.batches(config, assets, {name: values[:3] for name, values in sample.items()})
    loss = folk.objective(config, assets)["loss"]
    total = 0.0
    for row in range(3):
        x, y = batches.take(np.array([row]))
        logs = tf.nn.log_softmax(tf.concat([np.full((*x.shape, 1), -1e9), model(x)[..., 1:]], 2))
        assert y[0, 0] == 0  # the key follows from nothing
        expected = sum(float(logs[0, t, y[0, t]]) for t in range(1, y.shape[1]))
        assert answer["count"][row] == y.shape[1] - 1 == len(abc.tokens(sample["tune"][row])) + 1
        assert answer["log_probability"][row] == pytest.approx(expected, rel=1e-5)
        total += float(loss(y, model(x))) * answer["count"][row]
    x, y = batches.take(np.arange(3))
    # Training counts the same terms, but for the part of padding in the softmax.
    assert float(loss(y, model(x))) == pytest.approx(total / answer["count"].sum(), rel=1e-4)


def test_one_bad_row_does_not_fail_the_others(served):
    config, _, _, functions, _ = served
    given = {"type": ["jig", "polska", "jig"], "key": ["D major"] * 3}
    seeds = {**given, "prime": ["GAB c2", "", "?"], "random_seed": [3, 3, 3]}
    options = {"steps": 5, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    options = {name: tf.constant(value) for name, value in options.items()}

    def ask(signature, columns, **options):
        inputs = {name: tf.constant(values) for name, values in columns.items()}
        return {k: v.numpy().tolist() for k, v in functions[signature](**inputs, **options).items()}

    found = ask("generate", seeds, **options)
    assert found["valid"] == [True, False, False]
    assert found["tune"][1:] == [b"", b""]
    alone = ask("generate", {name: values[:1] for name, values in seeds.items()}, **options)
    assert found["tune"][0] == alone["tune"][0]
    assert ask("serving_default", given)["valid"] == [True, False, True]
    long = "G" * (config.max_bytes + 1)
    scores = ask("score", {**given, "tune": ["GAB", "GAB", long]})
    assert scores["valid"] == [True, False, False]
    assert np.isnan(scores["log_probability"]).tolist() == [False, True, True]
    assert scores["count"][0] == 4
    assert scores["count"][1:] == [0, 0]


def test_a_tune_has_the_requested_type_and_key_and_continues_the_prime(served):
    _, _, _, functions, _ = served
    inputs = {"type": ["jig", "reel"], "key": ["D major", "G major"], "prime": ["GAB c2", ""]}
    options = {"steps": 30, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    answer = functions["generate"](
        **{name: tf.constant(values) for name, values in inputs.items()},
        random_seed=tf.constant([3, 4]),
        **{name: tf.constant(value) for name, value in options.items()},
    )
    first, second = (text.decode() for text in answer["tune"].numpy())
    assert first.startswith("X:1\nT:Jig in D major\nR:jig\nM:6/8\nL:1/8\nK:D\nGABc2")
    assert second.startswith("X:1\nT:Reel in G major\nR:reel\nM:")
    tune = functions["serving_default"](type=tf.constant(["jig"]), key=tf.constant(["G major"]))
    assert tune["tune"].numpy()[0].startswith(b"X:1\nT:Jig in G major\n")


def test_files_of_a_tune(tmp_path):
    pytest.importorskip("music21")
    text = abc.tune_text("slip jig", "E minor", abc.tokens("[M:9/8] |: GAB c3 d3 :| e3 d3 E3 |]"))
    paths = folk.render(folk.Config(), {"tune": text}, tmp_path / "tune")
    assert {path.suffix for path in paths} == {".abc", ".mid", ".musicxml", ".wav", ".png", ".svg"}
    assert all(path.stat().st_size for path in paths)
    written = (tmp_path / "tune.abc").read_text()
    assert "M:9/8\nL:1/8\nQ:1/4=170\nK:Em\n|: GAB c3 d3 :|\ne3 d3 E3 |]\n" in written


def test_every_type_has_a_tempo():
    assert data.TEMPO.keys() == set(data.TYPES)


# What is checked in tunes.


def checked(*texts, kind="jig", key="G major", **more):
    texts = [abc.tune_text(kind, key, abc.tokens(text)) for text in texts]
    meters = {"jig": ["6/8"], "reel": ["2/2", "4/4"]}
    count = len(texts)
    return metrics.tune_checks([kind] * count, [key] * count, texts, meters=meters, **more)


def test_a_sound_tune_passes_every_check():
    scores = checked("[M:6/8] D | GAB c2d | e2c d2B | GAB c2d | A2F G2 |]")
    assert scores == {
        "parses": 1.0,
        "bars_full": 1.0,
        "all_bars_full": 1.0,
        "last_bar_full": 1.0,
        "in_key": 1.0,
        "ends_on_tonic": 1.0,
        "meter_fits": 1.0,
        "repeated_bars": 0.2,  # the fourth of five
        "length": 30.0,
    }


def test_each_check_sees_what_it_is_for():
    good = "[M:6/8] GAB c2d | e3 G3 |]"
    assert checked(good, "GAB c2d |]", "[M:6/8] G>|]")["parses"] == pytest.approx(1 / 3)
    scores = checked(good, "[M:6/8] GAB c2 | e3 G3 |]")
    assert (scores["bars_full"], scores["all_bars_full"]) == (0.75, 0.5)
    assert scores["last_bar_full"] == 1.0
    assert checked("[M:6/8] GAB c2d | e3 G2 |]")["last_bar_full"] == 0.0
    # B flat and C sharp, of 8 notes; the last note is A.
    scores = checked("[M:6/8] GA_B ^c3 | BGA A3 |]")
    assert (scores["in_key"], scores["ends_on_tonic"]) == (0.75, 0.0)
    assert checked(good, "[M:4/4] G8 |]")["meter_fits"] == 0.5
    assert checked(good, "[M:4/4] G8 |]", kind="reel")["meter_fits"] == 0.5
    assert checked("[M:6/8] B6 |]", key="E dorian")["ends_on_tonic"] == 0.0
    assert checked("[M:6/8] ^c6 | E6 |]", key="E dorian")["ends_on_tonic"] == 1.0


def test_what_another_reader_refuses_counts_against_all():
    def other(text):
        if "c" in text.partition("K:")[2]:
            raise ZooError("no c")

    scores = checked("[M:6/8] GAB c3 |]", "[M:6/8] G6 |]", other=other)
    assert scores["parses_elsewhere"] == 0.5


def test_overlap_and_type_are_measured_on_the_training_tunes():
    training = [abc.tokens("[M:6/8] GAB GAB | GAB GAB |]"), abc.tokens("[M:2/2] c>dc>d c4 |]")]
    more = {"training": training, "training_types": ["jig", "reel"]}
    scores = checked("[M:6/8] GAB GAB | ABG BGA |]", **more)
    assert scores["type_follows"] == 1.0
    assert scores["longest_overlap"] == len(["[M:6/8]", *"GABGAB", "|"])
    assert checked("[M:2/2] c>dc>d d4 |]", **more)["type_follows"] == 0.0


def test_metres_that_fit_a_type_have_a_fraction_of_its_tunes():
    tunes = [["[M:6/8]"]] * 30 + [["[M:9/8]"]] * 2 + [["[M:3/4]"]]
    assert meters_of(["jig"] * 33, tunes) == {"jig": ["6/8", "9/8"]}


def test_nothing_to_check_is_an_error():
    with pytest.raises(ZooError, match="no tunes"):
        checked()
    assert checked("G>|]")["bars_full"] == 0.0


def test_an_n_gram_model_draws_tunes_of_what_it_has_counted(codec):
    train = {**ROWS, "tune": [*TUNES, TUNES[1]]}
    model = fit_tunes(codec, train, 8)
    total, count = map(sum, zip(*nats_of_each(model, codec, train), strict=True))
    assert count == sum(len(abc.tokens(text)) + 1 for text in train["tune"])
    assert total / count < 1.0
    # The first token is as frequent as it was after the type and key, whatever its discount.
    rare = {**train, "tune": [TUNES[0], *TUNES]}
    rare = {name: [values[0]] * 98 + [values[0], values[1]] for name, values in rare.items()}
    rare["type"][-1], rare["tune"][-1] = "jig", TUNES[1]
    rare["key"] = ["G major"] * 100
    requested = {"type": ["jig"] * 100, "key": ["G major"] * 100}
    first = draw_tunes(fit_tunes(codec, rare, 8), codec, requested, range(100), 1)
    assert sum("M:6/8" in text for text in first) >= 95
    requested = {"type": ["jig", "reel"], "key": ["G major", "B- major"]}
    tunes = draw_tunes(model, codec, requested, [1, 2], 60)
    assert tunes == draw_tunes(model, codec, requested, [1, 2], 60)
    assert tunes[0].startswith("X:1\nT:Jig in G major\nR:jig\nM:")
    assert tunes[1].startswith("X:1\nT:Reel in Bb major\nR:reel\nM:")
    assert len(abc.tokens_of(draw_tunes(model, codec, requested, [1, 2], 3)[0])) <= 3


def test_copies_of_tunes_are_in_other_keys_of_their_mode():
    train = {
        "type": ["jig", "reel", "air", "air"],
        "key": ["G major", "D major", "A minor", "D major"],
        "tune": ["[M:6/8] GAB |]", "[M:6/8] DEFGAB |]", "[M:6/8] A3 |]", "[M:6/8] d6 |]"],
        "title": list("abcd"),
    }
    more = with_copies(train, 2)
    assert more == with_copies(train, 2)
    assert {name: values[:4] for name, values in more.items()} == train
    # A minor has no other key; d6 would need g6, and D major's lowest note a lower one: those
    # signs are in no tune.
    assert {name: values[4:] for name, values in more.items()} == {
        "type": ["jig"], "key": ["D major"], "tune": ["[M:6/8] DEF |]"], "title": ["a"],
    }  # fmt: skip
    assert with_copies(train, 0) == train
    config = dataclasses.replace(folk.Config(), transposed=0)
    assert folk.augment(config, train) == train


def test_keys_of_copies_are_drawn_in_proportion_to_their_counts():
    keys = ["A minor"] + ["G major"] * 200 + ["D major"] * 150 + ["C major"] * 50
    tunes = ["[M:4/4] CDEFGABcdefgabc'4 |]"] + ["[M:4/4] GABcd4 |]"] * 400
    drawn = with_copies({"key": keys, "tune": tunes}, 1)["key"][401:]
    assert len(drawn) == 400
    assert abs(drawn[:200].count("D major") / 200 - 150 / 200) < 0.1
    assert abs(drawn[200:350].count("G major") / 150 - 200 / 250) < 0.1
    assert "D major" not in drawn[200:350]


def test_rows_of_types_and_keys_that_no_training_tune_has_are_not_scored():
    config = folk.Config()
    learned = folk.prepare(config, {**ROWS, "tune": [*TUNES, TUNES[1]]})
    assets = Assets(learned, partial(folk.encoder, config))
    rows = {"type": ["jig", "polka", "reel"], "key": ["G major", "G major", "C major"],
            "tune": TUNES[:1] * 3}  # fmt: skip
    assert data.known(assets, rows)["key"] == ["G major"]
    assert len(folk.batches(config, assets, rows).take(np.arange(1))[0]) == 1
    with pytest.raises(ZooError, match="No tune has a type and key of the training tunes"):
        data.known(assets, {name: values[1:] for name, values in rows.items()})


def test_spread_rows():
    assert metrics.spread(10, 4) == [0, 2, 5, 7]
    assert metrics.spread(3, 10) == [0, 1, 2]


def test_an_invalid_key_is_an_error_before_sampling():
    with pytest.raises(UsageError, match="'H' is not a key"):
        folk.seed(folk.Config(), {"key": "H"})
    assert folk.seed(folk.Config(), {"key": "Edor", "type": "jig"}) == {
        "key": "E dorian", "type": "jig"
    }  # fmt: skip
    assert "folk-gru" in [row["name"] for row in zoo.list_models()]
