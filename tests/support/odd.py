"""Texts that are hard to read alike."""

import random

ODD = (
    "a the great film wasn't it's movie! ÉTÉ été e\u0301te\u0301 İstanbul ΟΔΟΣ ΟΔΟΣ. ΑΣΑ Σ ΣΣ "
    "aΣ\u0301 aΣ\u0301b "
    "straße ﬁne Å Å \u212a o’clock rock’n’roll l＇eau ‘quoted’ naïve <br/> <BR /> "
    "</p> <a href='x'>b</a> 3<4 <3 <i <i<b> a<b>c don\u00adt zero\u200bwidth \ufeffbom x\u200dy "
    "😀 👨\u200d👩\u200d👧 ❤\ufe0f 中文 한국어 \u1112\u1161\u11ab \uac00\u11a8 हिन्दी ไทย 𝔘𝔫𝔦 𐐀𐐁 "
    "\u0378 \ue000 \U000e0041 \U0010ffff \ufffd q\u0323\u0307 q\u0307\u0323 \u0301 ½ ² Ⅷ … — "
    "_under_ a_b 10,000 3.14 \u0345 Ω\u0345 ǅ ẞ \u1e9e\u0300 a\u0315\u0300\u05ae\u0062"
)
WORDS = ODD.split(" ")
SPACES = [" ", "  ", "\n", "\t", "\x00", "\x7f", "\u00a0", "\u2003", "\u2028", "\u200b", ""]


def odd_texts(count=1000, more=()):
    """Words that are written oddly, in any order, and characters from all of Unicode.

    `more` are further words.
    """
    chance, words = random.Random(0), [*WORDS, *more]
    texts = ["", " ", "\ufeff", "e" * 400, "é" * 200, "x" + "é" * 200, "a b " * 60, "<" * 90]
    while len(texts) < count:
        parts = []
        for _ in range(chance.choice([1, 3, 8, 30, 80])):
            if chance.random() < 0.2:
                codes = [chance.choice([0x300, 0x1100, 0x3000, 0x11000, 0x110000]) for _ in "123"]
                parts += [chr(chance.randrange(code)) for code in codes]
            else:
                parts.append(chance.choice(words))
            parts.append(chance.choice(SPACES))
        text = "".join(parts)
        texts.append("".join(c for c in text if not "\ud800" <= c < "\ue000"))
    return texts
