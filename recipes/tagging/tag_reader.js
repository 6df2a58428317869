// Raw texts to tagged tokens and entities, by an export of a tagger, in browsers and Node.
//
//   const about = JSON.parse(…the text of model.json…)
//   const tagger = tagReader(about)                  // reader.js lies beside this file
//   const session = await ort.InferenceSession.create("model.onnx")
//   await tagger.predict(ort, session, "Maria Keller flew to Lisbon.")
//
// The answer has `tokens` with `start` and `end`, in characters (not in units of UTF-16); their
// `tags`; and `entities`. `tokens`, `inputs` and `tags` are the steps to it, for other runtimes.
"use strict";

function tagReader(about) {
  const rules = about.tokenizer, kindOf = new Map();
  const shared =
    typeof require === "undefined" ? { unicode, firstBytes } : require("./reader.js");
  const { lower, compose } = shared.unicode(rules);
  const names =
    ["letter", "number", "mark", "format", "space", "cjk", "upper", "lower", "punctuation"];
  const [LETTER, NUMBER, MARK, FORMAT, SPACE, CJK, UPPER, LOWER, PUNCTUATION] =
    names.map((_, bit) => 1 << bit);
  const WORD = LETTER | NUMBER | MARK | FORMAT;
  const words = new Map(rules.words.map((word, number) => [word, number + 2]));
  const letters = new Map(rules.characters.map((letter, number) => [letter, number + 4]));
  const unseen = new Set([...each(rules.parting ?? []), ...each(rules.invisible ?? [])]);
  const quotes = new Set((rules.apostrophes ?? []).map((code) => String.fromCodePoint(code)));

  function* each(flat) {
    for (let i = 0; i < flat.length; i += 2) for (let c = flat[i]; c <= flat[i + 1]; c++) yield c;
  }

  function within(code, flat) {
    let low = 0, high = flat.length; // how many are not greater
    while (low < high) {
      const middle = (low + high) >> 1;
      if (flat[middle] <= code) low = middle + 1; else high = middle;
    }
    return low % 2 === 1 || (low > 0 && flat[low - 1] === code);
  }

  function kind(character) { // the classes of a character, a bit each
    if (!kindOf.has(character)) {
      const code = character.codePointAt(0);
      const bits = names.reduce((all, n, bit) => all | within(code, rules.classes[n]) << bit, 0);
      kindOf.set(character, bits & SPACE ? SPACE : bits);
    }
    return kindOf.get(character);
  }

  // The characters of a text that are read, and where each token starts and ends in them.
  function split(text) {
    const bytes = new TextEncoder().encode(text); // half a pair of surrogates becomes U+FFFD
    const chars = Array.from(shared.firstBytes(bytes, rules.max_bytes));
    const kinds = chars.map(kind), count = chars.length;
    const cuts = new Int32Array(count + 1); // tokens end before these characters
    // Every sign alone, and every Chinese or Japanese letter, with the marks that belong to it.
    for (const opens of [(k) => !(k & (WORD | SPACE)), (k) => k & CJK]) {
      for (let i = 0, end; i < count; i = end) {
        end = i + 1;
        if (!opens(kinds[i])) continue;
        while (end < count && kinds[end] & (MARK | FORMAT)) end++;
        cuts[i]++;
        cuts[end]++;
      }
    }
    join(chars, kinds, cuts);
    const spans = [];
    let start = -1;
    for (let i = 0; i <= count; i++) {
      const space = i === count || kinds[i] & SPACE;
      if (start >= 0 && (space || cuts[i])) { spans.push([start, i]); start = -1; }
      if (start < 0 && !space) start = i;
    }
    return [chars, spans];
  }

  // Takes cuts back, and makes those of contractions.
  function join(chars, kinds, cuts) {
    const count = chars.length, signs = [];
    kinds.forEach((k, i) => { if (!(k & (WORD | SPACE))) signs.push(i); });
    const isSpace = (i) => i === count || kinds[i] & SPACE;
    const ends = (i) => isSpace(i) || cuts[i];
    const plain = (from, to) => chars.slice(from, to).join("").toLowerCase().replaceAll("ſ", "s");
    for (const [sign, many] of [[".", 3], ["-", 2]]) { // ... and --
      for (let i = 0; i + many <= count; i++) {
        const run = cuts[i] && cuts[i + many] && chars.slice(i, i + many).every((c) => c === sign);
        if (run && cuts.subarray(i + 1, i + many).every((cut) => cut === 2)) {
          cuts.fill(0, i + 1, i + many);
          i += many - 1;
        }
      }
    }
    for (const [bits, inside] of [[NUMBER, ".,:/"], [WORD, "'’.&@_-"]]) { // 1,000 and O'Brien
      for (const i of signs) {
        if (kinds[i - 1] & bits && kinds[i + 1] & bits && inside.includes(chars[i])
            && cuts[i] && cuts[i + 1]) cuts[i] = cuts[i + 1] = 0;
      }
    }
    for (const i of signs) { // U.S.  J.  St.
      if (chars[i] !== "." || cuts[i] !== 1 || !cuts[i + 1]) continue;
      let start = i;
      while (start && !(kinds[start - 1] & SPACE) && (start === i || !cuts[start])) start--;
      const initials = (i - start) % 2 && chars.slice(start, i)
        .every((c, n) => n % 2 ? c === "." : kind(c) & LETTER);
      if (initials || rules.titles.includes(chars.slice(start, i).join(""))) cuts[i] = 0;
    }
    for (const i of signs) { // @name  #topic
      const begins = !i || kinds[i - 1] & SPACE || cuts[i];
      if ("@#".includes(chars[i]) && begins && cuts[i + 1] === 1 && kinds[i + 1] & WORD) {
        cuts[i + 1] = 0;
      }
    }
    const apostrophes = signs.filter((i) => "'’".includes(chars[i]));
    for (const i of apostrophes) { // they 're
      for (const ending of ["s", "re", "ve", "ll", "d", "m"]) {
        const after = i + 1 + ending.length;
        if (after > count || plain(i + 1, after) !== ending || !ends(after)) continue;
        cuts[i]++;
        cuts[i + 1] = 0;
      }
    }
    for (const i of apostrophes) { // did n't
      const both = i > 0 && plain(i - 1, i) === "n" && plain(i + 1, i + 2) === "t";
      if (both && !cuts[i] && !cuts[i + 1] && ends(i + 2)) cuts[i - 1]++;
    }
  }

  const isSeen = (c) => !unseen.has(c.codePointAt(0));

  function tokens(text) {
    const [chars, spans] = split(text);
    return spans
      .map(([start, end]) => ({ text: chars.slice(start, end).join(""), start, end }))
      .filter((token) => !rules.parting || Array.from(token.text).some(isSeen))
      .slice(0, rules.max_words);
  }

  function clean(token) { // written in one way, where the model was trained so
    if (!rules.marks) return token;
    const composed = compose(Array.from(token).filter(isSeen).join(""));
    return Array.from(composed, (c) => quotes.has(c) ? "'" : c).join("");
  }

  function casing(chars) {
    const kinds = chars.map(kind), digits = chars.filter((c) => c >= "0" && c <= "9").length;
    const all = (bits, from = 0) => kinds.slice(from).every((k) => k & bits);
    if (!kinds.some((k) => k & LETTER)) return digits ? (digits === chars.length ? 1 : 2) : 3;
    const upper = kinds[0] & UPPER;
    if (all(LOWER)) return 4;
    if (upper && all(LOWER, 1)) return chars.length > 1 ? 6 : 5;
    if (all(UPPER | MARK)) return 7;
    if (all(UPPER | NUMBER | PUNCTUATION)) return 8;
    return upper ? 9 : kinds.some((k) => k & UPPER) ? 11 : 10;
  }

  // What the network reads: words and casing (1, tokens), characters (1, tokens, max_characters).
  function inputs(tokens) {
    const room = rules.max_characters - 2, head = room >> 1;
    const made = { words: [], characters: [], casing: [] };
    for (const token of tokens) {
      const text = clean(token.text), chars = Array.from(text), low = lower(text);
      made.words.push(words.get(low) ?? words.get(low.replace(/[0-9]/g, "0")) ?? 1);
      made.casing.push(casing(chars));
      const kept = chars.length > room
        ? [...chars.slice(0, head), ...chars.slice(chars.length - room + head)] : chars;
      const spelt = [3, ...kept.map((letter) => letters.get(letter) ?? 2), 3];
      made.characters.push(...spelt, ...Array(rules.max_characters - spelt.length).fill(1));
    }
    return made;
  }

  // The best legal tags of so many tokens (Viterbi), of the network's output for them:
  // probabilities of tags, or scores of a tag behind another one.
  function tags(output, steps) {
    const size = rules.bio.length, isPairs = output.length === steps * size * size;
    const score = (t, i, j) => {
      const value = isPairs ? output[(t * size + i) * size + j]
        : Math.fround(Math.log(Math.max(output[t * size + j], 1e-30)));
      return Math.fround(value + ((t ? rules.follows[i][j] : rules.first[j]) ? 0 : -1e4));
    };
    let before = new Float32Array(size);
    const origins = [];
    for (let t = 0; t < steps; t++) {
      const next = new Float32Array(size).fill(-Infinity), origin = [];
      for (let j = 0; j < size; j++) {
        for (let i = 0; i < size; i++) {
          const way = Math.fround(before[i] + score(t, i, j));
          if (way > next[j]) { next[j] = way; origin[j] = i; }
        }
      }
      const most = Math.max(...next);
      before = next.map((value) => value - most);
      origins.push(origin);
    }
    const found = [];
    for (let t = steps - 1, tag = before.indexOf(Math.max(...before)); t >= 0; t--) {
      found[t] = rules.bio[tag];
      tag = origins[t][tag];
    }
    return found;
  }

  function entities(text, tokens, tags) {
    const chars = split(text)[0], found = [];
    [...tags, "O"].forEach((tag, i) => {
      const open = found.at(-1), label = tag.slice(2);
      if (open && !("text" in open)) {
        if (tag[0] === "I" && label === open.label) return;
        open.end = tokens[i - 1].end;
        open.text = chars.slice(open.start, open.end).join("");
      }
      if (tag !== "O") found.push({ label, start: tokens[i].start });
    });
    return found;
  }

  async function predict(ort, session, text) {
    const all = tokens(text), found = [];
    for (let i = 0; i < all.length; i += rules.window) {
      const part = all.slice(i, i + rules.window), given = {};
      for (const [name, ids] of Object.entries(inputs(part))) {
        const shape = [1, part.length, ...(name === "characters" ? [rules.max_characters] : [])];
        given[name] = new ort.Tensor("int32", Int32Array.from(ids), shape);
      }
      const [output] = Object.values(await session.run(given));
      found.push(...tags(output.data, part.length));
    }
    return { tokens: all, tags: found, entities: entities(text, all, found) };
  }

  return { tokens, inputs, tags, entities, predict };
}

if (typeof module !== "undefined") module.exports = { tagReader };
