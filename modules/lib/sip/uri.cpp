#include "sip/uri.h"

#include "net/address.h"
#include "sip/text.h"

namespace jackfield::sip {
namespace {

using text::Cursor;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Takes characters of these classes and percent escapes; what stopped it, an escape that is none included, is next.
std::string_view take_escaped(Cursor& in, unsigned classes) {
  const char* const from = in.at();
  for (;;) {
    in.take(classes);
    const std::string_view rest = in.rest();
    if (rest.size() < 3 || rest[0] != '%' || hex_value(rest[1]) < 0 || hex_value(rest[2]) < 0) break;
    in.skip(3);
  }
  return in.since(from);
}

tl::unexpected<Error> fail(std::string_view reason, std::size_t offset) { return tl::unexpected(Error{reason, offset}); }
tl::unexpected<Error> fail(std::string_view reason, const Cursor& in) { return fail(reason, in.offset()); }

std::string_view parse_userinfo(Cursor& in, Uri& uri) {
  uri.user = take_escaped(in, text::kUser);
  if (uri.user.empty()) return "URI with an empty user part";
  if (in.eat(':')) uri.password = take_escaped(in, text::kPassword);
  if (!in.eat('@')) return in.peek() == '%' ? "URI with a broken escape in its user part" : "URI with a bad character in its user part";
  return {};
}

std::string_view parse_hostport(Cursor& in, Uri& uri) {
  if (in.peek() == '[') {
    const std::size_t close = in.rest().find(']');
    if (close == std::string_view::npos) return "URI with an unclosed IPv6 address";
    uri.host = in.rest().substr(0, close + 1);
    // Mapped addresses included: they are IPv6 as written.
    if (!net::Address::parse(uri.host)) return "URI with a bad IPv6 address";
    in.skip(close + 1);
  } else {
    if (in.peek() == '.' || in.peek() == '-') return "URI with a bad host";
    uri.host = in.take(text::kHost);
    if (uri.host.empty()) return "URI without a host";
  }
  if (in.eat(':')) {
    const std::string_view digits = in.take(text::kDigit);
    unsigned port = 0;
    for (const char c : digits) {
      port = port * 10 + static_cast<unsigned>(c - '0');
      if (port > 65535) break;
    }
    if (port == 0 || port > 65535) return "URI with a bad port";
    uri.port = static_cast<std::uint16_t>(port);
  }
  return {};
}

/// `;name[=value]…`
std::string_view parse_parameters(Cursor& in, Uri& uri) {
  if (!in.eat(';')) return {};
  const char* const from = in.at();
  std::size_t count = 0;
  do {
    if (take_escaped(in, text::kUriParameter).empty()) return "URI with a bad parameter";
    if (in.eat('=') && take_escaped(in, text::kUriParameter).empty()) return "URI with a bad parameter";
    if (++count > kMaxUriParameters) return "URI with too many parameters";
  } while (in.eat(';'));
  uri.parameters = in.since(from);
  return {};
}

/// `?name=value&…`
std::string_view parse_uri_headers(Cursor& in, Uri& uri) {
  if (!in.eat('?')) return {};
  const char* const from = in.at();
  std::size_t count = 0;
  do {
    if (take_escaped(in, text::kUriHeader).empty() || !in.eat('=')) return "URI with a bad header part";
    take_escaped(in, text::kUriHeader);
    if (++count > kMaxUriParameters) return "URI with too many headers";
  } while (in.eat('&'));
  uri.headers = in.since(from);
  return {};
}

/// `+1-201-555-0123;ext=5`, or `7042;phone-context=example.com` (RFC 3966 §3).
std::string_view parse_tel(Cursor& in, Uri& uri) {
  const char* const from = in.at();
  in.eat('+');
  bool digits = false;  // visual separators alone are no number
  for (; !in.done(); in.skip(1)) {
    const bool digit = hex_value(in.peek()) >= 0 || in.peek() == '*' || in.peek() == '#';
    if (!digit && std::string_view("-.()").find(in.peek()) == std::string_view::npos) break;
    digits = digits || digit;
  }
  uri.user = in.since(from);
  if (!digits) return "tel URI without a number";
  return parse_parameters(in, uri);
}

}  // namespace

tl::expected<Uri, Error> Uri::parse(std::string_view text) {
  Uri uri;
  uri.text = text;
  Cursor in(text);
  const char* const from = in.at();
  if (text::equal(text.substr(0, 4), "sip:")) {
    in.skip(3);  // nearly all of them
  } else {
    if (!text::is(in.peek(), text::kAlpha)) return fail("URI without a scheme", 0);
    while (!in.done() && (text::is(in.peek(), text::kAlpha | text::kDigit) || in.peek() == '+' || in.peek() == '-' || in.peek() == '.')) in.skip(1);
  }
  const std::string_view scheme = in.since(from);
  if (!in.eat(':')) return fail("URI without a scheme", in);

  if (text::equal(scheme, "sip") || text::equal(scheme, "sips")) {
    uri.scheme = scheme.size() == 3 ? Scheme::sip : Scheme::sips;
    std::string_view problem;
    // An unescaped `@` occurs nowhere else, while `;` and `?` may be part of the user.
    if (in.rest().find('@') != std::string_view::npos) problem = parse_userinfo(in, uri);
    if (problem.empty()) problem = parse_hostport(in, uri);
    if (problem.empty()) problem = parse_parameters(in, uri);
    if (problem.empty()) problem = parse_uri_headers(in, uri);
    if (problem.empty() && !in.done()) problem = in.peek() == '%' ? "URI with a broken escape" : "URI with a bad character";
    if (!problem.empty()) return fail(problem, in);
    return uri;
  }
  if (text::equal(scheme, "tel")) {
    uri.scheme = Scheme::tel;
    if (const std::string_view problem = parse_tel(in, uri); !problem.empty()) return fail(problem, in);
  } else {
    uri.scheme = Scheme::other;
    if (in.take(text::kVisible).empty()) return fail("URI with nothing after its scheme", in);
  }
  if (!in.done()) return fail("URI with a bad character", in);
  return uri;
}

std::optional<std::string_view> Uri::parameter(std::string_view name) const {
  for (std::string_view rest = parameters; !rest.empty();) {
    const std::size_t end = rest.find(';');
    const std::string_view one = rest.substr(0, end);
    const std::size_t equals = one.find('=');
    if (text::equal(one.substr(0, equals), name)) return equals == std::string_view::npos ? std::string_view() : one.substr(equals + 1);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return std::nullopt;
}

std::string unescape(std::string_view escaped) {
  std::string out;
  out.reserve(escaped.size());
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] == '%' && escaped.size() - i > 2) {
      const int high = hex_value(escaped[i + 1]), low = hex_value(escaped[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high << 4 | low);
        i += 2;
        continue;
      }
    }
    out += escaped[i];
  }
  return out;
}

std::string escape_user(std::string_view user) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(user.size());
  for (const char c : user) {
    if (text::is(c, text::kUser) && c != '#') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace jackfield::sip
