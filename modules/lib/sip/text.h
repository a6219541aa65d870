// Characters and the cursor every parser of this library moves: classes from RFC 3261 §25.1 in one table, comparison without
// case, line ends. Nothing here reads past the view it was given; a NUL is a byte like any other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace jackfield::sip::text {

enum Class : std::uint16_t {
  kDigit = 1,
  kAlpha = 2,
  kToken = 4,         ///< token
  kUnreserved = 8,    ///< alphanum / mark
  kUser = 16,         ///< of a URI's user part, escapes apart; and `#`, which phones dial as it is
  kPassword = 32,
  kUriParameter = 64, ///< paramchar
  kUriHeader = 128,   ///< of hname and hvalue
  kHost = 256,        ///< of a host name or IPv4 address; `_` is tolerated
  kValue = 512,       ///< of an unquoted parameter value: anything visible that does not delimit
  kDisplay = 1024,    ///< of an unquoted display name: token, blanks, and UTF-8, which phones leave unquoted
  kBlank = 2048,      ///< SP, HT, and the CR LF of a folded line
  kWord = 4096,       ///< of a Call-ID, with its `@`
  kVisible = 8192,    ///< 0x21–0x7E
};

constexpr std::array<std::uint16_t, 256> make_classes() {
  std::array<std::uint16_t, 256> table{};
  const auto add = [&table](std::string_view characters, unsigned classes) {
    for (const char c : characters) table[static_cast<unsigned char>(c)] |= static_cast<std::uint16_t>(classes);
  };
  for (unsigned c = 0x21; c < 0x7f; ++c) table[c] |= kVisible | kValue;
  for (const char c : std::string_view(",;<>\"")) table[static_cast<unsigned char>(c)] &= static_cast<std::uint16_t>(~unsigned{kValue});
  constexpr unsigned everywhere = kToken | kUnreserved | kUser | kPassword | kUriParameter | kUriHeader | kHost | kDisplay | kWord;
  add("0123456789", kDigit | everywhere);
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", kAlpha | everywhere);
  add("-.!%*_+`'~", kToken | kDisplay | kWord);
  add("-_.!~*'()", kUnreserved | kUser | kPassword | kUriParameter | kUriHeader);
  add("&=+$,", kUser | kPassword);
  add(";?/#", kUser);
  add("[]/:&+$", kUriParameter);
  add("[]/?:+$", kUriHeader);
  add("-._", kHost);
  add("()<>:\\\"/[]?{}@", kWord);
  add(" \t\r\n", kBlank | kDisplay);
  for (unsigned c = 0x80; c < 0x100; ++c) table[c] |= kDisplay | kValue;
  return table;
}
inline constexpr std::array<std::uint16_t, 256> kClasses = make_classes();

inline bool is(char c, unsigned classes) { return (kClasses[static_cast<unsigned char>(c)] & classes) != 0; }

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

inline bool equal(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i] != right[i] && lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is(text.front(), kBlank)) text.remove_prefix(1);
  while (!text.empty() && is(text.back(), kBlank)) text.remove_suffix(1);
  return text;
}

/// The first of these characters, or `end`. Sixteen bytes a step.
template <char... kWanted>
const char* find_any(const char* at, const char* end) {
#if defined(__SSE2__)
  for (; end - at >= 16; at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const int found = (_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(kWanted))) | ...);
    if (found != 0) return at + __builtin_ctz(static_cast<unsigned>(found));
  }
#endif
  while (at != end && ((*at != kWanted) && ...)) ++at;
  return at;
}

/// The first CR or LF, or `end`.
inline const char* find_line_break(const char* at, const char* end) { return find_any<'\r', '\n'>(at, end); }

/// The controls of ASCII, but HT.
inline bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

/// The first control, or `end`. Sixteen bytes a step: everything we send is looked through.
inline const char* find_control(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f), last = _mm_set1_epi8(0x1f);
  for (; end - at >= 16; at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i low = _mm_andnot_si128(_mm_cmpeq_epi8(block, tab), _mm_cmpeq_epi8(_mm_min_epu8(block, last), block));
    const int found = _mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(block, del)));
    if (found != 0) return at + __builtin_ctz(static_cast<unsigned>(found));
  }
