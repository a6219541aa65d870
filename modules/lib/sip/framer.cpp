// StreamFramer: RFC 3261 §18.3 and the keep-alives of RFC 5626 §4.4.1.
#include <algorithm>
#include <cstring>

#include "sip/message.h"
#include "sip/scan.h"
#include "sip/text.h"

namespace jackfield::sip {
namespace {

constexpr std::size_t kKeptCapacity = 4096;  // of an idle connection's buffer
constexpr std::size_t kNone = std::string::npos;

struct BodyLength {
  std::size_t bytes = 0;
  std::string_view problem;
};

BodyLength body_length(std::string_view headers) {
  BodyLength result;
  const std::size_t start_line = headers.find("\r\n");
  LineWalker lines(headers.substr(start_line + 2));
  bool found = false;
  for (;;) {
    const auto what = lines.next();
    if (what == LineWalker::What::end || what == LineWalker::What::truncated) break;
    // A line that is wrong may have been meant to be the length: what follows the headers is then anybody's guess.
    if (what == LineWalker::What::bad) return {0, lines.problem()};
    if (header_id(lines.name()) != HeaderId::content_length) continue;
    if (found) return {0, "Content-Length header given twice"};
    const auto number = parse_number(lines.value());
    if (!number) return {0, "Bad Content-Length header"};
    result.bytes = *number;
    found = true;
  }
  if (!found) result.problem = "Missing Content-Length header";
  return result;
}

}  // namespace

void StreamFramer::feed(std::string_view bytes) {
  if (failure_ != What::need_more) return;
  if (start_ == buffer_.size()) {
    buffer_.clear();
    if (buffer_.capacity() > kKeptCapacity) std::string().swap(buffer_);
    start_ = scanned_ = 0;
  } else if (start_ > buffer_.size() / 2) {
    // What is moved is less than what has been handed out since: linear in all.
    buffer_.erase(0, start_);
    scanned_ -= std::min(scanned_, start_);
    start_ = 0;
  }
  buffer_.append(bytes);
}

StreamFramer::Cut StreamFramer::failed() const {
  return {failure_, std::string_view(buffer_).substr(start_, failure_seen_), failure_reason_};
}

StreamFramer::Cut StreamFramer::give_up(What what, std::string_view reason, std::size_t seen) {
  failure_ = what;
  failure_reason_ = reason;
  failure_seen_ = std::min(seen, buffer_.size() - start_);
  return failed();
}

/// The length of start line and headers with their empty line; kNone while that is not there.
std::size_t StreamFramer::find_header_end() {
  const char* const begin = buffer_.data() + start_;
  const char* const end = buffer_.data() + buffer_.size();
  // The end may lie across what was seen before.
  const std::size_t from = std::max(start_, scanned_ < start_ + 3 ? start_ : scanned_ - 3);
  for (const char* p = buffer_.data() + from; end - p >= 4; ++p) {
    p = static_cast<const char*>(std::memchr(p, '\r', static_cast<std::size_t>(end - p - 3)));
    if (p == nullptr) break;
    if (std::memcmp(p, "\r\n\r\n", 4) == 0) return static_cast<std::size_t>(p + 4 - begin);
  }
  scanned_ = buffer_.size();
  return kNone;
}

StreamFramer::Cut StreamFramer::next() {
  if (failure_ != What::need_more) return failed();
  const std::string_view all = buffer_;
  if (length_ == 0) {
    // Line ends between messages: two are a ping, one is a pong or belongs to nobody.
    while (start_ < all.size() && (all[start_] == '\r' || all[start_] == '\n')) {
      const std::string_view rest = all.substr(start_, 4);
      if (rest == "\r\n\r\n") {
        start_ += 4;
        return {What::keepalive, rest, {}};
      }
      if (std::string_view("\r\n\r\n").substr(0, rest.size()) == rest) return {What::need_more, {}, {}};
      if (rest.size() < 2 || rest.substr(0, 2) != "\r\n") return give_up(What::bad, "Line end without carriage return or line feed", 1);
      start_ += 2;
    }
    if (start_ == all.size()) return {What::need_more, {}, {}};
    if (!text::is(all[start_], text::kToken)) return give_up(What::bad, "Not a SIP message", 1);

    const std::size_t headers = find_header_end();
    if (headers == kNone ? all.size() - start_ > options_.max_header_bytes : headers > options_.max_header_bytes) {
      return give_up(What::too_large, "Headers too large", options_.max_header_bytes);
    }
    if (headers == kNone) return {What::need_more, {}, {}};
    const BodyLength body = body_length(all.substr(start_, headers));
    if (!body.problem.empty()) return give_up(What::bad, body.problem, headers);
    if (body.bytes > options_.max_body_bytes) return give_up(What::too_large, "Message body too large", headers);
    length_ = headers + body.bytes;
  }
  if (all.size() - start_ < length_) return {What::need_more, {}, {}};
  const Cut cut{What::message, all.substr(start_, length_), {}};
  start_ += length_;
  scanned_ = start_;
  length_ = 0;
  return cut;
}

}  // namespace jackfield::sip
