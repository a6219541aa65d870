#include "sip/headers.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "net/address.h"
#include "sip/scan.h"
#include "sip/text.h"

namespace jackfield::sip {
namespace {

using text::Cursor;

tl::unexpected<Error> fail(std::string_view reason, std::size_t offset) { return tl::unexpected(Error{reason, offset}); }

bool to_port(std::string_view digits, std::uint16_t& port) {
  unsigned value = 0;
  for (const char c : digits) {
    if (!text::is(c, text::kDigit)) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
    if (value > 65535) return false;
  }
  port = static_cast<std::uint16_t>(value);
  return !digits.empty();
}

/// Runs over the parameters up to the end of the text; `visit` sees each pair.
template <class Visit>
tl::expected<Parameters, Error> read_parameters(Cursor in, Visit&& visit) {
  Parameters result{in.rest()};
  ParameterWalker walker(in);
  while (walker.next()) visit(walker.name, walker.value);
  if (walker.bad()) return fail("bad parameter", walker.offset());
  return result;
}

/// delta-seconds of a Contact: too many counts as many, nonsense as an hour (RFC 3261 §10.2.1.1).
std::uint32_t lenient_seconds(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!text::is(c, text::kDigit)) return 3600;
    if (value <= UINT32_MAX) value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (text.empty()) return 3600;
  return value > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(value);
}

/// `0.75` → 750; digits past the third do not count.
std::optional<unsigned> parse_q(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  unsigned value = text[0] == '1' ? 1000 : 0;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  unsigned weight = 100;
  for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (!text::is(c, text::kDigit)) return std::nullopt;
    value += static_cast<unsigned>(c - '0') * weight;
    weight /= 10;
  }
  if (value > 1000) return std::nullopt;
  return value;
}

/// Everything of a name-addr or addr-spec but what single parameters mean.
template <class Visit>
tl::expected<NameAddr, Error> read_name_addr(std::string_view whole, Visit&& visit) {
  NameAddr result;
  result.text = text::trim(whole);
  Cursor in(whole);
  in.skip_blanks();
  const char* const from = in.at();
  if (in.peek() == '"') {
    const auto display = in.quoted();
    if (!display) return fail("unterminated quoted string", in.offset());
    result.display = *display;
    in.skip_blanks();
    if (in.peek() != '<') return fail("no address after the display name", in.offset());
  } else {
    in.take(text::kDisplay);
    if (in.peek() == '<') result.display = text::trim(in.since(from));
  }

  if (in.eat('<')) {
    const std::size_t close = in.rest().find('>');
    if (close == std::string_view::npos) return fail("unclosed angle bracket", in.offset());
    const auto uri = Uri::parse(in.rest().substr(0, close));
    if (!uri) return fail(uri.error().reason, in.offset() + uri.error().offset);
    result.uri = *uri;
    in.skip(close + 1);
  } else {
    // Without brackets parameters belong to the header and the URI holds no comma, semicolon or question mark (§20.10). The
    // display scan may have run over the scheme only: start anew.
    const std::size_t start = static_cast<std::size_t>(from - whole.data());
    Cursor plain(whole);
    plain.skip(start);
    std::size_t length = 0;
    for (const std::string_view rest = plain.rest(); length < rest.size() && rest[length] != ';' && !text::is(rest[length], text::kBlank); ++length) {
      if (rest[length] == '?' || rest[length] == ',') return fail("URI that needs angle brackets", start + length);
      if (rest[length] == '<' || rest[length] == '"') return fail("bad character in the display name", start + length);
    }
    const auto uri = Uri::parse(plain.rest().substr(0, length));
    if (!uri) return fail(uri.error().reason, start + uri.error().offset);
    result.uri = *uri;
    plain.skip(length);
    in = plain;
  }
  const auto parameters = read_parameters(in, visit);
  if (!parameters) return tl::unexpected(parameters.error());
  result.parameters = *parameters;
  return result;
}

