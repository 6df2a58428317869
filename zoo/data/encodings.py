"""Decodes custom text files: UTF-8, UTF-16, and cp1252 if the text gives enough evidence.

Light: importing this module imports neither TensorFlow nor pandas nor NumPy.
"""

from __future__ import annotations

import codecs
import math
import re
from collections import Counter

from zoo.data.reading import ReadOptions, numbers
from zoo.errors import UsageError, ZooError, quoted

MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# Languages: the fraction of words with a non-ASCII letter, and the frequency of each such letter
# per 100,000 letters (Wikipedia, "Letter frequency"; rounded, because texts are short).
WESTERN = {
    "English": (0.004, "é70 è6 ê4 ï8 ñ5 ö6 ü8 ä4 ç4 á4 í3 ó4 ô2 â2 à3 ø1 å1 ë2"),
    "French": (0.22, "é1900 à486 è271 ê218 ç85 û60 ù58 â51 î45 ô23 œ18 ë8 ï5"),
    "German": (0.18, "ü995 ä578 ö443 ß307 é5"),
    "Spanish": (0.15, "ó827 í725 á502 é433 ñ311 ú168 ü12"),
    "Portuguese": (0.2, "ã733 ç530 é337 ó296 á118 ê150 í132 õ40 ú107 â60 à72 ô63"),
    "Italian": (0.06, "à635 è263 ù166 ì80 ò80 é30"),
    "Swedish": (0.25, "ä1797 å1338 ö1305 é10"),
    "Danish": (0.2, "å1190 ø939 æ872 é10"),
    "Finnish": (0.35, "ä3577 ö444 å3"),
    "Dutch": (0.01, "é60 ë20 ï10 è5 ö2 ü2 ê1"),
    "Icelandic": (0.5, "ð4393 á1799 í1570 þ1455 ó994 æ867 ö777 é647 ú613 ý228"),
    "Catalan": (0.15, "à600 é500 è300 í500 ó600 ò250 ú150 ç150 ï60 ü30"),
}
LETTERS = sorted({each[0] for _, letters in WESTERN.values() for each in letters.split()})
WESTERN["several"] = (0.1, " ".join(f"{letter}1" for letter in LETTERS))
EASTERN = {
    "Polish": (0.35, "ł2109 ó1141 ę1035 ś814 ć743 ż706 ą699 ń362 ź78"),
    "Czech": (0.5, "í1643 ě1222 ý995 á867 ž721 š688 é633 č462 ř380 ů204 ú45 ó24 ď15 ň7 ť6"),
    "Slovak": (0.5, "á1800 č1200 í1000 ý1000 é900 š900 ž900 ú900 ť600 ľ400 ô200 ď200 ň150 ó99"),
    "Hungarian": (0.5, "é4200 á3400 ő900 ó800 ö800 ü600 í500 ú300 ű200"),
    "Romanian": (0.3, "ă4100 ş1600 î1400 ţ1200 â900"),
    "Croatian": (0.15, "č1000 š1000 ć600 ž500 đ200"),
}
RUSSIAN = (0.97, " ".join(f"{letter}1000" for letter in "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"))
GREEK = (0.97, " ".join(f"{letter}1000" for letter in "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώ"))
HEBREW = (0.97, " ".join(f"{letter}1000" for letter in "אבגדהוזחטיכלמנסעפצקרשתךםןףץ"))
ARABIC = (0.97, " ".join(f"{letter}1000" for letter in "ابتثجحخدذرزسشصضطظعغفقكلمنهويىةءآأؤإئ"))
PAGES = {
    "cp1252": WESTERN,
    "cp1250": EASTERN,
    "iso8859_2": EASTERN,
    "cp1254": {"Turkish": (0.5, "ı5114 ü1854 ş1780 ç1156 ğ1125 ö777 â50")},
    "cp1257": {
        "Estonian": (0.3, "ä1000 õ900 ü700 ö200 š5 ž5"),
        "Latvian": (0.5, "ā3900 ī1500 ē1900 š900 ū300 ž300 ņ400 ļ300 č100 ķ100 ģ50"),
        "Lithuanian": (0.4, "ė1700 š1200 ų1300 ž800 ū500 ą600 į600 č450 ę200"),
    },
    "cp1251": {"Russian": RUSSIAN},
    "koi8_r": {"Russian": RUSSIAN},
    "cp1253": {"Greek": GREEK},
    "cp1255": {"Hebrew": HEBREW},
    "cp1256": {"Arabic": ARABIC},
    "mac_roman": WESTERN,
    "cp850": WESTERN,
}
# East Asian encodings, with the most common characters of their languages, and the minimum
# fraction of the letters of a text that these must be.
EAST_ASIAN = {
    "cp932": ("[\u3041-\u3096\u30a1-\u30fa]", 0.1),  # kana
    "euc_jp": ("[\u3041-\u3096\u30a1-\u30fa]", 0.1),
    "euc_kr": ("[이다는가을의에고하지도은한를사로서기어나자아그시대리인해라보게만]", 0.25),
    "gb18030": (
        "[的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下]",
        0.12,
    ),
    "big5": (
        "[的一是不了在人有我他這中大來上國個到說們為子和你地出道也時年得就那要下]",
        0.12,
    ),
}
UNUSUAL = {"mac_roman": 6.0, "cp850": 6.0, "iso8859_2": 3.0, "koi8_r": 3.0}  # penalty in nats
SIGNS = set("€‚„…†‰‹‘’“”•–—™›\u00a0§«®°»£¡¿½")  # punctuation in Windows code pages
MARGIN = 7.0  # nats by which one decoding must be likelier than all others: a factor of 1000
STRANGE = 1e-4  # probability of a letter that a language does not have
MAX_EVIDENCE = 200_000  # maximum number of bytes that are inspected


