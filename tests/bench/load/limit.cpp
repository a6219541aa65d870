// The limit: what registrations cost a program that does nothing but read and write datagrams. No stack, no state, no digest:
// a REGISTER without Authorization gets a 401, one with it a 200. A server is measured as a multiple of this.
//   --port=P
#include <csignal>
#include <string_view>

#include "options.h"
#include "udp.h"

using namespace jackfield::bench;
using std::string_view;

namespace {

volatile std::sig_atomic_t g_stop = 0;

struct Lines {
  string_view via, from, to, call_id, cseq, contact, authorization;
};

Lines split(string_view request) {
  Lines lines;
  for (std::size_t end = request.find("\r\n"); end != request.npos && end + 4 < request.size();) {
    const std::size_t start = end + 2;
    end = request.find("\r\n", start);
    if (end == request.npos || end == start) break;
    const string_view line = request.substr(start, end - start);
    switch (line[0]) {
      case 'V': lines.via = line; break;
      case 'F': lines.from = line; break;
      case 'T': lines.to = line; break;
      case 'A': lines.authorization = line; break;
      case 'C':
        if (line[1] == 'S') lines.cseq = line;
        else if (line[1] == 'a') lines.call_id = line;
        else if (line[3] == 't' && line[4] == 'a') lines.contact = line;
        break;
    }
  }
  return lines;
}

void answer(const Lines& request, std::string& out) {
  const bool known = !request.authorization.empty();
  out.append(known ? "SIP/2.0 200 OK\r\n" : "SIP/2.0 401 Unauthorized\r\n");
  out.append(request.via).append(";received=127.0.0.1\r\n").append(request.from).append("\r\n").append(request.to).append(";tag=abcdef0123\r\n");
  out.append(request.call_id).append("\r\n").append(request.cseq).append("\r\n");
  if (known) out.append(request.contact).append(";expires=3600\r\n");
  else out.append("WWW-Authenticate: Digest realm=\"bench\", nonce=\"5f3c0d2e8a9b4c7d6e1f0a2b3c4d5e6f.68a1b2c3\", algorithm=MD5\r\n");
  out.append("Server: limit\r\nContent-Length: 0\r\n\r\n");
}

}  // namespace

int main(int count, char** words) {
  const Options options(count, words);
  std::signal(SIGTERM, [](int) { g_stop = 1; });
  Udp socket("127.0.0.1", static_cast<int>(options.number("port", 5070)));
  while (!g_stop) {
    const int received = socket.receive_waiting();
    for (int i = 0; i < received; ++i) answer(split(socket.datagram(i)), socket.next(socket.sender(i)));
    socket.flush();
  }
}
