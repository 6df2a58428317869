// Raw texts to tagged tokens and entities, for an export of a tagger: C++17, beside reader.h.
//
//   zoo::TagReader reader(zoo::read("model.json"));
//   std::vector<zoo::Token> tokens = reader.tokens("Maria Keller flew to Lisbon.");  // UTF-8
//   zoo::TagInputs inputs = reader.inputs(tokens);   // for ONNX Runtime or LiteRT, int32
//   std::vector<std::string> tags = reader.tags(output, tokens.size());
//   std::vector<zoo::Entity> found = zoo::TagReader::entities(text, tokens, tags);
//
// Give the network at most reader.window tokens at once. Places in a text count characters.
#pragma once
#include <array>
#include <cmath>
#include <limits>

#include "reader.h"

namespace zoo {

struct Token { std::string text; size_t start, end; };
struct Entity { std::string label, text; size_t start, end; };
struct TagInputs {
  std::vector<int> words, characters, casing;  // (1, n), (1, n, max_characters), (1, n)
};

class TagReader {
 public:
  size_t window;

  explicit TagReader(const std::string& json) {
    Json about = Json::parse(json);
    const Json& rules = about["tokenizer"];
    unicode_.take(rules);
    window = size_t(rules["window"].number);
    max_bytes_ = size_t(rules["max_bytes"].number);
    max_words_ = size_t(rules["max_words"].number);
    max_characters_ = size_t(rules["max_characters"].number);
    for (auto& word : rules["words"].items) words_.emplace(word.text, int(words_.size()) + 2);
    for (auto& each : rules["characters"].items)
      letters_.emplace(decode(each.text)[0], int(letters_.size()) + 4);
    const char* names[] = {"letter", "number", "mark", "format", "space", "cjk", "upper", "lower",
                           "punctuation"};
    for (size_t bit = 0; bit < classes_.size(); bit++)
      classes_[bit] = rules["classes"][names[bit]].codes();
    for (auto& title : rules["titles"].items) titles_.push_back(title.text);
    for (auto& tag : rules["bio"].items) bio_.push_back(tag.text);
    for (auto& row : rules["follows"].items) follows_.push_back(row.codes());
    first_ = rules["first"].codes();
  }

  std::vector<Token> tokens(const std::string& text) const {
    const Codes codes = decode(first_bytes(text, max_bytes_));
    std::vector<Token> made;
    for (auto [start, end] : split(codes)) {
      Codes part(codes.begin() + start, codes.begin() + end);
      bool seen = !unicode_.normalises;
      for (uint32_t code : part) seen = seen || is_seen(code);
      if (seen && made.size() < max_words_) made.push_back({encode(part), start, end});
    }
    return made;
  }

  TagInputs inputs(const std::vector<Token>& tokens) const {
    TagInputs made;
    const size_t room = max_characters_ - 2, head = room / 2;
    for (auto& token : tokens) {
      Codes text = clean(decode(token.text));
      std::string lower = encode(unicode_.lower(text)), shape = lower;
      for (char& c : shape) if (c >= '0' && c <= '9') c = '0';
      auto found = words_.find(lower);
      if (found == words_.end()) found = words_.find(shape);
      made.words.push_back(found == words_.end() ? 1 : found->second);
      made.casing.push_back(casing(text));
      if (text.size() > room) text.erase(text.begin() + head, text.end() - (room - head));
      const size_t end = made.characters.size() + max_characters_;
      made.characters.push_back(3);
      for (uint32_t code : text) {
        auto letter = letters_.find(code);
        made.characters.push_back(letter == letters_.end() ? 2 : letter->second);
      }
      made.characters.push_back(3);
      made.characters.resize(end, 1);
    }
    return made;
  }

