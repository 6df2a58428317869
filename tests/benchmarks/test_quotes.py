"""The sentences of the pages and of the recipes quote what the results say.

The tables are generated, and `test_lesson.py` tests the lesson. Each sentence below stands on its
page, with numbers of `results/FILE.json` in the place of `{FILE PATH FORMAT}`.
"""

import re
from pathlib import Path

import pytest
from support.results import measured

ROOT = Path(__file__).parents[2]

QUOTES = {
    "docs/results.md": [
        "a linear model of words and word pairs ({imdb-lstm baseline.nbsvm-bigram .4f}) beats",
        "`imdb-bilstm-large` has {imdb-bilstm-large score .4f}",
        "this linear model ({news-bilstm baseline.nbsvm-bigram .4f}) beats",
        "beats it ({news-bilstm score .4f}, p {news-bilstm comparisons.nbsvm-bigram.holm .1g})",
        "an ensemble of three such networks ({news-bilstm-wide-glove-ensemble score .4f}, p",
        "is {digits-ctc score .1%} % for new recordings of known voices",
        "For unknown voices it is {digits-ctc-speakers mean .0%} %",
        "(softmax) has {conll-bilstm-glove-seeds mean .4f} ± "
        "{conll-bilstm-glove-seeds deviation .4f} and `conll-bilstm-crf` "
        "{conll-bilstm-crf-glove-seeds mean .4f} ± {conll-bilstm-crf-glove-seeds deviation .4f}",
        "they have {conll-bilstm-seeds mean .4f} ± {conll-bilstm-seeds deviation .4f} and "
        "{conll-bilstm-crf-none-seeds mean .4f} ± {conll-bilstm-crf-none-seeds deviation .4f}",
        "has the lowest QLIKE ({stocks-gru baseline.log-linear+market .4f}; the GRU "
        "{forecasters networks.stocks-gru.0.qlike .4f})",
        "our LSTM has {chorales-nott-lstm-bernoulli score .2f} after two runs",
        "not tuned, has {conll-bilstm-crf baseline.linear-chain-crf .4f} on CoNLL-2003",
    ],
    "docs/methods.md": [
        "GloVe vectors has {news-bilstm-wide-glove-seeds mean .4f} on the test split",
        "with these settings has {news-bilstm-wide-glove-ensemble score .4f}",
        "The network alone has {news-bilstm-alone score .4f}",
        "one network with the settings of the recipe has {conll-bilstm-crf-added score .4f}",
        "as the former has {conll-bilstm-crf-added baseline.linear-chain-crf .4f}",
        "{news-bilstm-distilled-glove metrics.validation .4f} on the validation split and "
        "{news-bilstm-distilled-glove score .4f} on the test split",
        "of a linear model ({news-gru-bbc-wide score .4f})",
        "its test score was read once: {imdb-bilstm-large score .4f}",
        "and {imdb-bilstm-large metrics.validation .4f} as it is served",
        "On the test text, it has {shakespeare-lstm score .3f}, and the earlier network "
        "{shakespeare-lstm-one-layer score .3f}",
        "it has {imdb-bilstm-large-sst-2 score .4f} on the test split",
        "Their F1 on the test split is {conll-bilstm-crf-distilled-seeds mean .4f}, with a "
        "standard deviation of {conll-bilstm-crf-distilled-seeds deviation .4f} "
        "(`results/conll-bilstm-crf-distilled-seeds.json`), beside "
        "{conll-bilstm-crf-glove-seeds mean .4f} for",
        "by `zoo train`, have {conll-bilstm-crf-glove-seeds runs.*.validation .4f}",
        "BLEU is {translate-attention score .2f} on the captions of 2016 and "
        "{translate-attention-tatoeba metrics.test.bleu_all .2f} on the test sentences",
        "the test sentences of Tatoeba with all of their references (`bleu_all` in "
        "`results/translate-attention-tatoeba.json`; {translate-attention-tatoeba score .2f} with",
        "from 50.25 to {translate-attention-gpu score .2f}. It was added because the former was "
        "below the {translate-attention-small score .2f} of",
        "each of the {translate-attention-gpu-tatoeba metrics.test.rows ,d} rows",
        "with all of its references: {translate-attention-gpu-tatoeba metrics.test.bleu_all .2f}, "
        "beside {translate-attention-gpu-tatoeba metrics.baseline.ibm-model-1.bleu_all .2f} for "
        "IBM",
        "a smaller `translate-attention` has {translate-attention-captions score .2f}",
        "from the packed one has {translate-attention-en-de-from-fr score .2f} after 12 and 10",
        "A smaller network from scratch has {translate-attention-en-de score .2f} after 24 epochs",
        "and {translate-seq2seq score .2f} on the test split. The same network has "
        "{translate-seq2seq-supervised score .2f} on the test split",
    ],
    "docs/guides/tasks.md": [
        "`translate-attention` (BLEU {translate-attention score .1f} on captions)",
        "`translate-seq2seq` ({translate-seq2seq score .1f}) is smaller",
    ],
    "docs/getting-started.md": ["and has {imdb-lstm score .1%} %"],
    "docs/scaling.md": [
        "`imdb-lstm` comes to {imdb-lstm-precision scores.float32 .2%} % in float32, "
        "{imdb-lstm-precision scores.mixed_bfloat16 .2%} in mixed_bfloat16 and "
        "{imdb-lstm-precision scores.mixed_float16 .2%} in",
    ],
    "recipes/adding.py": ["baseline {adding-lstm baseline.always 1 .4f};"],
    "recipes/characters.py": ["(6-grams {shakespeare-lstm baseline.6-gram .2f})"],
    "recipes/chorales.py": [
        "JSB NADE {chorales-jsb-lstm-nade-seeds mean .2f} "
        "Bernoulli {chorales-jsb-lstm-bernoulli-seeds mean .2f}",
        "Nottingham NADE {chorales-nott-lstm-nade score .2f} "
        "Bernoulli {chorales-nott-lstm-bernoulli score .2f}",
    ],
    "recipes/digits.py": [
        "{digits-gru-seeds mean .1%} {digits-gru baseline.mfcc-mean-nearest .1%}",
        "{digits-gru-speakers mean .1%} 55.4",
    ],
    "recipes/entities.py": [
        "on hand-made features has {conll-bilstm-crf baseline.linear-chain-crf .1%}, "
        "a lookup of the training entities {conll-bilstm-crf baseline.seen-entities .1%})",
        "conll-bilstm {conll-bilstm-seeds mean .1%} (vectors=none)",
        "conll-bilstm {conll-bilstm-glove-seeds mean .1%} (glove-50) "
        "conll-bilstm-crf {conll-bilstm-crf-none-seeds mean .1%} (none)",
    ],
    "recipes/reviews.py": [
        "3-grams {reviews-lm baseline.* .1f}; this network with 1,024 units, trained on a GPU "
        "(docs/methods.md), {reviews-lm score .1f}",
    ],
    "recipes/sentiment.py": [
        "imdb-simplernn {imdb-simplernn score .1%} ({imdb-simplernn-supervised-seeds mean .1%})",
        "imdb-lstm {imdb-lstm score .1%} ({imdb-lstm-supervised-seeds mean .1%})",
        "imdb-gru {imdb-gru score .1%} ({imdb-gru-supervised-seeds mean .1%})",
        "imdb-deep-gru {imdb-deep-gru score .1%} ({imdb-deep-gru-supervised-seeds mean .1%})",
        "imdb-bilstm {imdb-bilstm score .1%} ({imdb-bilstm-supervised-seeds mean .1%})",
        "The linear baselines have {imdb-bilstm-large baseline.nbsvm-bigram .1%} and "
        "{imdb-bilstm-large baseline.tfidf-linear .1%}",
    ],
    "recipes/speech.py": [
        "digits-ctc {digits-ctc score .1%} {digits-ctc baseline.segments-nearest .1%}",
        "{digits-ctc-speakers mean .1%} {digits-ctc-speakers baseline.*.segments-nearest .1%}",
    ],
    "recipes/stocks.py": [
        "(log-linear+market {stocks-gru baseline.log-linear+market .3f}, "
        "log-linear {stocks-gru baseline.log-linear .3f}, "
        "log HAR {stocks-gru baseline.log HAR .3f}, "
        "GJR-GARCH {stocks-gru baseline.GJR-GARCH .3f}, HAR {stocks-gru baseline.HAR .3f}, "
        "GARCH {stocks-gru baseline.GARCH .3f}, EWMA {stocks-gru baseline.EWMA .3f})",
    ],
    "recipes/topics.py": [
        "of the two linear baselines has {news-gru baseline.nbsvm-bigram .1%} %",
        "news-gru {news-gru-seeds mean .1%} news-bilstm {news-bilstm-alone score .1%}",
        "Three seeds have a mean of {news-bilstm-wide-glove-seeds mean .1%}, and an ensemble of "
        "three (`zoo export A B C --ensemble`) {news-bilstm-wide-glove-ensemble score .1%}",
    ],
    "recipes/translation.py": [
        "it has {translate-attention-tatoeba metrics.test.bleu_all .1f}. A smaller one, trained on "
        "captions alone in 25 minutes, has {translate-attention-captions score .1f}",
        "the references alone it has {translate-seq2seq-supervised score .1f}",
    ],
    "recipes/words.py": [
        "5-grams {ptb-deep-lstm baseline.* .1f} ptb-deep-lstm {ptb-deep-lstm score .1f}, "
        "with the cache {ptb-deep-lstm metrics.test.cache_perplexity .1f}",
    ],
}


def quoted(quote):
    """Returns what `{FILE PATH FORMAT}` stands for."""
    name, path, form = re.fullmatch(r"([\w-]+) (.+) (\S+)", quote[1]).groups()
    value = measured(name, path)
    return format(100 * value, form.replace("%", "f")) if "%" in form else format(value, form)


@pytest.mark.parametrize(
    ("page", "sentence"), [(page, each) for page, quotes in QUOTES.items() for each in quotes]
)
def test_sentences_quote_the_results(page, sentence):
    said = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    assert re.sub(r"\{(.*?)\}", quoted, sentence) in said
