// Turns text into what an exported model reads: C++17, no library needed.
//
//   zoo::Encoder encode(zoo::read("model.json"));
//   std::vector<int> ids = encode("What a film!");     // UTF-8
//
// Give the ids to ONNX Runtime or LiteRT, int32 (1, ids.size()); zoo::Encoder::labels names the
// classes of the answer.
#pragma once
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace zoo {

using Codes = std::vector<uint32_t>;

inline std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("Cannot read " + path);
  std::stringstream all;
  all << file.rdbuf();
  return all.str();
}

inline void put(uint32_t c, std::string& to) {
  if (c < 0x80) { to += char(c); return; }
  int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  to += char((0x7F80 >> more & 0xFF) | c >> 6 * more);
  while (more--) to += char(0x80 | (c >> 6 * more & 0x3F));
}

// Code points of UTF-8; the longest start of a character that is wrong becomes one U+FFFD.
inline Codes decode(const std::string& text) {
  Codes codes;
  for (size_t i = 0; i < text.size();) {
    unsigned char first = text[i++];
    int more = first < 0x80 ? 0 : first < 0xC2 ? -1 : first < 0xE0 ? 1 : first < 0xF0 ? 2
               : first < 0xF5 ? 3 : -1;
    uint32_t code = more <= 0 ? first : first & (0x3F >> more);
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    for (; more > 0 && i < text.size(); more--, i++, low = 0x80, high = 0xBF) {
      unsigned char next = text[i];
      if (next < low || next > high) break;
      code = code << 6 | (next & 0x3F);
    }
    codes.push_back(more == 0 ? code : 0xFFFD);
  }
  return codes;
}

inline std::string encode(const Codes& codes) {
  std::string text;
  for (uint32_t code : codes) put(code, text);
  return text;
}

// The first bytes: at most so many, but 4 may be; never a part of a character.
inline std::string first_bytes(const std::string& text, size_t most) {
  const size_t limit = std::max<size_t>(most, 4);
  if (text.size() <= limit) return text;
  size_t back = 0;  // bytes of a character that is cut, but its first; 4 are not UTF-8
  while (back < 4 && (text[limit - back] & 0xC0) == 0x80) back++;
  return text.substr(0, limit - (back < 4 ? back : 0));
}

// A value of JSON: what model.json holds.
struct Json {
  std::map<std::string, Json> fields;
  std::vector<Json> items;
  std::string text;
  double number = 0;
  bool null = true;

  const Json& operator[](const std::string& name) const { return fields.at(name); }
  bool has(const std::string& name) const { return fields.count(name) && !fields.at(name).null; }
  Codes codes() const {
    Codes all;
    for (const Json& item : items) all.push_back(uint32_t(item.number));
    return all;
  }
  static Json parse(const std::string& source) { size_t at = 0; return value(source, at); }

 private:
  static char next(const std::string& s, size_t& at) {
    while (at < s.size() && (std::isspace((unsigned char)s[at]) || s[at] == ',' || s[at] == ':')) at++;
    if (at >= s.size()) throw std::runtime_error("JSON ends too early");
    return s[at];
  }
  static uint32_t hex(const std::string& s, size_t& at) {
    at += 4;
    return uint32_t(std::stoul(s.substr(at - 3, 4), nullptr, 16));
  }
  static Json value(const std::string& s, size_t& at) {
    Json made;
    char c = next(s, at);
    made.null = c == 'n';
    if (c == '{') {
      for (at++; next(s, at) != '}';) { auto name = value(s, at).text; made.fields[name] = value(s, at); }
      at++;
    } else if (c == '[') {
      for (at++; next(s, at) != ']';) made.items.push_back(value(s, at));
      at++;
    } else if (c == '"') {
      for (at++; s.at(at) != '"'; at++) {
        if (s[at] != '\\') { made.text += s[at]; continue; }
        char escape = s.at(++at);
        const std::string from = "bfnrt", to = "\b\f\n\r\t";
        if (escape == 'u') {
          uint32_t code = hex(s, at);
          if (code >> 10 == 0x36 && s.compare(at + 1, 2, "\\u") == 0) {  // half of a pair
            at += 2;
            code = 0x10000 + ((code & 0x3FF) << 10) + (hex(s, at) & 0x3FF);
          }
          put(code, made.text);
        } else made.text += from.find(escape) < 5 ? to[from.find(escape)] : escape;
      }
      at++;
    } else {
      size_t start = at;
      while (at < s.size() && (std::isalnum((unsigned char)s[at]) || s[at] == '.' || s[at] == '-' || s[at] == '+')) at++;
      std::string word = s.substr(start, at - start);
      if (word == "true") made.number = 1;
      else if (word != "null" && word != "false") made.number = std::stod(word);
    }
    return made;
  }
};