struct AuthField {
  std::string_view name;
  std::string_view AuthHeader::*member;
};
constexpr AuthField kAuthFields[] = {
    {"username", &AuthHeader::username}, {"realm", &AuthHeader::realm},       {"nonce", &AuthHeader::nonce},
    {"uri", &AuthHeader::uri},           {"response", &AuthHeader::response}, {"algorithm", &AuthHeader::algorithm},
    {"cnonce", &AuthHeader::cnonce},     {"opaque", &AuthHeader::opaque},     {"qop", &AuthHeader::qop},
    {"nc", &AuthHeader::nc},             {"domain", &AuthHeader::domain},     {"stale", &AuthHeader::stale},
};

/// Length and first letter tell them all apart.
constexpr std::size_t auth_slot(std::string_view name) { return (name.size() * 5 + (static_cast<unsigned char>(name.front()) | 0x20u)) % 32; }
constexpr auto kAuthSlots = [] {
  std::array<std::uint8_t, 32> slots{};  // place in kAuthFields + 1
  for (std::size_t i = 0; i < std::size(kAuthFields); ++i) {
    auto& slot = slots[auth_slot(kAuthFields[i].name)];
    if (slot != 0) throw "two names share a slot";  // does not compile
    slot = static_cast<std::uint8_t>(i + 1);
  }
  return slots;
}();

const AuthField* auth_field(std::string_view name) {
  const std::size_t place = kAuthSlots[auth_slot(name)];
  return place != 0 && text::equal(kAuthFields[place - 1].name, name) ? &kAuthFields[place - 1] : nullptr;
}

}  // namespace

std::optional<std::string_view> Parameters::get(std::string_view name) const {
  ParameterWalker walker{Cursor(text)};
  while (walker.next()) {
    if (text::equal(walker.name, name)) return walker.value;
  }
  return std::nullopt;
}

tl::expected<Via, Error> parse_via(std::string_view whole) {
  Via via;
  via.text = text::trim(whole);
  Cursor in(whole);
  in.skip_blanks();
  const std::string_view protocol = in.take_token();
  const bool named = !protocol.empty() && in.eat_spaced('/') && !in.take_token().empty() && in.eat_spaced('/');
  if (named) via.transport = in.take_token();
  if (via.transport.empty()) return fail("bad protocol", in.offset());
  const char* const after = in.at();
  in.skip_blanks();
  if (in.at() == after) return fail("no blank after the protocol", in.offset());

  if (in.peek() == '[') {
    const std::size_t close = in.rest().find(']');
    if (close == std::string_view::npos || !net::Address::parse(in.rest().substr(0, close + 1))) return fail("bad IPv6 address", in.offset());
    via.host = in.rest().substr(0, close + 1);
    in.skip(close + 1);
  } else {
    via.host = in.take(text::kHost);
    if (via.host.empty()) return fail("no host", in.offset());
  }
  if (in.eat_spaced(':')) {
    if (!to_port(in.take(text::kDigit), via.port) || via.port == 0) return fail("bad port", in.offset());
  }
  bool good = true, has_received = false;
  const auto parameters = read_parameters(in, [&](std::string_view name, std::string_view value) {
    switch (name.size()) {
      case 6:
        if (text::equal(name, "branch")) via.branch = value;
        break;
      case 8:
        if (text::equal(name, "received")) {
          via.received = value;
          has_received = true;
        }
        break;
      case 5:
        if (text::equal(name, "rport")) {
          via.open_rport = value.empty() && !via.rport_asked ? name.data() + name.size() : nullptr;
          via.rport_asked = true;
          if (!value.empty()) good = to_port(value, via.rport) && good;
        }
        break;
      default: break;
    }
  });
  if (!parameters) return tl::unexpected(parameters.error());
  if (!good) return fail("bad rport", in.offset());
  if (has_received) via.open_rport = nullptr;
  via.parameters = *parameters;
  return via;
}

tl::expected<NameAddr, Error> parse_name_addr(std::string_view whole) {
  std::string_view tag;
  auto result = read_name_addr(whole, [&tag](std::string_view name, std::string_view value) {
    if (tag.empty() && text::equal(name, "tag")) tag = value;
  });
  if (result) result->tag = tag;
  return result;
}