def decode(data: bytes, name: str, options: ReadOptions) -> tuple[str, str]:
    """Decodes the bytes of a text file.

    Args:
      data: the bytes.
      name: of the file, for messages.
      options: `encoding` is used if given; `drop_bad` replaces invalid lines of a UTF-8 file by
        empty lines.

    Returns:
      The text without a byte-order mark, and the name of the encoding.

    Raises:
      UsageError: the encoding cannot be detected; the message names the option to set it.
      ZooError: the file is not text in this encoding.
    """
    if options.encoding:
        return _checked(_decoded(data, options.encoding, name), name), options.encoding
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return _checked(_decoded(data, encoding, name), name), encoding
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\0" in data:
        encoding = _wide(data) or "utf-8"
        return _checked(data.decode(encoding, errors="replace"), name), encoding
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        wrong = _wrong_lines(data)
        if not _is_damaged_utf8(data):
            return _by_evidence(data, name, wrong)
        if options.drop_bad:
            # Empty lines replace them, so that line numbers do not change.
            kept = [line if _decodes(line) else b"" for line in data.split(b"\n")]
            return b"\n".join(kept).decode("utf-8"), f"utf-8 without {numbers(wrong)}"
        raise ZooError(
            f"{name} is UTF-8, but not byte 0x{data[error.start]:02x} on {numbers(wrong)}. "
            "Correct the file, drop such lines with --drop-bad, or name another "
            "encoding with --encoding."
        ) from None


