#include "stack/dns_message.h"

#include <sys/socket.h>

#include <ares.h>
#include <netinet/in.h>

#include <algorithm>
#include <optional>

namespace jackfield::sip::stack {

namespace {

using std::chrono::seconds;

constexpr std::uint16_t kCname = 5, kSoa = 6, kInternet = 1;
constexpr unsigned kNameError = 3;  // NXDOMAIN
// Without an SOA nothing vouches for an absence (RFC 2308 §5 would not keep it at all).
constexpr seconds kUnvouched{5};
constexpr std::size_t kMaxNameLength = 253;

/// Reads on and on, and once past the end nothing but failure.
class Reader {
 public:
  explicit Reader(std::span<const unsigned char> message) : message_(message) {}

  bool good() const { return good_; }
  std::size_t at() const { return at_; }
  void seek(std::size_t at) { at > message_.size() ? fail() : void(at_ = at); }
  std::uint8_t byte() { return take(1) ? message_[at_ - 1] : std::uint8_t(0); }
  std::uint16_t word() { return take(2) ? static_cast<std::uint16_t>(message_[at_ - 2] << 8 | message_[at_ - 1]) : std::uint16_t(0); }
  std::uint32_t number() {
    const std::uint32_t high = word();
    return high << 16 | word();
  }
  std::span<const unsigned char> bytes(std::size_t size) { return take(size) ? message_.subspan(at_ - size, size) : std::span<const unsigned char>(); }

  /// A domain name, which may point back into the message (RFC 1035 §4.1.4).
  std::string name() {
    char* expanded = nullptr;
    long size = 0;
    if (!good_ || at_ >= message_.size() ||
        ares_expand_name(message_.data() + at_, message_.data(), static_cast<int>(message_.size()), &expanded, &size) != ARES_SUCCESS)
      return fail(), std::string();
    std::string out(expanded);
    ares_free_string(expanded);
    take(static_cast<std::size_t>(size));
    if (out.ends_with('.')) out.pop_back();
    if (out.size() > kMaxNameLength) fail();
    for (char& c : out)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
  }
  /// RFC 1035 §3.3: a length and that many characters.
  std::string text() {
    const auto content = bytes(byte());
    return {content.begin(), content.end()};
  }

 private:
  bool take(std::size_t size) {
    if (!good_ || message_.size() - at_ < size) return fail(), false;
    at_ += size;
    return true;
  }
  void fail() { good_ = false; }

  std::span<const unsigned char> message_;
  std::size_t at_ = 0;
  bool good_ = true;
};

struct Record {
  std::uint16_t type = 0;
  seconds ttl{0};
  std::size_t end = 0;
};

/// RFC 2181 §8: a TTL with the highest bit set is 0.
seconds ttl_of(std::uint32_t number) { return seconds(number > INT32_MAX ? 0 : number); }

/// The head of a record; its data follows.
Record read_record(Reader& reader) {
  reader.name();
  Record record;
  record.type = reader.word();
  const auto klass = reader.word();
  record.ttl = ttl_of(reader.number());
  const std::size_t length = reader.word();
  record.end = reader.at() + length;
  if (klass != kInternet) record.type = 0;
  return record;
}

template <class SocketAddress>
void read_address(Reader& reader, DnsAnswer& answer) {
  SocketAddress socket{};
  std::span<const unsigned char> bytes;
  if constexpr (std::is_same_v<SocketAddress, sockaddr_in>) {
    socket.sin_family = AF_INET;
    bytes = reader.bytes(4);
    if (reader.good()) std::copy(bytes.begin(), bytes.end(), reinterpret_cast<unsigned char*>(&socket.sin_addr));
  } else {
    socket.sin6_family = AF_INET6;
    bytes = reader.bytes(16);
    if (reader.good()) std::copy(bytes.begin(), bytes.end(), reinterpret_cast<unsigned char*>(&socket.sin6_addr));
  }
  if (reader.good()) answer.addresses.push_back(net::Address::from(reinterpret_cast<const sockaddr&>(socket)));
}

void read_data(Reader& reader, DnsType type, DnsAnswer& answer) {
  switch (type) {
    case DnsType::a: return read_address<sockaddr_in>(reader, answer);
    case DnsType::aaaa: return read_address<sockaddr_in6>(reader, answer);
    case DnsType::srv: {
      SrvRecord record;
      record.priority = reader.word();
      record.weight = reader.word();
      record.port = reader.word();
      record.target = reader.name();
      answer.srv.push_back(std::move(record));
      return;
    }
    case DnsType::naptr: {
      NaptrRecord record;
      record.order = reader.word();
      record.preference = reader.word();
      record.flags = reader.text();
      record.service = reader.text();
      const auto expression = reader.text();
      record.replacement = reader.name();
      if (expression.empty()) answer.naptr.push_back(std::move(record));  // RFC 3263 §4.1 has none
      return;
    }
  }
}

/// How long an absence holds: the lesser of the SOA's own TTL and its minimum (RFC 2308 §5).
std::optional<seconds> absence(Reader& reader, unsigned records) {
  for (unsigned number = 0; number < records && reader.good(); ++number) {
    const auto record = read_record(reader);
    if (record.type == kSoa) {
      reader.name(), reader.name();
      for (int skipped = 0; skipped < 4; ++skipped) reader.number();  // serial, refresh, retry, expire
      const auto minimum = ttl_of(reader.number());
      if (reader.good()) return std::min(record.ttl, minimum);
    }
    reader.seek(record.end);
  }
  return std::nullopt;
}

DnsAnswer failed(std::string problem) { return {.status = DnsAnswer::Status::failed, .problem = std::move(problem)}; }

}  // namespace

std::string_view dns_type_name(DnsType type) {
  switch (type) {
    case DnsType::a: return "A";
    case DnsType::aaaa: return "AAAA";
    case DnsType::srv: return "SRV";
    case DnsType::naptr: return "NAPTR";
  }
  return "?";
}

DnsAnswer read_dns_message(std::span<const unsigned char> message, DnsType type) {
  Reader reader(message);
  reader.word();  // the identifier: c-ares has compared it
  const unsigned code = reader.word() & 0x0f;
  const unsigned questions = reader.word(), answers = reader.word(), authorities = reader.word();
  reader.word();  // additional records: not asked for, not believed
  for (unsigned number = 0; number < questions && reader.good(); ++number) reader.name(), reader.word(), reader.word();
  if (!reader.good()) return failed("the name server's answer is broken");
  if (code != 0 && code != kNameError) return failed("the name server refused");

  DnsAnswer answer;
  seconds ttl = seconds::max();
  std::size_t taken = 0;
  for (unsigned number = 0; number < answers && reader.good(); ++number) {
    const auto record = read_record(reader);
    const bool wanted = record.type == static_cast<std::uint16_t>(type);
    if (wanted && taken < kMaxRecords) read_data(reader, type, answer), ++taken;
    if (wanted || record.type == kCname) ttl = std::min(ttl, record.ttl);  // an alias holds no longer than its own record
    if (reader.good() && reader.at() > record.end) return failed("the name server's answer is broken");
    reader.seek(record.end);
  }
  if (!reader.good()) return failed("the name server's answer is broken");
  if (taken > 0) {
    answer.status = DnsAnswer::Status::found;
    answer.ttl = ttl;
    return answer;
  }
  answer.status = DnsAnswer::Status::none;
  answer.ttl = absence(reader, authorities).value_or(kUnvouched);
  return answer;
}

}  // namespace jackfield::sip::stack
