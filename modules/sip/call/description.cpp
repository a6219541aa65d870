#include "call/description.h"

#include <jackfield/messages/parameters.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "sdp/sdp.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

bool equal_without_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

bool is_sdp(std::string_view content_type) {
  const auto type = parse_media_type(content_type);
  return type && type->is("application", "sdp");
}

/// Where the next line begins that is the delimiter; npos: none.
std::size_t find_delimiter(std::string_view body, std::string_view delimiter, std::size_t from) {
  for (auto at = body.find(delimiter, from); at != std::string_view::npos; at = body.find(delimiter, at + 1))
    if (at == 0 || body[at - 1] == '\n') return at;
  return std::string_view::npos;
}

/// The content of a part that is a session description, else nothing.
std::string_view content_if_sdp(std::string_view part) {
  constexpr std::string_view kName = "content-type:";
  bool sdp = false;
  while (!part.empty()) {
    const auto newline = part.find('\n');
    if (newline == std::string_view::npos) return {};
    auto line = part.substr(0, newline);
    part.remove_prefix(newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) break;
    if (line.size() > kName.size() && equal_without_case(line.substr(0, kName.size()), kName)) {
      line.remove_prefix(std::min(line.find_first_not_of(" \t", kName.size()), line.size()));
      sdp = is_sdp(line);
    }
  }
  if (!sdp) return {};
  // The line break before a delimiter belongs to it (RFC 2046 §5.1.1). Many leave it at that one, and a description ends with its own.
  if (part.ends_with("\r\n\r\n")) part.remove_suffix(2);
  return part;
}

std::string_view sdp_part(std::string_view body, std::string_view boundary) {
  const std::string delimiter = "--" + std::string(boundary);
  auto at = find_delimiter(body, delimiter, 0);
  while (at != std::string_view::npos) {
    const auto newline = body.find('\n', at);
    const auto next = newline == std::string_view::npos ? newline : find_delimiter(body, delimiter, newline + 1);
    if (next == std::string_view::npos) break;  // the last delimiter, or a part that was cut off
    if (const auto content = content_if_sdp(body.substr(newline + 1, next - newline - 1)); !content.empty()) return content;
    at = next;
  }
  return {};
}

/// Yate's names of formats, and what names a stream's payload types: the static ones of RFC 3551, else rtpmap.
struct Format {
  std::string_view encoding, name;
  int payload = -1;  ///< dynamic
};
constexpr Format kFormats[] = {
    {"PCMU/8000", "mulaw", 0}, {"PCMA/8000", "alaw", 8}, {"GSM/8000", "gsm", 3},      {"G723/8000", "g723", 4}, {"G722/8000", "g722", 9},
    {"G728/8000", "g728", 15}, {"G729/8000", "g729", 18}, {"iLBC/8000", "ilbc"},      {"AMR/8000", "amr"},      {"AMR-WB/16000", "amr-wb"},
    {"opus/48000", "opus"},    {"speex/8000", "speex"},   {"speex/16000", "speex/16000"},
};

std::string_view format_name(const sdp::Media& media, std::string_view payload) {
  for (const sdp::Line& line : media.lines) {
    constexpr std::string_view kMap = "rtpmap:";
    if (line.type != 'a' || !line.value.starts_with(kMap)) continue;
    auto value = line.value.substr(kMap.size());
    if (!value.starts_with(payload) || value.size() <= payload.size() || value[payload.size()] != ' ') continue;
    value.remove_prefix(payload.size() + 1);
    for (const Format& format : kFormats)
      if (equal_without_case(value.substr(0, format.encoding.size()), format.encoding)) return format.name;
    return {};
  }
  int number = -1;
  std::from_chars(payload.data(), payload.data() + payload.size(), number);
  for (const Format& format : kFormats)
    if (number >= 0 && format.payload == number) return format.name;
  return {};
}

std::string format_names(const sdp::Media& media) {
  std::string names;
  for (auto rest = media.formats; !rest.empty();) {
    const auto blank = rest.find(' ');
    if (const auto name = format_name(media, rest.substr(0, blank)); !name.empty()) names.append(names.empty() ? "" : ",").append(name);
    rest.remove_prefix(blank == std::string_view::npos ? rest.size() : blank + 1);
  }
  return names;
}

}  // namespace