def _decoded(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = 1 + data[: error.start].count(b"\n")
        raise ZooError(
            f"{name} is not {encoding}: byte 0x{data[error.start]:02x} on line {line}. Name "
            "another encoding with --encoding."
        ) from None


def _checked(text: str, name: str) -> str:
    if "\0" in text:
        wrong = [number for number, line in enumerate(text.split("\n"), 1) if "\0" in line]
        raise ZooError(f"{name} has a NUL byte ({numbers(wrong)}); is it a text file in UTF-8?")
    return text


def _wide(data: bytes) -> str:
    """Returns the variant of UTF-16 without a byte-order mark, by its line ends; else `""`."""
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        # Other bytes decode to unassigned characters, without spaces or line ends.
        odd = sum(not (c.isprintable() or c.isspace()) for c in text)
        if odd * 100 <= len(text) and any(c in " \r\n\t" for c in text):
            return encoding
    return ""


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether at least half of the non-ASCII characters are valid UTF-8."""
    right = len(re.findall(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4]"
                           rb"[\x80-\xbf]{3}", data))  # fmt: skip
    text = data.decode("utf-8", errors="replace")
    return right >= text.count("\ufffd") - data.count(b"\xef\xbf\xbd")


def _wrong_lines(data: bytes) -> list[int]:
    return [n for n, line in enumerate(_lines(data), 1) if not _decodes(line)]


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n" if b"\n" in data else b"\r")


def _decodes(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _by_evidence(data: bytes, name: str, wrong: list[int]) -> tuple[str, str]:
    """Decodes text that is not UTF-8, if cp1252 is far likelier than all other code pages."""
    # 0x80 is the euro sign in Windows code pages, and a letter in others: ignored beside a number.
    words, marked = _words(re.sub(rb"(?<=\d)[ \xa0]?\x80|\x80[ \xa0]?(?=\d)", b"", data))
    likely: dict[str, tuple[str, float]] = {}  # code page to decoded text and log-likelihood
    for page, languages in PAGES.items():
        try:
            text = b" ".join(marked).decode(page)
        except UnicodeDecodeError:
            continue
        score = max(_likelihood(text, words, len(marked), *each) for each in languages.values())
        likely[page] = text, score - UNUSUAL.get(page, 0.0)
    text, score = likely.get("cp1252", ("", -math.inf))
    rivals = [each for other, each in likely.values() if other != text and _is_sensible(other)]
    signs = all(c.isascii() or c in SIGNS for c in _softly(data, "cp1252"))  # curly quotes
    east_asian = _east_asian(data)
    western = _is_western(text, words) and score > max(rivals, default=-math.inf) + MARGIN
    if not east_asian and ((signs and _is_sensible(text)) or western):
        try:
            return data.decode("cp1252"), "cp1252"
        except UnicodeDecodeError:  # after the inspected part
            pass
    best = max((each for _, each in likely.values()), default=0.0)
    candidates: dict[str, str] = {}  # decoded text to code page
    for page, (text, each) in sorted(likely.items(), key=lambda item: -item[1][1]):
        if each > best - MARGIN and _is_sensible(text):
            candidates.setdefault(text, page)
            if page == "cp1252":
                candidates[text] = page
    pages = east_asian or [*candidates.values()] or _guesses(data)
    if pages and pages[0] in UNUSUAL and pages[0] != "koi8_r":
        pages = [*_east_asian(data, any_letters=True), *pages]
    first = next(line for line in _lines(data) if not _decodes(line))
    shown = " or ".join(f"{page} ({quoted(_word(first, page), 30)})" for page in pages[:3])
    raise UsageError(
        f"{name} is not UTF-8 on {numbers(wrong)}{f'; it may be {shown}' * bool(pages)}. Say "
        f"which it is with --encoding, such as --encoding {pages[0] if pages else 'cp1252'}, or "
        "save it as UTF-8."
    )


def _east_asian(data: bytes, any_letters: bool = False) -> list[str]:
    """Returns the East Asian encodings in whose script the text is, most likely first.

    Args:
      data: of the file.
      any_letters: whether it is sufficient that all letters belong to the script, however rare.
    """
    if len(data) > MAX_EVIDENCE:  # cut at a line end, so that no character is split
        data = data[: data.rfind(b"\n", 0, MAX_EVIDENCE) + 1]
    found = {}
    for page, (common, least) in EAST_ASIAN.items():
        try:
            text = data.decode(page)
        except UnicodeDecodeError:
            continue
        letters = [c for c in text if not c.isascii() and c.isalpha()]
        share = len(re.findall(common, text)) / max(1, len(letters)) / least
        if len(letters) > 1 and (share >= 1 or (any_letters and min(letters) >= "\u3041")):
            found[page] = share
    return sorted(found, key=lambda page: -found[page])


def _words(data: bytes) -> tuple[int, list[bytes]]:
    """Returns the number of words, and the words with a non-ASCII byte."""
    words = re.findall(rb"[A-Za-z\x80-\xff]+", data)
    marked = [word for word in words if not word.isascii()]
    if len(marked) > MAX_EVIDENCE // 10:  # sample both in the same proportion
        step = 1 + len(marked) * 10 // MAX_EVIDENCE
        return len(words) // step, marked[::step]
    return len(words), marked


def _likelihood(text: str, words: int, marked: int, share: float, letters: str) -> float:
    """Returns the log-likelihood of words in a language, from their non-ASCII letters."""
    counts = {each[0]: float(each[1:]) for each in letters.split()}
    total = sum(counts.values())
    result = marked * math.log(share) + (words - marked) * math.log(1 - share)
    for letter, times in Counter(text.lower()).items():
        if not letter.isascii():
            sign = letter in SIGNS
            chance = 0.05 if sign else counts.get(letter, 0) / total or STRANGE
            result += times * math.log(chance)
    return result - 5 * sum(map(_is_strange, text.split(" ")))


def _is_strange(word: str) -> bool:
    """Whether a word is implausible: it mixes scripts, or has punctuation or capitals inside."""
    import unicodedata

    scripts = {unicodedata.name(c, "?").split(" ")[0] for c in word if c.isalpha()}
    inside = re.search(r"[^\W\d_][^\w\s'’\u00a0\u00ad-][^\W\d_]", word)
    capital = re.search(r"[a-zà-öø-ÿ][^\Wa-z\d_]", word)
    return len(scripts) > 1 or bool(inside) or bool(capital and capital[0][1].isupper())


def _is_sensible(text: str) -> bool:
    words = text.split(" ")
    return sum(map(_is_strange, words)) <= 0.1 * len(words)


def _is_western(text: str, words: int) -> bool:
    """Whether the words with non-ASCII letters are few, or Western European."""
    letters = [c for c in text.lower() if not c.isascii() and c.isalpha()]
    marked = text.split(" ")
    runs = sum(bool(re.search(r"[À-ÖØ-öø-ÿ]{4}", word)) for word in marked)  # of other scripts
    if not _is_sensible(text) or runs > 0.02 * len(marked):
        return False
    rare = len(marked) < 0.04 * words
    return rare or sum(c in LETTERS for c in letters) >= 0.97 * len(letters)


def _word(line: bytes, page: str) -> str:
    """Returns the first word of a line that has a non-ASCII byte."""
    marked = _words(line)[1]
    return _softly(marked[0], page) if marked else ""


def _softly(data: bytes, page: str) -> str:
    return data.decode(page, errors="replace")


def _guesses(data: bytes) -> list[str]:
    """Returns the encodings that charset-normalizer detects, most likely first."""
    from charset_normalizer import from_bytes

    found = [match.encoding for match in from_bytes(data[:MAX_EVIDENCE])]
    return [page for page in found if not page.startswith("utf")][:2]
