// Typed access to a message's headers, decoded on first use, and the check of what every message must have.
#include "sip/message_decoded.h"
#include "sip/scan.h"
#include "sip/text.h"

namespace jackfield::sip {
namespace {

constexpr std::uint64_t bit(HeaderId id) { return std::uint64_t{1} << static_cast<unsigned>(id); }

/// Checked last in this order; also what a 400 names first.
constexpr HeaderId kMandatory[] = {HeaderId::via, HeaderId::from, HeaderId::to, HeaderId::call_id, HeaderId::cseq};

std::uint64_t once_mask() {
  static const std::uint64_t mask = [] {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < kHeaderIds; ++i) {
      const auto id = static_cast<HeaderId>(i);
      if (header_info(id).once) bits |= bit(id);
    }
    return bits;
  }();
  return mask;
}

}  // namespace

/// "Bad From header: unterminated quoted string"
Error Message::described(int slot, HeaderId id, const Error& error, std::string_view where) const {
  std::string& text = decoded().reasons[static_cast<std::size_t>(slot)];
  text = "Bad ";
  text += id == HeaderId::other ? std::string_view("Request-URI") : header_info(id).name;
  if (id != HeaderId::other) text += " header";
  if (!error.reason.empty()) {
    text += ": ";
    text += error.reason;
  }
  return {text, static_cast<std::size_t>(where.data() - bytes_.data()) + error.offset, error.status};
}

Error Message::missing(int slot, HeaderId id) const {
  std::string& text = decoded().reasons[static_cast<std::size_t>(slot)];
  text = "Missing ";
  text += header_info(id).name;
  text += " header";
  return {text, 0};
}

const tl::expected<Uri, Error>& Message::request_uri() const {
  Decoded& d = decoded();
  if (d.first_time(Decoded::request_uri)) {
    d.request_uri_value = Uri::parse(request_uri_);
    if (!d.request_uri_value) {
      d.request_uri_value = tl::unexpected(described(Decoded::request_uri, HeaderId::other, d.request_uri_value.error(), request_uri_));
    }
  }
  return d.request_uri_value;
}

const tl::expected<Via, Error>& Message::top_via() const {
  Decoded& d = decoded();
  if (d.first_time(Decoded::via)) {
    const HeaderLine* const line = header(HeaderId::via);
    std::string_view first;
    if (line == nullptr) {
      d.via_value = tl::unexpected(missing(Decoded::via, HeaderId::via));
    } else if (ListWalker walker(line->value); !walker.next(first)) {
      d.via_value = tl::unexpected(described(Decoded::via, HeaderId::via, {walker.broken() ? "unterminated quoted string" : "empty"}, line->value));
    } else if (d.via_value = parse_via(first); !d.via_value) {
      d.via_value = tl::unexpected(described(Decoded::via, HeaderId::via, d.via_value.error(), first));
    }
  }
  return d.via_value;
}

const tl::expected<NameAddr, Error>& Message::from() const {
  Decoded& d = decoded();
  if (d.first_time(Decoded::from)) {
    const HeaderLine* const line = header(HeaderId::from);
    if (line == nullptr) {
      d.from_value = tl::unexpected(missing(Decoded::from, HeaderId::from));
    } else if (d.from_value = parse_name_addr(line->value); !d.from_value) {
      d.from_value = tl::unexpected(described(Decoded::from, HeaderId::from, d.from_value.error(), line->value));
    }
  }
  return d.from_value;
}

const tl::expected<NameAddr, Error>& Message::to() const {
  Decoded& d = decoded();
  if (d.first_time(Decoded::to)) {
    const HeaderLine* const line = header(HeaderId::to);
    if (line == nullptr) {
      d.to_value = tl::unexpected(missing(Decoded::to, HeaderId::to));
    } else if (d.to_value = parse_name_addr(line->value); !d.to_value) {
      d.to_value = tl::unexpected(described(Decoded::to, HeaderId::to, d.to_value.error(), line->value));
    }
  }
  return d.to_value;
}

