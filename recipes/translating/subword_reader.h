// Raw texts to their translations, for an export of a translator: C++17, beside reader.h.
//
//   zoo::SubwordReader reader(zoo::read("model.json"));
//   zoo::Translation found = reader.translate(encode, step, "A man rides a horse.");  // UTF-8
//
// `encode` and `step` are your functions, which ask encode.onnx and step.onnx, or .tflite: see
// zoo::Encode and zoo::Step. The answer is that of a SavedModel. `read`, `search` and `join` are
// the steps to it.
#pragma once
#include <cmath>
#include <functional>
#include <limits>

#include "reader.h"

namespace zoo {

struct Tensor {  // of any type, as the network has it in memory; the first axis is the rows
  std::vector<char> bytes;
  std::vector<int64_t> shape;
};
using State = std::map<std::string, Tensor>;  // by name, without ONNX' `next_`

// Takes `source`, int32 (1, ids); returns all outputs.
using Encode = std::function<State(const std::vector<int32_t>& source)>;
// Takes `previous`, int32 (beam), and the other inputs; replaces what is new of these, and returns
// `logits`, float32 (beam, ids).
using Step = std::function<std::vector<float>(const std::vector<int32_t>& previous, State& state)>;

struct Source { std::vector<int32_t> ids; float unknown_words, novelty; };
struct Found { std::vector<int32_t> ids; float score; bool complete; };
struct Translation {
  std::string translation;
  float score, unknown_words, novelty;
  bool complete, unusual;
};

class SubwordReader {
 public:
  explicit SubwordReader(const std::string& json) {
    Json about = Json::parse(json);
    const Json& rules = about["tokenizer"];
    unicode_.take(rules);
    letters_ = rules["letters"].codes();
    format_ = rules["format"].codes();
    for (auto& piece : rules["source"].items) {
      ids_.emplace(piece.text, int32_t(ids_.size()) + RESERVED);
      longest_ = std::max(longest_, decode(piece.text).size());
    }
    for (auto& piece : rules["target"].items) target_.push_back(piece.text);
    max_pieces_ = size_t(rules["max_pieces"].number);
    max_bytes_ = size_t(rules["max_bytes"].number);
    beam_ = size_t(rules["beam"].number);
    penalty_ = float(rules["penalty"].number);
    for (auto& each : rules["unusual"].items)
      if (!each.items[2].null)
        limits_.push_back({each.items[0].text, each.items[1].text == "high",
                           float(each.items[2].number)});
  }

  // What is read of a text: ids, with END where it was read to its end; and how new it is.
  Source read(const std::string& text) const {
    std::vector<Codes> words = split(first_bytes(text, max_bytes_));
    words.resize(std::min(words.size(), max_pieces_ + 1));  // a word is a piece or more
    Source made{};
    size_t unknown = 0, size = FURTHER;
    for (auto& word : words) {
      std::vector<int32_t> pieces = cut(word);
      unknown += pieces.size() != 1 || pieces[0] == UNKNOWN;
      size += word.size();
      made.ids.insert(made.ids.end(), pieces.begin(), pieces.end());
    }
    made.unknown_words = float(unknown) / float(std::max<size_t>(words.size(), 1));
    made.novelty = float(made.ids.size()) / float(size);
    const bool whole = text.size() <= max_bytes_ && made.ids.size() <= max_pieces_;
    made.ids.resize(std::min(made.ids.size(), max_pieces_));
    if (whole) made.ids.push_back(END);
    return made;
  }

  // The text of ids, without what is no piece.
  std::string join(const std::vector<int32_t>& ids) const {
    std::string joined, text;
    for (int32_t id : ids) if (id >= RESERVED) joined += target_.at(id - RESERVED);
    for (uint32_t code : decode(joined)) put(code == SPACE ? ' ' : code, text);
    return stripped(text);
  }

  // Looks for the translation of the highest score: a beam search, with a beam of 1 a greedy one.
  // The state has one row here. A beam of 0 is that of the model.
  Found search(const Step& step, State state, size_t limit, size_t beam = 0) const {
    if (!beam) beam = beam_;
    std::vector<Hypothesis> beams(beam), next;
    for (size_t row = 1; row < beam; row++) beams[row].total = IMPOSSIBLE;  // not possible yet
    take(state, std::vector<size_t>(beam));
    for (size_t time = 1; time <= limit; time++, beams.swap(next)) {
      std::vector<int32_t> previous;
      bool done = true;
      for (auto& each : beams) {
        previous.push_back(each.ids.empty() ? BEGIN : each.ids.back());
        done = done && each.done;
      }
      if (done) break;
      const std::vector<float> logits = step(previous, state);
      const size_t size = logits.size() / beam;
      std::vector<Way> best;  // of equal ones, the first
      for (size_t row = 0; row < beam; row++) {
        std::vector<float> logs(logits.begin() + row * size, logits.begin() + (row + 1) * size);
        log_probabilities(logs);
        if (beams[row].done) {  // has one continuation: padding, with log-probability 0
          std::fill(logs.begin(), logs.end(), IMPOSSIBLE);
          logs[PADDING] = 0;
        }
        const float divided = divisor(beams[row].done ? beams[row].length() : time);
        auto before = [](const Way& one, const Way& two) { return one.score > two.score; };
        for (size_t id = 0; id < size; id++) {
          const float sum = beams[row].total + logs[id];
          const Way way{row, int32_t(id), sum, sum / divided};
          if (best.size() == beam && !before(way, best.back())) continue;
          best.insert(std::upper_bound(best.begin(), best.end(), way, before), way);
          best.resize(std::min(best.size(), beam));
        }
      }
      next.clear();
      std::vector<size_t> rows;
      for (auto& way : best) {
        next.push_back(beams[way.row]);
        next.back().total = way.total;
        next.back().ids.push_back(way.id);
        next.back().done = next.back().done || way.id == END;
        rows.push_back(way.row);
      }
      take(state, rows);
    }
    Found found{};
    float highest = -std::numeric_limits<float>::infinity();
    for (auto& each : beams) {
      const bool complete = std::count(each.ids.begin(), each.ids.end(), END);
      const float score = each.total / divisor(each.length());
      const float order = score + (complete ? 0 : INCOMPLETE);
      if (order > highest) { highest = order; found = {each.ids, score, complete}; }
    }
    auto is_no_piece = [](int32_t id) { return id == PADDING || id == END; };
    found.ids.erase(std::remove_if(found.ids.begin(), found.ids.end(), is_no_piece),
                    found.ids.end());
    return found;
  }