// What Unicode says of characters, as the graph has it.
class Unicode {
 public:
  bool normalises = false;  // whether there is `compose`
  Codes apostrophes;

  void take(const Json& rules) {
    for (auto name : {"space", "letter", "mark", "cased", "ignorable", "parting", "invisible"})
      if (rules.has(name)) ranges_[name] = rules[name].codes();
    for (auto& item : rules["lower"].items) add(item.codes(), lower_);
    normalises = rules.has("marks");
    if (!normalises) return;
    apostrophes = rules["apostrophes"].codes();
    for (auto& item : rules["composed"].items) add(item.codes(), composed_);
    for (auto& item : rules["marks"].items) { auto c = item.codes(); marks_[c[0]] = c[1]; }
    for (auto& item : rules["pairs"].items) {
      auto c = item.codes();
      pairs_[uint64_t(c[0]) << 21 | c[1]] = c[2];
    }
  }
  bool in(const char* name, uint32_t code) const { return within(ranges_.at(name), code); }
  static bool within(const Codes& flat, uint32_t code) {  // first, last, first, last, …
    size_t place = std::upper_bound(flat.begin(), flat.end(), code) - flat.begin();
    return place % 2 || (place && flat[place - 1] == code);
  }

  Codes lower(const Codes& codes) const {
    Codes made;
    for (size_t i = 0; i < codes.size(); i++) {
      auto found = lower_.find(codes[i]);
      if (codes[i] == 0x3A3 && cased(codes, i, -1) && !cased(codes, i, 1)) made.push_back(0x3C2);
      else if (found == lower_.end()) made.push_back(codes[i]);
      else made.insert(made.end(), found->second.begin(), found->second.end());
    }
    return made;
  }

  // Normal form C: takes characters apart, sorts marks, joins them.
  Codes compose(const Codes& text) const {
    Codes parts, done;
    for (uint32_t code : text) {
      auto found = composed_.find(code);
      if (found == composed_.end()) parts.push_back(code);
      else parts.insert(parts.end(), found->second.begin(), found->second.end());
    }
    for (size_t i = 1; i < parts.size(); i++)
      for (size_t j = i; j && kind(parts[j]) && kind(parts[j - 1]) > kind(parts[j]); j--)
        std::swap(parts[j - 1], parts[j]);
    long letter = -1;
    uint32_t last = 0;
    for (uint32_t code : parts) {
      uint32_t class_ = kind(code);
      if (letter >= 0 && (letter == long(done.size()) - 1 || last < class_))
        if (uint32_t together = pair(done[letter], code)) { done[letter] = together; continue; }
      if (!class_) letter = long(done.size());
      last = class_;
      done.push_back(code);
    }
    return done;
  }

  // Without what is invisible, in normal form C, with one kind of apostrophe.
  Codes normalise(const Codes& text) const {
    if (!normalises) return text;
    Codes seen;
    for (uint32_t code : text)
      if (in("parting", code)) seen.push_back(' ');
      else if (!in("invisible", code)) seen.push_back(code);
    Codes done = compose(seen);
    for (size_t i = 1; i + 1 < done.size(); i++)
      if (std::count(apostrophes.begin(), apostrophes.end(), done[i]) && in("letter", done[i + 1])
          && (in("letter", done[i - 1]) || in("mark", done[i - 1]))) done[i] = '\'';
    return done;
  }

 private:
  std::map<std::string, Codes> ranges_;
  std::unordered_map<uint32_t, Codes> lower_, composed_;
  std::unordered_map<uint32_t, uint32_t> marks_;
  std::unordered_map<uint64_t, uint32_t> pairs_;