  // The best legal tags of so many tokens (Viterbi), of the network's output for them:
  // probabilities of tags, or scores of a tag behind another one.
  std::vector<std::string> tags(const std::vector<float>& output, size_t steps) const {
    const size_t size = bio_.size();
    const bool is_pairs = output.size() == steps * size * size;
    std::vector<float> before(size);
    std::vector<std::vector<size_t>> origins;
    for (size_t t = 0; t < steps; t++) {
      std::vector<float> next(size, -std::numeric_limits<float>::infinity());
      std::vector<size_t> origin(size);
      for (size_t j = 0; j < size; j++)
        for (size_t i = 0; i < size; i++) {
          float score = is_pairs ? output[(t * size + i) * size + j]
                                 : std::log(std::max(output[t * size + j], 1e-30f));
          if (!(t ? follows_[i][j] : first_[j])) score += -1e4f;
          if (float way = before[i] + score; way > next[j]) { next[j] = way; origin[j] = i; }
        }
      const float most = *std::max_element(next.begin(), next.end());
      for (size_t j = 0; j < size; j++) before[j] = next[j] - most;
      origins.push_back(origin);
    }
    size_t tag = std::max_element(before.begin(), before.end()) - before.begin();
    std::vector<std::string> found(steps);
    for (size_t t = steps; t--; tag = origins[t][tag]) found[t] = bio_[tag];
    return found;
  }

  static std::vector<Entity> entities(const std::string& text, const std::vector<Token>& tokens,
                                      const std::vector<std::string>& tags) {
    const Codes codes = decode(text);
    std::vector<Entity> found;
    bool open = false;
    for (size_t i = 0; i < tags.size(); i++) {
      if (tags[i] == "O") { open = false; continue; }
      const std::string label = tags[i].substr(2);
      if (!open || tags[i][0] != 'I' || label != found.back().label)
        found.push_back({label, "", tokens[i].start, 0});
      open = true;
      found.back().end = tokens[i].end;
    }
    for (auto& each : found)
      each.text = encode({codes.begin() + each.start, codes.begin() + each.end});
    return found;
  }

 private:
  enum { LETTER = 1, NUMBER = 2, MARK = 4, FORMAT = 8, SPACE = 16, CJK = 32, UPPER = 64,
         LOWER = 128, PUNCTUATION = 256, WORD = LETTER | NUMBER | MARK | FORMAT };
  using Kinds = std::vector<int>;

  Unicode unicode_;
  size_t max_bytes_, max_words_, max_characters_;
  std::unordered_map<std::string, int> words_;
  std::unordered_map<uint32_t, int> letters_;
  std::array<Codes, 9> classes_;
  std::vector<std::string> titles_, bio_;
  std::vector<Codes> follows_;
  Codes first_;

  int kind(uint32_t code) const {  // the classes of a character, a bit each
    int bits = 0;
    for (size_t bit = 0; bit < classes_.size(); bit++)
      bits |= Unicode::within(classes_[bit], code) << bit;
    return bits & SPACE ? int(SPACE) : bits;
  }
  Kinds kinds_of(const Codes& codes) const {
    Kinds kinds;
    for (uint32_t code : codes) kinds.push_back(kind(code));
    return kinds;
  }
  bool is_seen(uint32_t code) const {
    return !unicode_.in("parting", code) && !unicode_.in("invisible", code);
  }

  Codes clean(const Codes& token) const {  // written in one way, where the model was trained so
    if (!unicode_.normalises) return token;
    Codes seen;
    for (uint32_t code : token) if (is_seen(code)) seen.push_back(code);
    Codes made = unicode_.compose(seen);
    for (uint32_t& code : made)
      if (std::count(unicode_.apostrophes.begin(), unicode_.apostrophes.end(), code)) code = '\'';
    return made;
  }

  int casing(const Codes& token) const {
    const Kinds kinds = kinds_of(token);
    auto all = [&](int bits, size_t from = 0) {
      return std::all_of(kinds.begin() + from, kinds.end(), [&](int k) { return k & bits; });
    };
    auto any = [&](int bits) {
      return std::any_of(kinds.begin(), kinds.end(), [&](int k) { return k & bits; });
    };
    size_t digits = 0;
    for (uint32_t code : token) digits += code >= '0' && code <= '9';
    if (!any(LETTER)) return digits ? (digits == token.size() ? 1 : 2) : 3;
    const bool upper = kinds[0] & UPPER;
    if (all(LOWER)) return 4;
    if (upper && all(LOWER, 1)) return token.size() > 1 ? 6 : 5;
    if (all(UPPER | MARK)) return 7;
    if (all(UPPER | NUMBER | PUNCTUATION)) return 8;
    return upper ? 9 : any(UPPER) ? 11 : 10;
  }

