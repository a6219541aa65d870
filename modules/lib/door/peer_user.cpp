#include "peer_user.h"

#include <array>
#include <cstring>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <unistd.h>

namespace jackfield::door {

std::optional<uid_t> user_of(const net::Address& far, const net::Address& near) {
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } question{};
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  auto& request = question.request;
  request.sdiag_family = far.is_v6() ? AF_INET6 : AF_INET;
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = ~0U;
  // The far end's own socket: what is far for us is its source.
  request.id.idiag_sport = htons(far.port());
  request.id.idiag_dport = htons(near.port());
  std::memcpy(request.id.idiag_src, far.bytes().data(), 16);
  std::memcpy(request.id.idiag_dst, near.bytes().data(), 16);
  request.id.idiag_cookie[0] = request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;

  const int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
  if (descriptor < 0) return std::nullopt;
  alignas(nlmsghdr) std::array<char, 4096> answer;
  ssize_t got = -1;
  // The kernel answers within send(): there is nothing to wait for.
  if (send(descriptor, &question, sizeof question, 0) == static_cast<ssize_t>(sizeof question)) got = recv(descriptor, answer.data(), answer.size(), 0);
  close(descriptor);
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
  if (got < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(inet_diag_msg))) || header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return std::nullopt;
  const auto* socket_seen = static_cast<const inet_diag_msg*>(NLMSG_DATA(header));
  // One that its owner has closed has no inode, and is said to be root's; where none is connected, a listening one may be answered.
  if (socket_seen->idiag_inode == 0 || socket_seen->id.idiag_dport != request.id.idiag_dport) return std::nullopt;
  return socket_seen->idiag_uid;
}

}  // namespace jackfield::door
