// Messages through external scripts: this program is both of them. One sends, the other answers: of each message sent, four lines pass
// the server's socket (asked, asked on, answered, answered on). With --mode=dispatch nobody else is asked, and two do.
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "options.h"
#include "outcome.h"

using namespace jackfield::bench;

namespace {

class Script {
 public:
  explicit Script(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      std::perror(path.c_str());
      std::exit(2);
    }
  }
  ~Script() { close(socket_); }
  int socket() const { return socket_; }

  std::string& output() { return out_; }
  void flush() {
    for (std::size_t sent = 0; sent < out_.size();) {
      const auto count = write(socket_, out_.data() + sent, out_.size() - sent);
      if (count <= 0) std::exit(2);
      sent += static_cast<std::size_t>(count);
    }
    out_.clear();
  }
  /// Calls with each whole line that has arrived.
  template <class Use>
  void read_lines(Use use) {
    char chunk[65536];
    const auto count = read(socket_, chunk, sizeof chunk);
    if (count <= 0) std::exit(2);
    in_.append(chunk, static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (auto end = in_.find('\n'); end != in_.npos; end = in_.find('\n', begin)) {
      use(std::string_view(in_).substr(begin, end - begin));
      begin = end + 1;
    }
    in_.erase(0, begin);
  }

 private:
  int socket_;
  std::string in_, out_;
};

/// The field after the keyword.
std::string_view id_of(std::string_view line) {
  const auto begin = line.find(':') + 1;
  return line.substr(begin, line.find(':', begin) - begin);
}

}  // namespace

int main(int count, char** words) {
  const Options options(count, words);
  const auto total = static_cast<std::size_t>(options.number("count", 10000)), window = static_cast<std::size_t>(options.number("window", 32));
  const bool answered_by_script = options.text("mode", "script") == "script";
  Script asking(options.text("path", "")), answering(options.text("path", ""));
  if (answered_by_script) {
    answering.output() += "%%>install:50:bench.question\n";
    answering.flush();
    answering.read_lines([](std::string_view) {});
  }
  Outcome outcome;
  std::unordered_map<std::string, std::uint64_t> began;
  std::size_t sent = 0;
  while (outcome.done() < total) {
    for (; sent < total && began.size() < window; ++sent) {
      const auto id = std::to_string(sent);
      began.emplace(id, now_us());
      asking.output() += "%%>message:" + id + ":0:bench.question::caller=101:called=102:address=192.0.2.1%z5060:ip_host=192.0.2.1:ip_port=5060\n";
    }
    asking.flush();
    pollfd sockets[] = {{asking.socket(), POLLIN, 0}, {answering.socket(), POLLIN, 0}};
    if (poll(sockets, 2, 5000) <= 0) {
      outcome.failed("no answer within 5 s");
      break;
    }
    if (sockets[1].revents) {
      answering.read_lines([&](std::string_view line) { answering.output().append("%%<message:").append(id_of(line)).append(":true::done:target=sip/1\n"); });
      answering.flush();
    }
    if (sockets[0].revents) {
      asking.read_lines([&](std::string_view line) {
        const auto found = began.find(std::string(id_of(line)));
        const bool as_expected = line.find(answered_by_script ? ":true:bench.question:done:" : ":false:bench.question::") != line.npos;
        if (found == began.end() || !as_expected) return outcome.failed("another answer");
        outcome.succeeded(found->second);
        began.erase(found);
      });
    }
  }
  return outcome.report();
}