#endif
  while (at != end && !is_control(*at)) ++at;
  return at;
}

/// The first character that is not of kValue, or `end`: branches, tags and nonces are long.
inline const char* find_value_end(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i blank = _mm_set1_epi8(' '), del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const auto is_one = [block](char c) { return _mm_cmpeq_epi8(block, _mm_set1_epi8(c)); };
    const __m128i low = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(block, blank), block), _mm_cmpeq_epi8(block, del));
    const __m128i delimiter = _mm_or_si128(_mm_or_si128(is_one(','), is_one(';')), _mm_or_si128(_mm_or_si128(is_one('<'), is_one('>')), is_one('"')));
    const int found = _mm_movemask_epi8(_mm_or_si128(low, delimiter));
    if (found != 0) return at + __builtin_ctz(static_cast<unsigned>(found));
  }
#endif
  while (at != end && is(*at, kValue)) ++at;
  return at;
}

/// The first character that is not of kToken, or `end`. Nearly all names are letters and hyphens.
inline const char* find_token_end(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i a = _mm_set1_epi8('a'), letters = _mm_set1_epi8('z' - 'a'), case_bit = _mm_set1_epi8(0x20), hyphen = _mm_set1_epi8('-');
  for (; end - at >= 16; at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i from_a = _mm_sub_epi8(_mm_or_si128(block, case_bit), a);
    const __m128i plain = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(from_a, letters), from_a), _mm_cmpeq_epi8(block, hyphen));
    const int other = _mm_movemask_epi8(plain) ^ 0xffff;
    if (other == 0) continue;
    at += __builtin_ctz(static_cast<unsigned>(other));
    break;
  }
#endif
  while (at != end && is(*at, kToken)) ++at;
  return at;
}

/// A position in a text. Every step either moves on and says so, or stays where it is.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}

  bool done() const { return at_ == end_; }
  char peek() const { return at_ == end_ ? '\0' : *at_; }  ///< NUL at the end, and for a NUL: ask done()
  const char* at() const { return at_; }
  std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }
  std::string_view rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }
  std::string_view since(const char* from) const { return {from, static_cast<std::size_t>(at_ - from)}; }

  void skip(std::size_t count) { at_ += count; }
  void skip_to_end() { at_ = end_; }
  void skip_blanks() {
    while (at_ != end_ && is(*at_, kBlank)) ++at_;
  }
  bool eat(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  /// `c` with blanks allowed on both sides, as SEMI, EQUAL, COMMA, SLASH and COLON are.
  bool eat_spaced(char c) {
    const char* const before = at_;
    skip_blanks();
    if (!eat(c)) {
      at_ = before;
      return false;
    }
    skip_blanks();
    return true;
  }
  /// As many characters of these classes as there are.
  std::string_view take(unsigned classes) {
    const char* const from = at_;
    while (at_ != end_ && is(*at_, classes)) ++at_;
    return since(from);
  }
  std::string_view take_value() { return take_to(find_value_end(at_, end_)); }  ///< take(kValue)
  std::string_view take_token() { return take_to(find_token_end(at_, end_)); }  ///< take(kToken)
  /// The inside of a quoted string, escapes kept. Nothing when it does not start with a quote or is not closed.
  std::optional<std::string_view> quoted() {
    if (peek() != '"') return std::nullopt;
    for (const char* p = find_any<'"', '\\'>(at_ + 1, end_); p != end_; p = find_any<'"', '\\'>(p + 1, end_)) {
      if (*p == '"') {
        const std::string_view inside(at_ + 1, static_cast<std::size_t>(p - at_ - 1));
        at_ = p + 1;
        return inside;
      }
      if (++p == end_) break;  // what is escaped is passed over
    }
    return std::nullopt;
  }

 private:
  std::string_view take_to(const char* to) {
    const char* const from = std::exchange(at_, to);
    return since(from);
  }

  const char* begin_;
  const char* at_;
  const char* end_;
};

}  // namespace jackfield::sip::text