const tl::expected<CSeq, Error>& Message::cseq() const {
  Decoded& d = decoded();
  if (d.first_time(Decoded::cseq)) {
    const HeaderLine* const line = header(HeaderId::cseq);
    if (line == nullptr) {
      d.cseq_value = tl::unexpected(missing(Decoded::cseq, HeaderId::cseq));
    } else if (d.cseq_value = parse_cseq(line->value); !d.cseq_value) {
      d.cseq_value = tl::unexpected(described(Decoded::cseq, HeaderId::cseq, d.cseq_value.error(), line->value));
    }
  }
  return d.cseq_value;
}

const tl::expected<std::vector<Contact>, Error>& Message::contacts() const {
  Decoded& d = decoded();
  if (!d.first_time(Decoded::contacts)) return d.contacts_value;
  if (!d.contacts_value) d.contacts_value = std::vector<Contact>();
  d.contacts_value->clear();
  if (!has(HeaderId::contact)) return d.contacts_value;
  for (const HeaderLine& line : headers_) {
    if (line.id != HeaderId::contact) continue;
    ListWalker walker(line.value);
    for (std::string_view value; walker.next(value);) {
      const auto contact = parse_contact(value);
      if (!contact) {
        d.contacts_value = tl::unexpected(described(Decoded::contacts, HeaderId::contact, contact.error(), value));
        return d.contacts_value;
      }
      d.contacts_value->push_back(*contact);
    }
    if (walker.broken()) {
      d.contacts_value = tl::unexpected(described(Decoded::contacts, HeaderId::contact, {"unclosed quote or bracket"}, walker.rest()));
      return d.contacts_value;
    }
  }
  return d.contacts_value;
}

std::optional<std::uint32_t> Message::max_forwards() const {
  const HeaderLine* const line = header(HeaderId::max_forwards);
  if (line == nullptr) return std::nullopt;
  const auto number = parse_number(line->value);
  if (!number || *number > 255) return std::nullopt;  // §20.22
  return *number;
}

std::optional<std::uint32_t> Message::expires() const {
  const HeaderLine* const line = header(HeaderId::expires);
  if (line == nullptr) return std::nullopt;
  const auto number = parse_number(line->value);
  if (!number) return std::nullopt;
  return *number;
}

tl::expected<void, Error> Message::check_mandatory() const {
  const auto other = Decoded::other;
  for (const HeaderId id : kMandatory) {
    if (!has(id)) return tl::unexpected(missing(other, id));
  }
  if (const std::uint64_t twice = repeated_ & once_mask(); twice != 0) {
    const auto id = static_cast<HeaderId>(__builtin_ctzll(twice));
    std::string& text = decoded().reasons[other];
    text = header_info(id).name;
    text += " header given twice";
    return tl::unexpected(Error{text, static_cast<std::size_t>(header(id)->name.data() - bytes_.data())});
  }
  if (const auto& via = top_via(); !via) return tl::unexpected(via.error());
  if (const auto& sender = from(); !sender) return tl::unexpected(sender.error());
  if (const auto& receiver = to(); !receiver) return tl::unexpected(receiver.error());
  const auto& number = cseq();
  if (!number) return tl::unexpected(number.error());
  const std::string_view id = call_id();
  if (id.empty()) return tl::unexpected(described(other, HeaderId::call_id, {"empty"}, id));
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (!text::is(id[i], text::kWord)) return tl::unexpected(described(other, HeaderId::call_id, {"bad character", i}, id));
  }
  if (!is_request()) return {};

  if (number->method_text != method_text_) {
    return tl::unexpected(described(other, HeaderId::cseq, {"its method is not the request's"}, value(HeaderId::cseq)));
  }
  if (has(HeaderId::max_forwards) && !max_forwards()) {
    return tl::unexpected(described(other, HeaderId::max_forwards, {"not a number up to 255"}, value(HeaderId::max_forwards)));
  }
  const auto& uri = request_uri();
  if (!uri) return tl::unexpected(uri.error());
  if (!uri->headers.empty()) {  // §19.1.1: not allowed there
    return tl::unexpected(described(other, HeaderId::other, {"it has headers"}, uri->headers));
  }
  return {};
}

}  // namespace jackfield::sip
