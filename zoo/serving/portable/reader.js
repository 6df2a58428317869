// Turns text into what an exported model reads, in browsers and Node; and asks the model.
//
//   const about = JSON.parse(…the text of model.json…)
//   const encode = encoder(about.tokenizer)          // "What a film!" -> [74, 5, 21, 33]
//   const ort = require("onnxruntime-node")          // or onnxruntime-web
//   const session = await ort.InferenceSession.create("model.onnx")
//   await predict(ort, session, about, "What a film!")
"use strict";

function encoder(rules) {
  const kinds = { characters, words }; // other texts are not read by this file
  return rules && rules.kind in kinds ? kinds[rules.kind](rules) : null;
}

function characters(rules) {
  const ids = new Map(rules.symbols.map((symbol, number) => [symbol, number + 1]));
  return (text) => [...(rules.before + text)].filter((c) => ids.has(c)).map((c) => ids.get(c));
}

function words(rules) {
  const ids = new Map(rules.vocabulary.map((word, number) => [word, number + 2]));
  const split = splitter(rules);
  const most = rules.max_words, head = Math.floor(most / 4);
  return (text) => {
    let found = split(text);
    if (found.length > most) {
      found = [...found.slice(0, head), ...found.slice(found.length - most + head)];
    }
    return found.length ? found.map((word) => ids.get(word) ?? 1) : [1];
  };
}

// The inside of a class of a regular expression: first, last, first, last, … of code points.
function ranges(flat) {
  let made = "";
  for (let i = 0; i < flat.length; i += 2) {
    made += `\\u{${flat[i].toString(16)}}-\\u{${flat[i + 1].toString(16)}}`;
  }
  return made;
}

function splitter(rules) {
  const [letter, mark] = [ranges(rules.letter), ranges(rules.mark)];
  const space = new RegExp(`[${ranges(rules.space)}]+`, "gu");
  const sign = new RegExp(`[^${letter}${mark} ']`, "gu");
  const { lower, normalise } = unicode(rules);
  return (text) => {
    text = lower(normalise(shortened(text, rules.max_bytes)).replace(space, " "));
    text = text.replace(/<\/?[a-z][^<>]*>/g, " ").replace(sign, " $& ");
    return text.split(" ").filter((word) => word);
  };
}

// Of a text that is longer than so many bytes, the first quarter and the last three.
function shortened(text, most) {
  const bytes = new TextEncoder().encode(text); // half a pair of surrogates becomes U+FFFD
  if (bytes.length <= most) return firstBytes(bytes, most);
  const quarter = Math.floor(most / 4);
  const rest = bytes.slice(bytes.length - most + quarter);
  return firstBytes(bytes, quarter) + " " + decode(rest);
}

// The text of the first bytes: at most so many, but 4 may be; never a part of a character.
function firstBytes(bytes, most) {
  let end = Math.max(most, 4);
  while ((bytes[end] & 0xc0) === 0x80) end--;
  return decode(bytes.subarray(0, end));
}

function decode(bytes) {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

// What Unicode says, as the graph has it: lower case, normal form C, and how texts are normalised.
function unicode(rules) {
  const [cased, ignorable] = [ranges(rules.cased), ranges(rules.ignorable)];
  const sigma = new RegExp(`(?<=[${cased}][${ignorable}]*)Σ(?![${ignorable}]*[${cased}])`, "gu");
  const lowered = new Map(rules.lower.map(([code, ...to]) => [code, String.fromCodePoint(...to)]));
  const composed = new Map((rules.composed ?? []).map(([code, ...parts]) => [code, parts]));
  const marks = new Map(rules.marks);
  const pairs = new Map((rules.pairs ?? []).map(([one, two, c]) => [one * 2097152 + two, c]));

  function lower(text) {
    return Array.from(text.replace(sigma, "ς"), (c) => lowered.get(c.codePointAt(0)) ?? c).join("");
  }

  function pair(one, two) {
    if (one >= 0x1100 && one < 0x1113 && two >= 0x1161 && two < 0x1176) { // Korean
      return 0xac00 + ((one - 0x1100) * 21 + two - 0x1161) * 28;
    }
    const open = one >= 0xac00 && one < 0xd7a4 && (one - 0xac00) % 28 === 0;
    if (open && two > 0x11a7 && two < 0x11c3) return one + two - 0x11a7;
    return pairs.get(one * 2097152 + two);
  }

  // Takes characters apart, sorts marks, joins them.
  function compose(text) {
    const parts = Array.from(text, (c) => c.codePointAt(0)).flatMap((c) => composed.get(c) ?? [c]);
    for (let i = 1; i < parts.length; i++) {
      const kind = marks.get(parts[i]) ?? 0;
      for (let j = i; kind && j && (marks.get(parts[j - 1]) ?? 0) > kind; j--) {
        [parts[j - 1], parts[j]] = [parts[j], parts[j - 1]];
      }
    }
    const done = [];
    let letter = -1, last = 0;
    for (const code of parts) {
      const kind = marks.get(code) ?? 0;
      if (letter >= 0 && (letter === done.length - 1 || last < kind)) {
        const together = pair(done[letter], code);
        if (together !== undefined) { done[letter] = together; continue; }
      }
      if (kind === 0) letter = done.length;
      last = kind;
      done.push(code);
    }
    return done.map((code) => String.fromCodePoint(code)).join("");
  }

  return { lower, compose, normalise: rules.marks ? normaliser(rules, compose) : (text) => text };
}

// Omits what is invisible, composes, and writes apostrophes in one way.
function normaliser(rules, compose) {
  const [letter, mark] = [ranges(rules.letter), ranges(rules.mark)];
  const parting = new RegExp(`[${ranges(rules.parting)}]`, "gu");
  const invisible = new RegExp(`[${ranges(rules.invisible)}]`, "gu");
  const quotes = String.fromCodePoint(...rules.apostrophes);
  const inside = new RegExp(`(?<=[${letter}${mark}])[${quotes}](?=[${letter}])`, "gu");
  return (text) =>
    compose(text.replace(parting, " ").replace(invisible, "")).replace(inside, "'");
}

const encoders = new WeakMap(); // by `about`: to make one takes longer than to use it

async function predict(ort, session, about, text) {
  if (!encoders.has(about)) encoders.set(about, encoder(about.tokenizer));
  const ids = encoders.get(about)(text);
  const name = about.inputs[0];
  const tensor = new ort.Tensor("int32", Int32Array.from(ids), [1, ids.length]);
  const [output] = Object.values(await session.run({ [name]: tensor }));
  if (!about.labels) return output;
  const best = output.data.indexOf(Math.max(...output.data));
  const probabilities = Object.fromEntries(about.labels.map((label, i) => [label, output.data[i]]));
  return { label: about.labels[best], score: output.data[best], probabilities };
}

if (typeof module !== "undefined") {
  module.exports = { encoder, predict, unicode, ranges, firstBytes };
}