  static void add(const Codes& all, std::unordered_map<uint32_t, Codes>& into) {
    into[all[0]] = Codes(all.begin() + 1, all.end());
  }
  bool cased(const Codes& text, long at, int step) const {
    for (at += step; at >= 0 && at < long(text.size()); at += step)
      if (!in("ignorable", text[at])) return in("cased", text[at]);
    return false;
  }
  uint32_t kind(uint32_t mark) const {
    auto found = marks_.find(mark);
    return found == marks_.end() ? 0 : found->second;
  }
  uint32_t pair(uint32_t one, uint32_t two) const {
    if (one >= 0x1100 && one < 0x1113 && two >= 0x1161 && two < 0x1176)  // Korean
      return 0xAC00 + ((one - 0x1100) * 21 + two - 0x1161) * 28;
    if (one >= 0xAC00 && one < 0xD7A4 && (one - 0xAC00) % 28 == 0 && two > 0x11A7 && two < 0x11C3)
      return one + two - 0x11A7;
    auto found = pairs_.find(uint64_t(one) << 21 | two);
    return found == pairs_.end() ? 0 : found->second;
  }
};

class Encoder {
 public:
  std::vector<std::string> labels;

  explicit Encoder(const std::string& json) {
    Json about = Json::parse(json);
    if (about.has("labels")) for (auto& label : about["labels"].items) labels.push_back(label.text);
    const Json& rules = about["tokenizer"];
    if (rules.null) throw std::runtime_error("This model does not read text.");
    words_ = rules["kind"].text == "words";
    if (!words_ && rules["kind"].text != "characters")
      throw std::runtime_error("This file does not read the texts of this model.");
    for (auto& word : rules[words_ ? "vocabulary" : "symbols"].items)
      ids_.emplace(word.text, int(ids_.size()) + (words_ ? 2 : 1));
    if (!words_) { before_ = rules["before"].text; return; }
    max_words_ = size_t(rules["max_words"].number);
    max_bytes_ = size_t(rules["max_bytes"].number);
    unicode_.take(rules);
  }

  std::vector<int> operator()(const std::string& text) const {
    std::vector<int> ids;
    if (!words_) {
      for (uint32_t code : decode(before_ + text)) {
        std::string one;
        put(code, one);
        if (auto found = ids_.find(one); found != ids_.end()) ids.push_back(found->second);
      }
      return ids;
    }
    std::vector<std::string> words = split(text);
    if (words.size() > max_words_)
      words.erase(words.begin() + max_words_ / 4, words.end() - (max_words_ - max_words_ / 4));
    for (auto& word : words) {
      auto found = ids_.find(word);
      ids.push_back(found == ids_.end() ? 1 : found->second);
    }
    return ids.empty() ? std::vector<int>{1} : ids;
  }

 private:
  bool words_;
  size_t max_words_ = 0, max_bytes_ = 0;
  std::string before_;
  std::unordered_map<std::string, int> ids_;
  Unicode unicode_;

  bool in(const char* name, uint32_t code) const { return unicode_.in(name, code); }

  std::vector<std::string> split(std::string text) const {
    if (text.size() > max_bytes_) {  // the first quarter and the last three
      const size_t quarter = max_bytes_ / 4;
      text = first_bytes(text, quarter) + " " + text.substr(text.size() - max_bytes_ + quarter);
    }
    Codes codes = unicode_.normalise(decode(text));
    for (uint32_t& code : codes) if (in("space", code)) code = ' ';
    Codes clean = unicode_.lower(codes);
    std::vector<std::string> words(1);
    auto next = [&] { if (!words.back().empty()) words.emplace_back(); };
    for (size_t i = 0; i < clean.size(); i++) {
      uint32_t code = clean[i];
      size_t end = code == '<' ? tag(clean, i) : 0;
      if (end || code == ' ') { next(); i = std::max(i, end); continue; }
      bool inside = code == '\'' || in("letter", code) || in("mark", code);
      if (!inside) next();
      put(code, words.back());
      if (!inside) next();
    }
    if (words.back().empty()) words.pop_back();
    return words;
  }

  // Where a tag of HTML ends that begins here; 0 where there is none.
  static size_t tag(const Codes& text, size_t at) {
    size_t i = at + 1;
    if (i < text.size() && text[i] == '/') i++;
    if (i >= text.size() || text[i] < 'a' || text[i] > 'z') return 0;
    while (i < text.size() && text[i] != '<' && text[i] != '>') i++;
    return i < text.size() && text[i] == '>' ? i : 0;
  }
};

}  // namespace zoo
