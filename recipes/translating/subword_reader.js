// Raw texts to their translations, by an export of a translator, in browsers and Node.
//
//   const about = JSON.parse(…the text of model.json…)
//   const translator = subwordReader(about)          // reader.js lies beside this file
//   const encode = await ort.InferenceSession.create("encode.onnx")
//   const step = await ort.InferenceSession.create("step.onnx")
//   await translator.predict(ort, { encode, step }, "A man rides a horse.")
//
// The answer is that of a SavedModel: `translation`, `score`, `complete`, `unknown_words`,
// `novelty` and `unusual`. For other runtimes, `translate` takes the two networks as functions;
// `read`, `search` and `join` are the steps to it.
"use strict";

function subwordReader(about) {
  const rules = about.tokenizer, most = rules.max_pieces;
  const shared =
    typeof require === "undefined" ? { unicode, ranges, firstBytes } : require("./reader.js");
  const { lower, normalise } = shared.unicode(rules);
  const [PADDING, UNKNOWN, BEGIN, END, RESERVED] = [0, 1, 2, 3, 4]; // from 4 on, ids are pieces
  const FURTHER = 10; // characters that are counted with those of a text, in its novelty
  const IMPOSSIBLE = -1e9; // a log-probability
  const INCOMPLETE = -1e6; // added to the score of a translation without an end
  const { fround } = Math; // the graph computes in float32
  const ids = new Map(rules.source.map((piece, number) => [piece, number + RESERVED]));
  const longest = Math.max(...rules.source.map((piece) => Array.from(piece).length));
  const inside = (name) => shared.ranges(rules[name]);
  const format = new RegExp(`[${inside("format")}]`, "gu");
  const space = new RegExp(`[${inside("space")}]+`, "gu");
  const word = new RegExp(`▁?(?:[${inside("letters")}]+['’]?|[^▁])`, "gu");

  // The words and signs of a text; one that stands behind a space begins with a ▁.
  function split(text) {
    text = normalise(text).replaceAll("▁", "_").replace(format, "").replace(space, " ");
    text = lower(text).replace(/^ +| +$/g, "");
    return text ? `▁${text}`.replaceAll(" ", "▁").match(word) : [];
  }

  // The ids of the longest pieces of a word, from the left.
  function cut(chars) {
    const found = [], size = Math.min(chars.length, longest * (most + 1));
    for (let start = 0, end; start < size && found.length <= most; start = end) {
      let number;
      for (end = Math.min(start + longest, size); end > start; end--) {
        number = ids.get(chars.slice(start, end).join(""));
        if (number !== undefined || end === start + 1) break;
      }
      found.push(number ?? UNKNOWN);
    }
    return found;
  }

  // What is read of a text: ids, with END where it was read to its end; and how new it is.
  function read(text) {
    const bytes = new TextEncoder().encode(text); // half a pair of surrogates becomes U+FFFD
    const words = split(shared.firstBytes(bytes, rules.max_bytes)).slice(0, most + 1)
      .map((word) => Array.from(word)); // a word is a piece or more
    const cuts = words.map(cut), all = cuts.flat();
    const unknown = cuts.filter((pieces) => pieces.length !== 1 || pieces[0] === UNKNOWN).length;
    const size = words.reduce((sum, word) => sum + word.length, FURTHER);
    const ends = bytes.length <= rules.max_bytes && all.length <= most ? [END] : [];
    return {
      ids: [...all.slice(0, most), ...ends],
      unknown_words: fround(unknown / (words.length || 1)),
      novelty: fround(all.length / size),
    };
  }

  // The text of ids, without what is no piece.
  function join(ids) {
    const pieces = ids.filter((id) => id >= RESERVED).map((id) => rules.target[id - RESERVED]);
    return pieces.join("").replaceAll("▁", " ").replace(/^ +| +$/g, "");
  }

  // Of tensors by name, these rows.
  function take(tensors, rows) {
    return Object.fromEntries(Object.entries(tensors).map(([name, { type, data, dims }]) => {
      const size = data.length / dims[0], taken = new data.constructor(rows.length * size);
      rows.forEach((row, i) => taken.set(data.subarray(row * size, (row + 1) * size), i * size));
      return [name, { type, data: taken, dims: [rows.length, ...dims.slice(1)] }];
    }));
  }

  function logProbabilities(logits) {
    const logs = Float32Array.from(logits);
    logs[PADDING] = logs[UNKNOWN] = logs[BEGIN] = IMPOSSIBLE;
    const highest = logs.reduce((high, each) => Math.max(high, each));
    const sum = logs.reduce((sum, each) => sum + Math.exp(each - highest), 0);
    const rest = fround(Math.log(sum));
    return logs.map((each) => fround(each - highest) - rest);
  }

  // What a log-probability is divided by, to be a score.
  const divisorOf = (length) => fround(Math.pow(Math.max(length, 1), fround(rules.penalty)));
  const lengthOf = (ids) => ids.filter((id) => id !== PADDING).length;

  // Looks for the translation of the highest score: a beam search, with a beam of 1 a greedy one.
  // `step` takes the ids before, an Int32Array (beam), and the state; it gives (a promise of)
  // `logits`, (beam, ids), and what of the state is new. A state is tensors by name,
  // { type, data, dims }; here, it has one row.
  async function search(step, state, limit, beam = rules.beam) {
    const first = { total: 0, done: false, ids: [] }; // the others are not possible yet
    let beams = Array.from({ length: beam }, (_, i) => i ? { ...first, total: IMPOSSIBLE } : first);
    state = take(state, beams.map(() => 0));
    for (let time = 1; time <= limit && !beams.every((each) => each.done); time++) {
      const previous = Int32Array.from(beams, (each) => each.ids.at(-1) ?? BEGIN);
      const { logits, ...next } = await step(previous, state);
      const size = logits.data.length / beam, best = []; // of equal ones, the first
      beams.forEach(({ total, done, ids }, row) => {
        const logs = logProbabilities(logits.data.subarray(row * size, (row + 1) * size));
        // What has ended has one continuation: padding, with log-probability 0.
        if (done) logs.fill(IMPOSSIBLE)[PADDING] = 0;
        const divisor = divisorOf(done ? lengthOf(ids) : time);
        logs.forEach((log, id) => {
          const sum = fround(total + log), score = fround(sum / divisor);
          if (best.length === beam && !(score > best.at(-1).score)) return;
          let place = best.length;
          while (place && score > best[place - 1].score) place--;
          best.splice(place, 0, { row, id, sum, score });
          best.length = Math.min(best.length, beam);
        });
      });
      beams = best.map(({ row, id, sum }) => (
        { total: sum, done: beams[row].done || id === END, ids: [...beams[row].ids, id] }));
      // What the network does not give is the same in all rows, and stays so.
      state = { ...state, ...take(next, best.map(({ row }) => row)) };
    }
    const found = beams.map(({ total, ids }) => (
      { ids, score: fround(total / divisorOf(lengthOf(ids))), complete: ids.includes(END) }));
    const order = found.map(({ score, complete }) => fround(score + (complete ? 0 : INCOMPLETE)));
    const { ids, score, complete } = found[order.indexOf(Math.max(...order))];
    return { ids: ids.filter((id) => id !== PADDING && id !== END), score, complete };
  }

  // `encode` takes the ids of a text, an Int32Array, and gives the first state; `step` as above.
  async function translate(encode, step, text, beam = rules.beam) {
    const { ids, unknown_words, novelty } = read(text);
    const pieces = ids.filter((id) => id !== END).length;
    let found = { ids: [], score: 0, complete: true };
    if (pieces) {
      found = await search(step, await encode(Int32Array.from(ids)), 2 * pieces + 10, beam);
    }
    const numbers = { novelty, score: found.score, unknown_words };
    const unusual = rules.unusual.some(([name, kind, limit]) => limit !== null &&
      (kind === "high" ? numbers[name] > fround(limit) : numbers[name] < fround(limit)));
    const complete = found.complete && ids.includes(END);
    return { complete, translation: join(found.ids), unusual, ...numbers };
  }

  // By the sessions of ONNX Runtime.
  async function predict(ort, { encode, step }, text, beam = rules.beam) {
    const tensor = ({ type, data, dims }) => new ort.Tensor(type, data, dims);
    async function run(session, name, ids, dims, state) {
      const given = { [name]: { type: "int32", data: ids, dims }, ...state };
      for (const each in given) given[each] = tensor(given[each]);
      const found = Object.entries(await session.run(given));
      return Object.fromEntries(found.map(([name, each]) => [name.replace(/^next_/, ""), each]));
    }
    return translate(
      (ids) => run(encode, "source", ids, [1, ids.length], {}),
      (previous, state) => run(step, "previous", previous, [previous.length], state), text, beam);
  }

  return { read, search, join, translate, predict };
}

if (typeof module !== "undefined") module.exports = { subwordReader };
