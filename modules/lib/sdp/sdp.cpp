#include "sdp/sdp.h"

#include <algorithm>
#include <charconv>

namespace jackfield::sdp {
namespace {

/// Cuts the next field at a single space. Empty when there is none.
std::string_view take_field(std::string_view& rest) {
  const std::size_t end = rest.find(' ');
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return field;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool to_number(std::string_view text, std::uint16_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
}

std::optional<Origin> parse_origin(std::string_view value) {
  Origin origin;
  for (std::string_view* field : {&origin.username, &origin.session_id, &origin.version, &origin.net_type, &origin.address_type}) {
    *field = take_field(value);
  }
  origin.address = value;
  // Some phones put letters into the session id; it is replaced anyway. The version they compare as a number.
  const bool good = is_word(origin.username) && is_word(origin.session_id) && is_number(origin.version) && is_word(origin.net_type) &&
                    is_word(origin.address_type) && is_word(origin.address);
  return good ? std::optional(origin) : std::nullopt;
}

std::optional<Connection> parse_connection(std::string_view value) {
  Connection connection;
  connection.net_type = take_field(value);
  connection.address_type = take_field(value);
  connection.address = value;
  const bool good = is_word(connection.net_type) && is_word(connection.address_type) && is_word(connection.address);
  return good ? std::optional(connection) : std::nullopt;
}

/// `audio 49170/2 RTP/AVP 0 8`
std::optional<Media> parse_media(std::string_view value) {
  Media media;
  media.type = take_field(value);
  std::string_view port = take_field(value);
  if (const std::size_t slash = port.find('/'); slash != std::string_view::npos) {
    if (!to_number(port.substr(slash + 1), media.ports) || media.ports == 0) return std::nullopt;
    port = port.substr(0, slash);
  }
  media.protocol = take_field(value);
  media.formats = value;
  const bool good = is_word(media.type) && to_number(port, media.port) && is_word(media.protocol) && !value.empty();
  return good ? std::optional(media) : std::nullopt;
}

constexpr std::string_view kDirections[] = {"sendrecv", "sendonly", "recvonly", "inactive"};

std::optional<Direction> parse_direction(std::string_view attribute) {
  for (std::size_t i = 0; i < std::size(kDirections); ++i) {
    if (attribute == kDirections[i]) return static_cast<Direction>(i);
  }
  return std::nullopt;
}

/// Cuts a line off `rest`, without its CRLF or LF.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

}  // namespace

std::string_view direction_name(Direction direction) { return kDirections[static_cast<std::size_t>(direction)]; }

tl::expected<void, Error> Session::parse(std::string_view text, const Limits& limits) {
  text_ = text;
  lines_.clear();
  media_.clear();
  media_at_.clear();
  media_direction_.clear();
  origin_ = {};
  connection_ = {};
  direction_ = Direction::sendrecv;

  if (text.size() > limits.max_bytes) return tl::unexpected(Error{"SDP: too large"});
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t number = lines_.size() + 1;
    const std::string_view line = take_line(rest);
    if (line.empty() && rest.find_first_not_of("\r\n") == std::string_view::npos) break;  // blank lines at the very end
    if (number > limits.max_lines) return tl::unexpected(Error{"SDP: too many lines", number});
    if (line.size() < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z') return tl::unexpected(Error{"SDP: line that is not x=value", number});
    if (line.find_first_of(std::string_view("\0\r", 2)) != std::string_view::npos) return tl::unexpected(Error{"SDP: control character", number});
    lines_.push_back({line[0], line.substr(2)});
    if (const auto good = read(lines_.back(), limits.max_media); !good) return tl::unexpected(Error{good.error(), number});
  }
  if (lines_.empty()) return tl::unexpected(Error{"SDP: empty", 1});
  if (origin_.username.empty()) return tl::unexpected(Error{"SDP: no o= line", lines_.size()});
  settle();
  return {};
}

tl::expected<void, std::string_view> Session::read(const Line& line, std::size_t limit_media) {
  const auto bad = [](std::string_view reason) { return tl::unexpected(reason); };
  if (lines_.size() == 1) {
    if (line.type != 'v') return bad("SDP: does not begin with v=");
    if (line.value != "0") return bad("SDP: unknown version");
    return {};
  }
  switch (line.type) {
    case 'v':
      return bad("SDP: more than one v= line");
    case 'o': {
      if (!media_.empty() || !origin_.username.empty()) return bad("SDP: more than one o= line, or one after m=");
      const auto origin = parse_origin(line.value);
      if (!origin) return bad("SDP: bad o= line");
      origin_ = *origin;
      break;
    }
    case 'c': {
      const auto connection = parse_connection(line.value);
      if (!connection) return bad("SDP: bad c= line");
      Connection& target = media_.empty() ? connection_ : media_.back().connection;
      if (target.address.empty()) target = *connection;  // several are layers of one multicast: the first stands for them
      break;
    }
    case 'm': {
      if (media_.size() >= limit_media) return bad("SDP: too many m= lines");
      const auto media = parse_media(line.value);
      if (!media) return bad("SDP: bad m= line");
      media_.push_back(*media);
      media_at_.push_back(lines_.size() - 1);
      media_direction_.emplace_back();
      break;
    }
    case 'a':
      if (const auto direction = parse_direction(line.value)) {
        if (media_.empty()) {
          direction_ = *direction;
        } else {
          media_direction_.back() = *direction;
        }
      }
      break;
    default:
      break;
  }
  return {};
}

/// What a medium inherits, once the number of lines is known and their place no longer changes.
void Session::settle() {
  for (std::size_t i = 0; i < media_.size(); ++i) {
    Media& media = media_[i];
    if (media.connection.address.empty()) media.connection = connection_;
    media.direction = media_direction_[i].value_or(direction_);
    const std::size_t begin = media_at_[i] + 1;
    const std::size_t end = i + 1 < media_.size() ? media_at_[i + 1] : lines_.size();
    media.lines = std::span(lines_).subspan(begin, end - begin);
  }
}

std::span<const Line> Session::session_lines() const {
  return std::span(lines_).first(media_at_.empty() ? lines_.size() : media_at_.front());
}

std::string Session::with_origin(std::string_view session_id, std::uint64_t version) const {
  const auto position = [this](std::string_view view) { return static_cast<std::size_t>(view.data() - text_.data()); };
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, version);
  const std::size_t id = position(origin_.session_id), number = position(origin_.version);
  std::string out;
  out.reserve(text_.size() + session_id.size() + sizeof digits);
  out += text_.substr(0, id);
  out += session_id;
  out += text_.substr(id + origin_.session_id.size(), number - id - origin_.session_id.size());
  out.append(digits, end);
  out += text_.substr(number + origin_.version.size());
  return out;
}

bool same_but_origin(std::string_view left, std::string_view right) {
  bool left_had = false, right_had = false;
  const auto next = [](std::string_view& rest, bool& had) {
    for (;;) {
      const std::size_t end = rest.find('\n');
      const std::string_view line = rest.substr(0, end == std::string_view::npos ? end : end + 1);
      rest.remove_prefix(line.size());
      if (had || line.substr(0, 2) != "o=") return line;
      had = true;
    }
  };
  while (!left.empty() || !right.empty()) {
    if (next(left, left_had) != next(right, right_had)) return false;
  }
  return left_had == right_had;
}

}  // namespace jackfield::sdp
