#include "stack/port_owner.h"

#include <fmt/format.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace jackfield::sip::stack {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kTcpListen = 0x0a;

// A line of /proc/net/udp: `sl local rem st queues timers retransmits uid timeout inode …`, addresses as HEX:PORT.
void collect(const char* table, bool listening_only, std::uint16_t port, std::set<std::string>& inodes) {
  std::ifstream in(table);
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, queues, timers, retransmits, uid, timeout, inode;
    unsigned state = 0;
    fields >> slot >> local >> remote >> std::hex >> state >> queues >> timers >> retransmits >> uid >> timeout >> inode;
    const auto colon = local.rfind(':');
    if (!fields || colon == std::string::npos || (listening_only && state != kTcpListen)) continue;
    if (std::stoul(local.substr(colon + 1), nullptr, 16) == port) inodes.insert("socket:[" + inode + "]");
  }
}

bool holds_one_of(const fs::path& process, const std::set<std::string>& sockets) {
  std::error_code error;
  for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end; fd.increment(error)) {
    std::error_code unreadable;
    if (const auto target = fs::read_symlink(fd->path(), unreadable); !unreadable && sockets.contains(target.string())) return true;
  }
  return false;
}

}  // namespace

std::string port_owner(TransportKind kind, const net::Address& address) {
  const bool tcp = is_reliable(kind);
  std::set<std::string> sockets;
  collect(tcp ? "/proc/net/tcp" : "/proc/net/udp", tcp, address.port(), sockets);
  collect(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", tcp, address.port(), sockets);
  if (sockets.empty()) return {};
  std::error_code error;
  for (fs::directory_iterator process("/proc", error), end; !error && process != end; process.increment(error)) {
    const std::string pid = process->path().filename().string();
    if (!std::isdigit(static_cast<unsigned char>(pid.front())) || !holds_one_of(process->path(), sockets)) continue;
    std::ifstream in(process->path() / "comm");
    std::string name;
    std::getline(in, name);
    return fmt::format("{} (pid {})", name, pid);
  }
  return {};
}

}  // namespace jackfield::sip::stack
