// RFC 3261 §19.1.4: which URIs name the same thing, and the canonical form that follows from it.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "net/address.h"
#include "sip/text.h"
#include "sip/uri.h"

namespace jackfield::sip {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = text::lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/// Reads a component one character at a time, escapes resolved: an escaped character equals the plain one unless it is
/// reserved, so what may not stand unescaped comes out as 256 + its byte.
class Units {
 public:
  explicit Units(std::string_view text) : rest_(text) {}
  static constexpr int kEnd = -1, kEscaped = 256;

  int next() {
    if (rest_.empty()) return kEnd;
    const char c = rest_.front();
    if (c == '%' && rest_.size() > 2 && hex_value(rest_[1]) >= 0 && hex_value(rest_[2]) >= 0) {
      const int byte = hex_value(rest_[1]) << 4 | hex_value(rest_[2]);
      rest_.remove_prefix(3);
      return text::is(static_cast<char>(byte), text::kUnreserved) ? byte : kEscaped + byte;
    }
    rest_.remove_prefix(1);
    return c == '#' ? kEscaped + '#' : static_cast<unsigned char>(c);  // `#` may only stand there escaped; phones forget to
  }

 private:
  std::string_view rest_;
};

enum class Case : bool { matters, ignored };

int folded(int unit, Case with) {
  return with == Case::ignored && unit >= 'A' && unit <= 'Z' ? unit | 0x20 : unit;
}

bool same(std::string_view left, std::string_view right, Case with) {
  Units a(left), b(right);
  for (;;) {
    const int x = folded(a.next(), with), y = folded(b.next(), with);
    if (x != y) return false;
    if (x == Units::kEnd) return true;
  }
}

void append(std::string& out, std::string_view text, Case with) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  Units units(text);
  for (int unit; (unit = folded(units.next(), with)) != Units::kEnd;) {
    if (unit < Units::kEscaped) {
      out += static_cast<char>(unit);
    } else {
      out += '%';
      out += kHex[(unit & 0xff) >> 4];
      out += kHex[unit & 15];
    }
  }
}

struct Pair {
  std::string_view name, value;
};

/// The `name=value` pairs of a component, at most as many as Uri::parse lets through.
struct Pairs {
  Pairs(std::string_view component, char separator) {
    while (!component.empty() && count < items.size()) {
      const std::size_t end = component.find(separator);
      const std::string_view one = component.substr(0, end);
      const std::size_t equals = one.find('=');
      items[count++] = {one.substr(0, equals), equals == std::string_view::npos ? std::string_view() : one.substr(equals + 1)};
      if (end == std::string_view::npos) break;
      component.remove_prefix(end + 1);
    }
  }
  std::array<Pair, kMaxUriParameters> items;
  std::size_t count = 0;
};

/// Parameters whose absence is a value of its own: user, ttl, method, maddr by the rule's words, transport by its examples.
bool absence_counts(std::string_view name) {
  for (const std::string_view one : {"transport", "user", "method", "maddr", "ttl"}) {
    if (same(name, one, Case::ignored)) return true;
  }
  return false;
}

/// Every parameter of `left` that `right` has too has a value there that fits.
bool same_parameters(const Pairs& left, const Pairs& right) {
  for (std::size_t i = 0; i < left.count; ++i) {
    bool named = false, fits = false;
    for (std::size_t j = 0; j < right.count && !fits; ++j) {
      if (!same(left.items[i].name, right.items[j].name, Case::ignored)) continue;
      named = true;
      fits = same(left.items[i].value, right.items[j].value, Case::ignored);
    }
    if (!fits && (named || absence_counts(left.items[i].name))) return false;
  }
  return true;
}

bool headers_in(const Pairs& left, const Pairs& right) {
  for (std::size_t i = 0; i < left.count; ++i) {
    const bool found = std::any_of(right.items.begin(), right.items.begin() + static_cast<std::ptrdiff_t>(right.count), [&](const Pair& other) {
      return same(left.items[i].name, other.name, Case::ignored) && same(left.items[i].value, other.value, Case::matters);
    });
    if (!found) return false;
  }
  return true;
}

bool same_host(std::string_view left, std::string_view right) {
  if (text::equal(left, right)) return true;
  if (left.empty() || right.empty() || left.front() != '[' || right.front() != '[') return false;
  return net::Address::parse(left) == net::Address::parse(right);
}

/// A parameter without a value has no `=`, a header always has one.
void append_sorted(std::string& out, const Pairs& pairs, char first, char separator, Case values) {
  std::vector<std::string> parts;
  parts.reserve(pairs.count);
  for (std::size_t i = 0; i < pairs.count; ++i) {
    std::string part;
    append(part, pairs.items[i].name, Case::ignored);
    if (!pairs.items[i].value.empty() || separator == '&') {
      part += '=';
      append(part, pairs.items[i].value, values);
    }
    parts.push_back(std::move(part));
  }
  std::sort(parts.begin(), parts.end());
  for (const auto& part : parts) {
    out += first;
    out += part;
    first = separator;
  }
}

/// Visual separators do not count, letters (hex digits of local numbers) without case.
void append_number(std::string& out, std::string_view number) {
  for (const char c : number) {
    if (std::string_view("-.()").find(c) == std::string_view::npos) out += text::lower(c);
  }
}

void append_host(std::string& out, std::string_view host) {
  if (!host.empty() && host.front() == '[') {
    if (const auto address = net::Address::parse(host)) {
      if (!address->is_v6()) out += "[::ffff:";
      out += net::AddressText(*address).uri_host();
      if (!address->is_v6()) out += ']';
      return;
    }
  }
  for (const char c : host) out += text::lower(c);
}

}  // namespace

bool Uri::equivalent(const Uri& other) const {
  if (scheme != other.scheme) return false;
  if (text == other.text) return true;
  if (!is_sip()) return canonical(*this) == canonical(other);
  if (port != other.port || !same(user, other.user, Case::matters) || !same(password, other.password, Case::matters) ||
      !same_host(host, other.host)) {
    return false;
  }
  if (parameters != other.parameters) {
    const Pairs left(parameters, ';'), right(other.parameters, ';');
    if (!same_parameters(left, right) || !same_parameters(right, left)) return false;
  }
  if (headers == other.headers) return true;
  const Pairs left(headers, '&'), right(other.headers, '&');
  return left.count == right.count && headers_in(left, right) && headers_in(right, left);
}

std::string canonical(const Uri& uri) {
  std::string out;
  out.reserve(uri.text.size() + 8);
  if (uri.scheme == Uri::Scheme::other) {
    const std::size_t colon = uri.text.find(':');
    for (const char c : uri.text.substr(0, colon)) out += text::lower(c);
    out += uri.text.substr(colon);
    return out;
  }
  if (uri.scheme == Uri::Scheme::tel) {
    out = "tel:";
    append_number(out, uri.user);
    append_sorted(out, Pairs(uri.parameters, ';'), ';', ';', Case::ignored);
    return out;
  }
  out = uri.scheme == Uri::Scheme::sip ? "sip:" : "sips:";
  if (!uri.user.empty()) {
    append(out, uri.user, Case::matters);
    if (!uri.password.empty()) {
      out += ':';
      append(out, uri.password, Case::matters);
    }
    out += '@';
  }
  append_host(out, uri.host);
  if (uri.port != 0) {
    out += ':';
    out += std::to_string(uri.port);
  }
  append_sorted(out, Pairs(uri.parameters, ';'), ';', ';', Case::ignored);
  append_sorted(out, Pairs(uri.headers, '&'), '?', '&', Case::matters);
  return out;
}

}  // namespace jackfield::sip