  // Where each token starts and ends.
  std::vector<std::pair<size_t, size_t>> split(const Codes& text) const {
    const size_t size = text.size();
    const Kinds kinds = kinds_of(text);
    std::vector<int> cuts(size + 1);  // tokens end before these characters
    // Every sign alone, and every Chinese or Japanese letter, with the marks that belong to it.
    for (bool cjk : {false, true})
      for (size_t i = 0, end; i < size; i = end) {
        end = i + 1;
        if (cjk ? !(kinds[i] & CJK) : kinds[i] & (WORD | SPACE)) continue;
        while (end < size && kinds[end] & (MARK | FORMAT)) end++;
        cuts[i]++;
        cuts[end]++;
      }
    join(text, kinds, cuts);
    std::vector<std::pair<size_t, size_t>> found;
    for (size_t i = 0, end; i < size; i = end) {
      end = i + 1;
      if (kinds[i] & SPACE) continue;
      while (end < size && !(kinds[end] & SPACE) && !cuts[end]) end++;
      found.emplace_back(i, end);
    }
    return found;
  }

  static bool is_one_of(uint32_t code, const char32_t* codes) {
    for (; *codes; codes++) if (code == *codes) return true;
    return false;
  }

  // Takes cuts back, and makes those of contractions.
  void join(const Codes& text, const Kinds& kinds, std::vector<int>& cuts) const {
    const size_t size = text.size();
    auto is = [&](size_t i, int bits) { return i < size && kinds[i] & bits; };
    auto ends = [&](size_t i) { return i == size || kinds[i] & SPACE || cuts[i]; };
    auto equal = [&](size_t i, const std::string& ending) {  // ſ is an s
      if (i + ending.size() > size) return false;
      for (char c : ending) {
        uint32_t code = text[i++];
        bool same = code == uint32_t(c) || code + 32 == uint32_t(c);
        if (!same && !(c == 's' && code == 0x17F)) return false;
      }
      return true;
    };
    for (size_t many : {3, 2})  // ... and --
      for (size_t i = 0; i + many <= size; i++) {
        bool run = cuts[i] && cuts[i + many];
        for (size_t n = 0; n < many; n++)
          run = run && text[i + n] == uint32_t(many == 3 ? '.' : '-') && (!n || cuts[i + n] == 2);
        if (!run) continue;
        std::fill(cuts.begin() + i + 1, cuts.begin() + i + many, 0);
        i += many - 1;
      }
    for (int bits : {int(NUMBER), int(WORD)})  // 1,000 and O'Brien
      for (size_t i = 1; i + 1 < size; i++)
        if (cuts[i] && cuts[i + 1] && is(i - 1, bits) && is(i + 1, bits)
            && is_one_of(text[i], bits == NUMBER ? U".,:/" : U"'\u2019.&@_-"))
          cuts[i] = cuts[i + 1] = 0;
    for (size_t i = 0; i < size; i++) {  // U.S.  J.  St.
      if (text[i] != '.' || cuts[i] != 1 || !cuts[i + 1]) continue;
      size_t start = i;
      while (start && !is(start - 1, SPACE) && (start == i || !cuts[start])) start--;
      bool initials = (i - start) % 2;
      for (size_t n = start; n < i; n++)
        initials = initials && ((n - start) % 2 ? text[n] == '.' : is(n, LETTER));
      const std::string title = encode({text.begin() + start, text.begin() + i});
      if (initials || std::count(titles_.begin(), titles_.end(), title)) cuts[i] = 0;
    }
    for (size_t i = 0; i < size; i++)  // @name  #topic
      if (is_one_of(text[i], U"@#") && (!i || is(i - 1, SPACE) || cuts[i]) && cuts[i + 1] == 1
          && is(i + 1, WORD)) cuts[i + 1] = 0;
    for (size_t i = 0; i < size; i++) {  // they 're
      if (!is_one_of(text[i], U"'\u2019")) continue;
      for (const std::string ending : {"s", "re", "ve", "ll", "d", "m"})
        if (equal(i + 1, ending) && ends(i + 1 + ending.size())) { cuts[i]++; cuts[i + 1] = 0; }
    }
    for (size_t i = 1; i < size; i++)  // did n't
      if (is_one_of(text[i], U"'\u2019") && equal(i - 1, "n") && equal(i + 1, "t") && !cuts[i]
          && !cuts[i + 1] && ends(i + 2)) cuts[i - 1]++;
  }
};

}  // namespace zoo