  Translation translate(const Encode& encode, const Step& step, const std::string& text,
                        size_t beam = 0) const {
    const Source source = read(text);
    const bool whole = !source.ids.empty() && source.ids.back() == END;
    const size_t pieces = source.ids.size() - whole;
    Found found{{}, 0, true};
    if (pieces) found = search(step, encode(source.ids), 2 * pieces + 10, beam);
    Translation made{join(found.ids), found.score, source.unknown_words, source.novelty,
                     found.complete && whole, false};
    for (auto& limit : limits_) {
      const float value = limit.name == "score" ? made.score
                          : limit.name == "novelty" ? made.novelty : made.unknown_words;
      made.unusual = made.unusual || (limit.high ? value > limit.value : value < limit.value);
    }
    return made;
  }

 private:
  static constexpr int32_t PADDING = 0, UNKNOWN = 1, BEGIN = 2, END = 3, RESERVED = 4;
  static constexpr uint32_t SPACE = 0x2581;  // ▁
  static constexpr size_t FURTHER = 10;  // characters that count with those of a text, in novelty
  static constexpr float IMPOSSIBLE = -1e9f;  // a log-probability
  static constexpr float INCOMPLETE = -1e6f;  // added to the score of what has no end

  struct Hypothesis {
    std::vector<int32_t> ids;
    float total = 0;
    bool done = false;
    size_t length() const { return ids.size() - std::count(ids.begin(), ids.end(), PADDING); }
  };
  struct Way { size_t row; int32_t id; float total, score; };
  struct Limit { std::string name; bool high; float value; };

  Unicode unicode_;
  Codes letters_, format_;
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<std::string> target_;
  std::vector<Limit> limits_;
  size_t longest_ = 0, max_pieces_, max_bytes_, beam_;
  float penalty_;

  static std::string stripped(const std::string& text) {
    const size_t first = text.find_first_not_of(' ');
    return first == std::string::npos ? ""
                                      : text.substr(first, text.find_last_not_of(' ') + 1 - first);
  }

  // The words and signs of a text; one that stands behind a space begins with a ▁.
  std::vector<Codes> split(const std::string& text) const {
    Codes clean;
    for (uint32_t code : unicode_.normalise(decode(text))) {
      if (Unicode::within(format_, code)) continue;
      if (unicode_.in("space", code)) code = ' ';
      if (code != ' ' || (!clean.empty() && clean.back() != ' '))
        clean.push_back(code == SPACE ? '_' : code);
    }
    clean = decode(stripped(encode(unicode_.lower(clean))));
    std::vector<Codes> words;
    for (size_t i = 0, end; i < clean.size(); i = end) {
      Codes word;
      if (i == 0 || clean[i] == ' ') word.push_back(SPACE);
      if (clean[i] == ' ') i++;
      for (end = i; end < clean.size() && Unicode::within(letters_, clean[end]);) end++;
      if (end == i) end++;  // a sign
      else if (end < clean.size() && (clean[end] == '\'' || clean[end] == 0x2019)) end++;
      word.insert(word.end(), clean.begin() + i, clean.begin() + end);
      words.push_back(word);
    }
    return words;
  }

  // The ids of the longest pieces of a word, from the left.
  std::vector<int32_t> cut(const Codes& word) const {
    const size_t size = std::min(word.size(), longest_ * (max_pieces_ + 1));
    std::vector<int32_t> found;
    for (size_t start = 0, end; start < size && found.size() <= max_pieces_; start = end) {
      auto piece = ids_.end();
      for (end = std::min(start + longest_, size);; end--) {
        piece = ids_.find(encode({word.begin() + start, word.begin() + end}));
        if (piece != ids_.end() || end == start + 1) break;
      }
      found.push_back(piece == ids_.end() ? UNKNOWN : piece->second);
    }
    return found;
  }

  static void log_probabilities(std::vector<float>& logits) {
    logits[PADDING] = logits[UNKNOWN] = logits[BEGIN] = IMPOSSIBLE;
    const float highest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (float each : logits) sum += std::exp(double(each) - highest);
    for (float& each : logits) each = each - highest - float(std::log(sum));
  }

  // What a log-probability is divided by, to be a score.
  float divisor(size_t length) const {
    return std::pow(float(std::max<size_t>(length, 1)), penalty_);
  }

  // Of each tensor, these rows.
  static void take(State& state, const std::vector<size_t>& rows) {
    for (auto& [name, tensor] : state) {
      const size_t size = tensor.bytes.size() / size_t(tensor.shape[0]);
      std::vector<char> taken;
      for (size_t row : rows)
        taken.insert(taken.end(), tensor.bytes.begin() + row * size,
                     tensor.bytes.begin() + (row + 1) * size);
      tensor.bytes.swap(taken);
      tensor.shape[0] = int64_t(rows.size());
    }
  }
};

}  // namespace zoo
