"""Short sentences with negation and contrast, on which bag-of-words models fail.

Each pair has a positive and a negative sentence that share most of their words. Written for this
project; none is from a dataset. A classifier that only counts words is right on about half of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.recipe import Answers
    from zoo.scores import Scores

PAIRS: dict[str, list[tuple[str, str]]] = {  # kind to (positive, negative)
    "negated praise": [
        ("The film is good.", "The film is not good."),
        ("I liked it.", "I didn't like it."),
        ("This is a great movie.", "This is not a great movie."),
        ("The acting was convincing.", "The acting was not convincing."),
        ("I would watch it again.", "I would never watch it again."),
        ("The jokes are funny.", "The jokes are not funny."),
        ("I recommend this film.", "I can't recommend this film."),
        ("The story makes sense.", "The story doesn't make sense."),
        ("It is worth your time.", "It is not worth your time."),
        ("The ending works.", "The ending doesn't work."),
        ("The director knows what he is doing.", "The director doesn't know what he is doing."),
        ("It was an enjoyable evening.", "It was not an enjoyable evening."),
        ("The script is clever.", "The script is anything but clever."),
        ("The characters are believable.", "The characters are hardly believable."),
        ("It has charm.", "It has no charm at all."),
        ("The two leads have chemistry.", "The two leads have no chemistry."),
        ("There is a lot of suspense.", "There is no suspense."),
        ("Everyone I know loved it.", "Nobody I know loved it."),
        ("The music is beautiful.", "Nothing about the music is beautiful."),
        ("It is a masterpiece.", "It is far from a masterpiece."),
    ],
    "negated criticism": [
        ("The film is not bad.", "The film is bad."),
        ("It was never boring.", "It was boring."),
        ("The plot is not stupid.", "The plot is stupid."),
        ("I was not disappointed.", "I was disappointed."),
        ("It is not a waste of time.", "It is a waste of time."),
        ("You won't regret seeing it.", "You will regret seeing it."),
        ("There is nothing wrong with this film.", "There is a lot wrong with this film."),
        ("The dialogue is never dull.", "The dialogue is dull."),
        ("I can't complain about the cast.", "I can only complain about the cast."),
        ("It doesn't drag for a second.", "It drags from the first second."),
        ("No scene is too long.", "Every scene is too long."),
        ("The effects don't look cheap.", "The effects look cheap."),
        ("It is anything but predictable.", "It is predictable."),
        ("The humor is not forced.", "The humor is forced."),
        ("The remake isn't a failure.", "The remake is a failure."),
        ("I didn't fall asleep once.", "I fell asleep twice."),
        ("It isn't as terrible as people say.", "It is as terrible as people say."),
        ("The lead actor is not annoying.", "The lead actor is annoying."),
        ("It is hardly a mess.", "It is a mess."),
        ("I have no complaints.", "I have many complaints."),
    ],
    "contrast": [
        ("The beginning is slow, but the rest is wonderful.",
         "The beginning is wonderful, but the rest is slow."),
        ("The effects are poor, but the story is great.",
         "The effects are great, but the story is poor."),
        ("It looks cheap, yet it moved me to tears.",
         "It looks expensive, yet it left me cold."),
        ("Although the plot is silly, I had a great time.",
         "Although the plot is great, I had a bad time."),
        ("Despite the weak script, it is a very good film.",
         "Despite the good script, it is a very weak film."),
        ("I expected a terrible film, but I loved it.",
         "I expected a wonderful film, but I hated it."),
        ("The critics hated it; I think it is superb.",
         "The critics loved it; I think it is awful."),
        ("The acting is uneven, but overall it is excellent.",
         "The acting is excellent, but overall it is a failure."),
        ("A bad title for a very good movie.", "A good title for a very bad movie."),
        ("It starts badly and ends brilliantly.", "It starts brilliantly and ends badly."),
        ("Some jokes fall flat, but most of them are hilarious.",
         "Some jokes are hilarious, but most of them fall flat."),
        ("The first film was dreadful; this one is great.",
         "The first film was great; this one is dreadful."),
        ("Not every scene works, but the film is a joy.",
         "One or two scenes work, but the film is a bore."),
        ("I hated the trailer and loved the film.", "I loved the trailer and hated the film."),
        ("For all its flaws, it is a beautiful film.",
         "For all its beauty, it is a flawed and boring film."),
        ("The book was boring, but the film is exciting.",
         "The book was exciting, but the film is boring."),
        ("It could have been awful, and it is wonderful.",
         "It could have been wonderful, and it is awful."),
        ("My friends were bored; I was fascinated.",
         "My friends were fascinated; I was bored."),
        ("The plot is thin, but the actors save it.",
         "The actors are fine, but the plot ruins it."),
        ("Slow at times, still one of the best films of the year.",
         "Exciting at times, still one of the worst films of the year."),
    ],
    "comparison": [
        ("It is better than I thought.", "It is worse than I thought."),
        ("I have seen few films that are better.", "I have seen few films that are worse."),
        ("The sequel is better than the original.", "The sequel is worse than the original."),
        ("It doesn't get better than this.", "It doesn't get worse than this."),
        ("Nobody could have played it better.", "Anybody could have played it better."),
        ("There are worse ways to spend an evening.",
         "There are better ways to spend an evening."),
        ("Better than most films of its kind.", "Worse than most films of its kind."),
        ("It is as good as they say.", "It is not as good as they say."),
        ("I never laughed so much in a cinema.", "I never laughed so little in a cinema."),
        ("It deserves more praise than it got.", "It deserves less praise than it got."),
        ("More fun than I expected.", "Less fun than I expected."),
        ("The more I think about it, the better it gets.",
         "The more I think about it, the worse it gets."),
        ("It was over too soon.", "It was not over soon enough."),
        ("I could watch this all day.", "I couldn't watch this for ten minutes."),
        ("This is what every thriller should be.", "This is what no thriller should be."),
        ("I wish there were more films like this.", "I wish there were fewer films like this."),
        ("It is too good to miss.", "It is too bad to watch."),
        ("Less would not have been more here.", "Less would have been more here."),
        ("Few comedies are this funny.", "Few comedies are this unfunny."),
        ("One of the few good films of the year.", "One of the many bad films of the year."),
    ],
    "intention": [
        ("I wanted to hate it, but I couldn't.", "I wanted to love it, but I couldn't."),
        ("It tries to be funny and succeeds.", "It tries to be funny and fails."),
        ("I thought that I would hate it. I was wrong.",
         "I thought that I would love it. I was wrong."),
        ("If only every film were this good.", "If only the film were good."),
        ("It has everything that a good film needs.",
         "It has nothing that a good film needs."),
        ("You would be a fool to miss it.", "You would be a fool to see it."),
        ("Don't miss it.", "Don't watch it."),
        ("I was going to leave, and I am glad that I stayed.",
         "I was going to leave, and I wish that I had."),
        ("Forget the bad reviews and go.", "Forget the good reviews and stay at home."),
        ("How could anybody dislike this film?", "How could anybody like this film?"),
        ("What more could you want from a comedy?", "Is that all they want from a comedy?"),
        ("It should have won every award.", "It should have stayed on the shelf."),
        ("They promised a classic, and they were right.",
         "They promised a classic, and they lied."),
        ("The film that I was waiting for.", "I am still waiting for a good scene."),
        ("I would pay to see it twice.", "I would pay to forget it."),
        ("See it before you believe the critics.", "Believe the critics and don't see it."),
        ("It lived up to all the praise.", "It did not live up to the praise."),
        ("I left the cinema with a smile.", "I left the cinema before the end."),
        ("Give this director more money.", "Give me my money back."),
        ("At last, a sequel that is not a disappointment.",
         "Once more, a sequel that is a disappointment."),
    ],
}  # fmt: skip
KNOWN = 0.95  # of the words of the probes, for a model that reads English


def texts() -> tuple[list[str], list[str], list[str]]:
    """Returns kinds, sentences and labels (`"positive"`, `"negative"`), each 200 long."""
    rows = [
        (kind, sentence, label)
        for kind, pairs in PAIRS.items()
        for pair in pairs
        for sentence, label in zip(pair, ("positive", "negative"), strict=True)
    ]
    kinds, sentences, labels = map(list, zip(*rows, strict=True))
    return kinds, sentences, labels


def fits(labels: Sequence[str], words: Sequence[str]) -> bool:
    """Returns whether a model has the classes of the probes and knows their English words.

    Args:
      labels: class names of the model.
      words: its vocabulary, in lower case.
    """
    if set(labels) != {"positive", "negative"}:
        return False
    known = {word.lower() for word in words}
    plain = [word.strip(".,;?").lower() for text in texts()[1] for word in text.split()]
    plain = [word for word in plain if word.isalpha()]
    return sum(word in known for word in plain) >= KNOWN * len(plain)


def scores(predicted: Sequence[str]) -> dict[str, dict[str, float]]:
    """Scores answers to the sentences of `texts`, in their order.

    Returns:
      Kind, and `"all"`, to `accuracy`, a fraction of 1; `both`, the fraction of pairs of which both
      sentences are right; and `rows`.
    """
    kinds, _, labels = texts()
    right = [one == other for one, other in zip(predicted, labels, strict=True)]

    def of(chosen: list[bool]) -> dict[str, float]:
        pairs = list(zip(chosen[::2], chosen[1::2], strict=True))
        return {
            "accuracy": sum(chosen) / len(chosen),
            "both": sum(map(all, pairs)) / len(pairs),
            "rows": len(chosen),
        }

    table = {
        kind: of([good for good, each in zip(right, kinds, strict=True) if each == kind])
        for kind in PAIRS
    }
    return {**table, "all": of(right)}


def with_probes(found: Scores, predictor: Answers, assets: Mapping[str, Sequence[str]]) -> Scores:
    """Returns scores with the table `negation`; unchanged if the probes do not fit.

    Args:
      found: of a test split.
      predictor: of the model.
      assets: its `labels` and `vocabulary`.
    """
    if not fits(assets["labels"], assets["vocabulary"]):
        return found
    predicted = [answer["label"] for answer in predictor.predict(texts()[1])]
    return dataclasses.replace(found, tables={**found.tables, "negation": scores(predicted)})