std::string_view description_of(const Message& message) {
  const auto body = message.body();
  const auto* content_type = body.empty() ? nullptr : message.header(HeaderId::content_type);
  if (!content_type) return body;
  const auto type = parse_media_type(content_type->value);
  if (!type) return {};
  if (type->is("application", "sdp")) return body;
  const auto boundary = type->parameters.get("boundary");
  return equal_without_case(type->type, "multipart") && boundary ? sdp_part(body, *boundary) : std::string_view();
}

bool has_unknown_body(const Message& message) {
  if (message.body().empty() || !description_of(message).empty()) return false;
  const auto disposition = message.value(HeaderId::content_disposition);
  const Parameters parameters{disposition.substr(std::min(disposition.find(';'), disposition.size()))};
  return !equal_without_case(parameters.get("handling").value_or("required"), "optional");
}

void describe_media(jackfield::Message& message, std::string_view description) {
  if (description.empty()) return;
  message.set(param::kMedia, "yes").set(param::kRtpForward, "possible").set(param::kSdpRaw, description);
  sdp::Session session;
  if (!session.parse(description)) return;
  const auto audio = std::ranges::find(session.media(), std::string_view("audio"), &sdp::Media::type);
  if (audio == session.media().end()) return;
  if (const auto names = format_names(*audio); !names.empty()) message.set(param::kFormats, names);
  if (!audio->connection.address.empty()) message.set(param::kRtpAddr, audio->connection.address);
  message.set(param::kRtpPort, audio->port);
}

namespace {

constexpr int kDiscard = 9;  // RFC 863: nothing is listened to, and 0 would refuse the stream
constexpr std::string_view kNobody = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n";

}  // namespace

std::string held_offer() {
  // PCMU and PCMA: what every phone knows (RFC 3551 §6).
  return std::string(kNobody).append("m=audio ").append(std::to_string(kDiscard)).append(" RTP/AVP 0 8\r\na=inactive\r\n");
}

std::optional<std::string> held_answer(std::string_view offer) {
  sdp::Session session;
  if (!session.parse(offer)) return std::nullopt;
  std::string answer(kNobody);
  bool taken = false;
  for (const auto& media : session.media()) {
    // An encrypted stream would need keys.
    const bool take = media.port != 0 && media.type == "audio" && (media.protocol == "RTP/AVP" || media.protocol == "RTP/AVPF");
    taken = taken || take;
    answer.append("m=").append(media.type).append(" ").append(std::to_string(take ? kDiscard : 0)).append(" ").append(media.protocol).append(" ").append(media.formats).append("\r\n");
    if (!take) continue;
    for (const auto& line : media.lines)
      if (line.type == 'a' && (line.value.starts_with("rtpmap:") || line.value.starts_with("fmtp:"))) answer.append("a=").append(line.value).append("\r\n");
    answer += "a=inactive\r\n";
  }
  if (!taken) return std::nullopt;
  return answer;
}

std::size_t stream_count(std::string_view description) {
  std::size_t count = 0;
  for (auto at = description.find("\nm="); at != std::string_view::npos; at = description.find("\nm=", at + 1)) ++count;
  return count;
}

std::string with_streams_of(std::string_view offer, std::string_view session) {
  std::string out(offer);
  const auto count = stream_count(offer);
  if (stream_count(session) <= count) return out;
  sdp::Session parsed;
  if (!parsed.parse(session)) return out;
  if (!out.ends_with('\n')) out += "\r\n";
  std::size_t number = 0;
  for (const auto& media : parsed.media())
    if (number++ >= count) out.append("m=").append(media.type).append(" 0 ").append(media.protocol).append(" ").append(media.formats).append("\r\n");
  return out;
}

std::string first_streams(std::string_view answer, std::size_t count) {
  auto at = answer.find("\nm=");
  for (; at != std::string_view::npos && count > 0; --count) at = answer.find("\nm=", at + 1);
  return std::string(at == std::string_view::npos ? answer : answer.substr(0, at + 1));
}

}  // namespace jackfield::sip::call
