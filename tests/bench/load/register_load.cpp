// Registers users at a server over UDP, as many phones would, and says what each registration took.
//   --server=HOST --port=P --bind=HOST --local-port=P   where to, where from
//   --users=U --count=N --window=W                      N registrations over U users in scattered order, at most W at a time
//   --mode=auth     each one: REGISTER, 401, REGISTER with digest, 200
//   --mode=refresh  each one begins with the last nonce, which all users share: REGISTER, 200; a new 401 is answered and counted
//   --rate=R        R a second instead of as fast as the window allows        --seconds=S  none begins after that
//   --expires=S
// User i is u1000000+i with the password s1000000+i. A registration failed when its 200 lacks our contact, when it was accepted
// without credentials, when anything else came, or when nothing came for ten seconds.
#include <fmt/format.h>

#include <array>
#include <cstdio>

#include "digest/digest.h"
#include "options.h"
#include "outcome.h"
#include "sip_text.h"

using namespace jackfield;
using namespace jackfield::bench;
using std::string_view;

namespace {

constexpr string_view kDomain = "bench.local", kUri = "sip:bench.local", kCnonce = "0a4f113b";
constexpr std::uint64_t kRetransmit = 500000, kRetransmitMost = 4000000, kGiveUp = 10000000;

struct Nonce {
  std::string nonce, realm, qop, opaque;
  std::uint32_t count = 0;
};

struct User {
  Nonce nonce;
  std::uint32_t cseq;
  std::string ha1;
};

/// One registration under way.
struct Slot {
  bool busy = false, authorized = false;
  unsigned user = 0, generation = 0, challenges = 0;
  std::uint64_t began = 0, sent = 0, retransmit = 0;
  std::string request;
};

class RegisterLoad {
 public:
  explicit RegisterLoad(const Options& options)
      : server_(ipv4(options.text("server", "127.0.0.1"), static_cast<int>(options.number("port", 5070)))),
        host_(options.text("bind", "127.0.0.1")),
        hostport_(host_ + ":" + options.text("local-port", "15060")),
        socket_(host_, static_cast<int>(options.number("local-port", 15060))),
        refresh_(options.text("mode", "auth") == "refresh"),
        expires_(options.number("expires", 3600)),
        run_(static_cast<std::uint32_t>(now_us())),
        count_(options.number("count", 10000)),
        pace_(count_, options.real("rate", 0), options.real("seconds", 120)),
        users_(options.number("users", 10000)),
        slots_(options.number("window", 32)) {
    for (auto& user : users_) user.cseq = run_ & 0xffffff;
    for (unsigned i = 0; i < slots_.size(); ++i) free_.push_back(i);
  }

  int run() {
    std::uint64_t looked = now_us();
    while (!pace_.over(started_, now_us()) || free_.size() < slots_.size()) {
      start_some();
      socket_.flush();
      int received = socket_.receive();
      if (received == 0) {
        wait_readable({&socket_}, pace_.patience_ms());
        received = socket_.receive();
      }
      for (int i = 0; i < received; ++i) take(socket_.datagram(i));
      if (now_us() - looked > 50000) {
        looked = now_us();
        look_after(looked);
      }
    }
    return outcome_.report();
  }

 private:
  static unsigned number(unsigned user) { return 1000000 + user; }

  void start_some() {
    const std::uint64_t now = now_us();
    for (const std::size_t allowed = pace_.allowed(now); started_ < allowed && !free_.empty(); ++started_) {
      const unsigned index = free_.back();
      free_.pop_back();
      Slot& slot = slots_[index];
      slot.busy = true;
      slot.user = static_cast<unsigned>((started_ * 7919) % users_.size());
      slot.began = now;
      slot.challenges = 0;
      slot.authorized = refresh_ && !shared_.nonce.empty();
      send_request(index);
    }
  }

  /// In `refresh` all users live on one nonce, as if each had registered a moment ago.
  Nonce& nonce_of(User& user) { return refresh_ ? shared_ : user.nonce; }

  void send_request(unsigned index) {
    Slot& slot = slots_[index];
    User& user = users_[slot.user];
    const unsigned id = number(slot.user);
    ++slot.generation;
    slot.request = fmt::format(
        "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {hostport};rport;branch=z9hG4bK{index:x}.{generation:x}.{run:x}\r\nMax-Forwards: 70\r\n"
        "From: <sip:u{id}@{domain}>;tag=f{generation:x}\r\nTo: <sip:u{id}@{domain}>\r\nCall-ID: r{run:x}-u{id}@{host}\r\nCSeq: {cseq} REGISTER\r\n"
        "Contact: <sip:u{id}@{hostport}>\r\nExpires: {expires}\r\nUser-Agent: bench\r\n",
        fmt::arg("uri", kUri), fmt::arg("hostport", hostport_), fmt::arg("index", index), fmt::arg("generation", slot.generation), fmt::arg("run", run_),
        fmt::arg("id", id), fmt::arg("domain", kDomain), fmt::arg("host", host_), fmt::arg("cseq", ++user.cseq), fmt::arg("expires", expires_));
    if (slot.authorized) slot.request += authorization(user, id);
    slot.request += "Content-Length: 0\r\n\r\n";
    slot.retransmit = kRetransmit;
    transmit(slot);
  }

