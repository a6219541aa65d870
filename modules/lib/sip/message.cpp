#include "sip/message.h"

#include <algorithm>
#include <cstring>

#include "sip/message_decoded.h"
#include "sip/scan.h"
#include "sip/text.h"

namespace jackfield::sip {
namespace {

using text::is;

static_assert(kHeaderIds <= 64, "Message::repeated_ has a bit for each header");
constexpr std::uint64_t bit(HeaderId id) { return std::uint64_t{1} << static_cast<unsigned>(id); }

constexpr std::size_t kMaxHeaders = 65535;  // first_ counts in 16 bits
constexpr std::string_view kVersion = "SIP/2.0";

tl::unexpected<Error> fail(std::string_view reason, std::size_t offset, int status = 400) {
  return tl::unexpected(Error{reason, offset, status});
}

/// `SIP/7.0`: ours in shape, but not in number.
bool is_other_version(std::string_view text) {
  if (text.size() < 7 || !text::equal(text.substr(0, 4), "SIP/")) return false;
  for (const char c : text.substr(4)) {
    if (!is(c, text::kDigit) && c != '.') return false;
  }
  return true;
}

}  // namespace

Message::Message() : decoded_(std::make_unique<Decoded>()) {}
Message::~Message() = default;
Message::Message(Message&&) noexcept = default;
Message& Message::operator=(Message&&) noexcept = default;

Message::Decoded& Message::decoded() const {
  if (!decoded_) decoded_ = std::make_unique<Decoded>();  // moved from, and used again
  return *decoded_;
}

tl::expected<void, Error> Message::parse(std::string_view bytes, const Limits& limits) {
  headers_.clear();
  first_.fill(0);
  repeated_ = 0;
  method_text_ = request_uri_ = reason_ = body_ = {};
  method_ = Method::other;
  status_ = 0;
  decoded().known = 0;

  const char* const begin = bytes.data();
  std::size_t start = 0;
  while (start < bytes.size() && (bytes[start] == '\r' || bytes[start] == '\n')) ++start;  // §7.5
  bytes_ = bytes.substr(start);
  const char* const end = begin + bytes.size();
  const char* const line_end = text::find_line_break(begin + start, end);
  if (end - line_end < 2 || line_end[0] != '\r' || line_end[1] != '\n') return fail("Start line without an end", static_cast<std::size_t>(line_end - begin));
  tl::expected<void, Error> result = parse_start_line({begin + start, static_cast<std::size_t>(line_end - begin) - start});
  if (!result) {
    result.error().offset += start;
    if (method_text_.empty()) return result;  // nothing that could be answered
  }

  const std::size_t most = std::min(limits.max_headers, kMaxHeaders);
  const auto note = [&result](std::string_view reason, std::size_t offset) {
    if (result) result = fail(reason, offset);
  };
  LineWalker lines({line_end + 2, static_cast<std::size_t>(end - line_end - 2)});
  for (;;) {
    const char* const from = lines.at();
    const auto what = lines.next();
    if (what == LineWalker::What::end) break;
    const auto offset = static_cast<std::size_t>(from - begin);
    if (what == LineWalker::What::truncated) {
      note("Headers without an empty line at their end", bytes.size());
      return result;
    }
    if (what == LineWalker::What::bad) {
      note(lines.problem(), offset);
      continue;
    }
    if (headers_.size() >= most) return fail("Too many header lines", offset, 513);
    if (offset - start > limits.max_header_bytes) return fail("Headers too large", offset, 513);
    const HeaderId id = header_id(lines.name());
    headers_.push_back({id, lines.name(), lines.value()});
    auto& first = first_[static_cast<std::size_t>(id)];
    if (first == 0) {
      first = static_cast<std::uint16_t>(headers_.size());
    } else {
      repeated_ |= bit(id);
    }
  }
  const auto offset = static_cast<std::size_t>(lines.at() - begin);
  if (offset - start > limits.max_header_bytes) return fail("Headers too large", offset, 513);
  if (const auto good = take_body(bytes.substr(offset), start); !good && result) result = good;
  bytes_ = bytes_.substr(0, static_cast<std::size_t>(lines.at() - bytes_.data()) + body_.size());
  if (status_ != 0) {
    if (const auto& number = cseq()) method_ = number->method;
  }
  return result;
}

tl::expected<void, Error> Message::parse_start_line(std::string_view line) {
  if (line.size() >= 4 && text::equal(line.substr(0, 4), "SIP/")) {
    // SIP-Version SP 3DIGIT SP reason; the last SP is forgiven where nothing follows.
    const std::size_t space = line.find(' ');
    if (!text::equal(line.substr(0, space), kVersion)) return fail("Version Not Supported", 0, 505);
    std::string_view rest = line.substr(std::min(line.size(), kVersion.size() + 1));
    int code = 0;
    std::size_t digits = 0;
    while (digits < rest.size() && digits < 4 && is(rest[digits], text::kDigit)) code = code * 10 + (rest[digits++] - '0');
    if (digits != 3 || code < 100 || code > 699 || (rest.size() > 3 && rest[3] != ' ')) return fail("Bad status code", kVersion.size() + 1);
    status_ = code;
    reason_ = rest.substr(std::min<std::size_t>(rest.size(), 4));
    return {};
  }
  const auto at = static_cast<std::size_t>(text::find_token_end(line.data(), line.data() + line.size()) - line.data());
  if (at == 0 || at == line.size() || line[at] != ' ') return fail("Bad method in the request line", at);
  // From here on it can be answered.
  method_text_ = line.substr(0, at);
  method_ = method_from(method_text_);
  const std::size_t uri = at + 1;
  const std::size_t space = line.find(' ', uri);
  if (space == std::string_view::npos) return fail("Request line without a version", line.size());
  const std::string_view version = line.substr(space + 1);
  if (space == uri) return fail("Request line with more than one space between its parts", uri);
  request_uri_ = line.substr(uri, space - uri);
  if (text::equal(version, kVersion)) return {};
  if (is_other_version(version)) return fail("Version Not Supported", space + 1, 505);
  return fail("Bad request line", space + 1);
}

tl::expected<void, Error> Message::take_body(std::string_view rest, std::size_t start) {
  body_ = rest;
  const HeaderLine* const line = header(HeaderId::content_length);
  if (line == nullptr) return {};
  const auto where = static_cast<std::size_t>(line->value.data() - bytes_.data()) + start;
  if (repeats(HeaderId::content_length)) return fail("Content-Length header given twice", where);
  const auto length = parse_number(line->value);
  if (!length) return fail("Bad Content-Length header", where);
  if (*length > rest.size()) return fail("Content-Length larger than the message", where);
  body_ = rest.substr(0, *length);
  return {};
}

Message Message::clone() const {
  Message copy;
  copy.owned_ = std::make_unique_for_overwrite<char[]>(bytes_.size());
  if (!bytes_.empty()) std::memcpy(copy.owned_.get(), bytes_.data(), bytes_.size());
  const char* const base = copy.owned_.get();
  const auto moved = [&](std::string_view view) {
    return view.data() == nullptr ? view : std::string_view(base + (view.data() - bytes_.data()), view.size());
  };
  copy.bytes_ = moved(bytes_);
  copy.method_text_ = moved(method_text_);
  copy.request_uri_ = moved(request_uri_);
  copy.reason_ = moved(reason_);
  copy.body_ = moved(body_);
  copy.headers_.reserve(headers_.size());
  for (const HeaderLine& line : headers_) copy.headers_.push_back({line.id, moved(line.name), moved(line.value)});
  copy.first_ = first_;
  copy.repeated_ = repeated_;
  copy.method_ = method_;
  copy.status_ = status_;
  return copy;
}

const HeaderLine* Message::header(std::string_view name) const {
  const HeaderId id = header_id(name);
  if (id != HeaderId::other) return header(id);
  for (const HeaderLine& line : headers_) {
    if (line.id == HeaderId::other && text::equal(line.name, name)) return &line;
  }
  return nullptr;
}

std::vector<std::string_view> Message::list(HeaderId id) const {
  std::vector<std::string_view> out;
  if (!has(id)) return out;
  for (const HeaderLine& line : headers_) {
    if (line.id != id) continue;
    if (header_info(id).list) {
      split_list(line.value, out);
    } else {
      out.push_back(line.value);
    }
  }
  return out;
}

std::vector<AuthHeader> Message::digests(HeaderId id) const {
  std::vector<AuthHeader> out;
  if (!has(id)) return out;
  for (const HeaderLine& line : headers_) {
    if (line.id != id) continue;
    if (const auto header = parse_auth(line.value); header && text::equal(header->scheme, "Digest")) out.push_back(*header);
  }
  return out;
}

bool Message::lists(HeaderId id, std::string_view token) const {
  if (!has(id)) return false;
  for (const HeaderLine& line : headers_) {
    if (line.id != id) continue;
    ListWalker walker(line.value);
    for (std::string_view value; walker.next(value);) {
      if (text::equal(value, token)) return true;
    }
  }
  return false;
}

}  // namespace jackfield::sip