tl::expected<Contact, Error> parse_contact(std::string_view whole) {
  Contact contact;
  if (text::trim(whole) == "*") {
    contact.star = true;
    contact.address.text = text::trim(whole);
    return contact;
  }
  bool good = true;
  auto address = read_name_addr(whole, [&](std::string_view name, std::string_view value) {
    if (!contact.expires && text::equal(name, "expires")) contact.expires = lenient_seconds(value);
    if (!contact.q && text::equal(name, "q")) {
      contact.q = parse_q(value);
      good = contact.q.has_value();
    }
  });
  if (!address) return tl::unexpected(address.error());
  if (!good) return fail("bad q value", 0);
  contact.address = *address;
  return contact;
}

tl::expected<CSeq, Error> parse_cseq(std::string_view whole) {
  Cursor in(whole);
  in.skip_blanks();
  CSeq cseq;
  const std::string_view digits = in.take(text::kDigit);
  const auto number = parse_number(digits);
  // §8.1.1.5: less than 2^31.
  if (!number || *number > INT32_MAX) return fail("bad number", in.offset());
  cseq.number = *number;
  const char* const after = in.at();
  in.skip_blanks();
  cseq.method_text = in.take(text::kToken);
  if (in.at() == after || cseq.method_text.empty() || cseq.method_text.data() == after) return fail("no method", in.offset());
  in.skip_blanks();
  if (!in.done()) return fail("more than a number and a method", in.offset());
  cseq.method = method_from(cseq.method_text);
  return cseq;
}

tl::expected<AuthHeader, Error> parse_auth(std::string_view whole) {
  AuthHeader header;
  header.text = text::trim(whole);
  Cursor in(whole);
  in.skip_blanks();
  header.scheme = in.take(text::kToken);
  if (header.scheme.empty()) return fail("no scheme", in.offset());
  const bool digest = text::equal(header.scheme, "Digest");
  unsigned seen = 0;
  for (;;) {
    in.skip_blanks();
    while (in.eat(',')) in.skip_blanks();
    if (in.done()) return header;
    const std::string_view name = in.take_token();
    std::string_view value;
    bool good = !name.empty() && in.eat_spaced('=');
    if (good && in.peek() == '"') {
      const auto inside = in.quoted();
      good = inside.has_value();
      if (good) value = *inside;
    } else if (good) {
      value = in.take_value();
      good = !value.empty();
    }
    if (good) {
      in.skip_blanks();
      good = in.done() || in.peek() == ',';
    }
    if (!good) {
      if (digest) return fail("bad parameter", in.offset());
      return header;  // Basic and Bearer carry something else: their text is there for who knows them
    }
    if (const AuthField* const field = auth_field(name)) {
      const unsigned one = 1u << (field - kAuthFields);
      if ((seen & one) != 0) return fail("parameter given twice", in.offset());
      seen |= one;
      header.*field->member = value;
    }
  }
}

tl::expected<MediaType, Error> parse_media_type(std::string_view whole) {
  Cursor in(whole);
  in.skip_blanks();
  MediaType result;
  result.type = in.take(text::kToken);
  if (result.type.empty() || !in.eat_spaced('/')) return fail("bad media type", in.offset());
  result.subtype = in.take(text::kToken);
  if (result.subtype.empty()) return fail("bad media type", in.offset());
  const auto parameters = read_parameters(in, [](std::string_view, std::string_view) {});
  if (!parameters) return tl::unexpected(parameters.error());
  result.parameters = *parameters;
  return result;
}

bool MediaType::is(std::string_view type_, std::string_view subtype_) const {
  return text::equal(type, type_) && text::equal(subtype, subtype_);
}

tl::expected<std::uint32_t, Error> parse_number(std::string_view whole) {
  const std::string_view digits = text::trim(whole);
  if (digits.empty()) return fail("no number", 0);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (!text::is(digits[i], text::kDigit)) return fail("not a number", i);
    value = value * 10 + static_cast<unsigned>(digits[i] - '0');
    if (value > UINT32_MAX) return fail("number too large", i);
  }
  return static_cast<std::uint32_t>(value);
}

bool split_list(std::string_view text, std::vector<std::string_view>& out) {
  ListWalker walker(text);
  for (std::string_view value; walker.next(value);) out.push_back(value);
  return !walker.broken();
}

}  // namespace jackfield::sip