  void transmit(Slot& slot) {
    slot.sent = now_us();
    socket_.next(server_) = slot.request;
  }

  std::string authorization(User& user, unsigned id) {
    Nonce& nonce = nonce_of(user);
    if (user.ha1.empty()) user.ha1 = hasher_.ha1(digest::Algorithm::md5, fmt::format("u{}", id), nonce.realm, fmt::format("s{}", id)).str();
    const bool with_qop = nonce.qop.find("auth") != std::string::npos;
    const std::string nc = with_qop ? fmt::format("{:08x}", ++nonce.count) : "";
    digest::Answer answer{.method = "REGISTER", .uri = kUri, .nonce = nonce.nonce, .nc = nc, .cnonce = {}, .qop = {}};
    if (with_qop) answer.cnonce = kCnonce, answer.qop = "auth";
    const auto response = hasher_.response(digest::Algorithm::md5, user.ha1, answer);
    std::string line = fmt::format("Authorization: Digest username=\"u{}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\", response=\"{}\", algorithm=MD5", id,
                                   nonce.realm, nonce.nonce, kUri, response.view());
    if (with_qop) line += fmt::format(", qop=auth, nc={}, cnonce=\"{}\"", nc, kCnonce);
    if (!nonce.opaque.empty()) line += fmt::format(", opaque=\"{}\"", nonce.opaque);
    return line + "\r\n";
  }

  void take(string_view message) {
    const int code = status(message);
    if (code >= 100 && code < 200) return;
    unsigned index, generation, run;
    const std::string branch(parameter(header(message, "Via"), "branch"));
    if (code == 0 || std::sscanf(branch.c_str(), "z9hG4bK%x.%x.%x", &index, &generation, &run) != 3 || index >= slots_.size() || run != run_ ||
        slots_[index].generation != generation || !slots_[index].busy)
      return outcome_.count("stray");
    if (code == 401 || code == 407) return challenged(index, header(message, code == 401 ? "WWW-Authenticate" : "Proxy-Authenticate"));
    if (code != 200) return finish(index, std::to_string(code));
    const Slot& slot = slots_[index];
    if (!slot.authorized) return finish(index, "accepted without credentials");
    if (header_lines(message, "Contact").find(fmt::format("sip:u{}@{}", number(slot.user), hostport_)) == std::string::npos) return finish(index, "200 without our contact");
    finish(index, {});
  }

  void challenged(unsigned index, string_view offer) {
    Slot& slot = slots_[index];
    outcome_.count("challenges");
    // In `refresh` the shared nonce may grow old between two registrations.
    if (++slot.challenges > (refresh_ ? 2U : 1U)) return finish(index, "401");
    User& user = users_[slot.user];
    Nonce& nonce = nonce_of(user);
    const string_view fresh = parameter(offer, "nonce");
    if (fresh.empty()) return finish(index, "challenge without nonce");
    if (nonce.nonce != fresh) nonce.count = 0;
    if (nonce.realm != parameter(offer, "realm")) user.ha1.clear();
    nonce.nonce = fresh;
    nonce.realm = parameter(offer, "realm");
    nonce.qop = parameter(offer, "qop");
    nonce.opaque = parameter(offer, "opaque");
    slot.authorized = true;
    send_request(index);
  }

  /// `why` empty: it succeeded.
  void finish(unsigned index, const std::string& why) {
    Slot& slot = slots_[index];
    if (why.empty()) outcome_.succeeded(slot.began);
    else outcome_.failed(why);
    slot.busy = false;
    ++slot.generation;
    free_.push_back(index);
  }

  void look_after(std::uint64_t now) {
    for (unsigned i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      if (!slot.busy) continue;
      if (now - slot.began > kGiveUp) {
        finish(i, "no answer");
      } else if (now - slot.sent > slot.retransmit) {
        outcome_.count("retransmissions");
        slot.retransmit = std::min(slot.retransmit * 2, kRetransmitMost);
        transmit(slot);
      }
    }
  }

  const sockaddr_in server_;
  const std::string host_, hostport_;
  Udp socket_;
  const bool refresh_;
  const long expires_;
  const std::uint32_t run_;
  const std::size_t count_;
  Pace pace_;
  digest::Hasher hasher_;
  Nonce shared_;
  std::vector<User> users_;
  std::vector<Slot> slots_;
  std::vector<unsigned> free_;
  std::size_t started_ = 0;
  Outcome outcome_;
};

}  // namespace

int main(int count, char** words) { return RegisterLoad(Options(count, words)).run(); }
