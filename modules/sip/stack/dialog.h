// A dialog as RFC 3261 §12 has it: who the two ends call each other, the route between them, and both CSeq counters. It writes
// requests and judges those that come; it sends nothing and knows no engine. Engine thread, owned by a leg.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sip/message.h"
#include "sip/writer.h"

namespace jackfield::sip::stack {

/// What names a dialog on our side: the tag is ours, and unique by itself; the remote tag is compared once it is found.
struct DialogKey {
  std::string call_id, local_tag;
};
struct DialogKeyView {
  std::string_view call_id, local_tag;
};
/// For tables that are searched with views into a message.
struct DialogKeyHash {
  using is_transparent = void;
  std::size_t operator()(const DialogKeyView& key) const noexcept {
    const std::hash<std::string_view> hash;
    return hash(key.call_id) * 31 + hash(key.local_tag);
  }
  std::size_t operator()(const DialogKey& key) const noexcept { return (*this)(DialogKeyView{key.call_id, key.local_tag}); }
};
struct DialogKeyEqual {
  using is_transparent = void;
  template <class Left, class Right>
  bool operator()(const Left& left, const Right& right) const noexcept {
    return std::string_view(left.local_tag) == right.local_tag && std::string_view(left.call_id) == right.call_id;
  }
};

/// The sent-by and branch of the Via we put on top of a request.
struct ViaLine {
  std::string_view transport;  ///< "UDP"
  std::string_view host;       ///< IPv6 in brackets
  std::uint16_t port = 0;
  std::string_view branch;
};
std::string via_value(const ViaLine& via);

class Dialog {
 public:
  /// The calling side, before anybody answered (§8.1.1).
  struct Start {
    std::string call_id;
    std::string local_tag;
    std::string local;   ///< From without its tag: `"Ann" <sip:101@host>`
    std::string remote;  ///< To: `<sip:102@host>`
    std::string target;  ///< Request-URI
    std::vector<std::string> route = {};  ///< pre-loaded, first hop first
    unsigned max_forwards = 70;
  };

  Dialog() = default;
  explicit Dialog(Start start);
  /// The called side (§12.1.1). `invite` has passed check_mandatory(); without a well-formed Contact the From URI is the target.
  static Dialog answering(const Message& invite, std::string_view local_tag);

  const std::string& call_id() const { return call_id_; }
  const std::string& local_tag() const { return local_tag_; }
  const std::string& remote_tag() const { return remote_tag_; }
  const std::string& target() const { return target_; }  ///< where requests go in the end: the peer's Contact
  const std::string& local_party() const { return local_; }    ///< From of our requests, with its tag
  const std::string& remote_party() const { return remote_; }  ///< and To
  std::uint32_t local_cseq() const { return local_cseq_; }
  std::uint32_t remote_cseq() const { return remote_cseq_; }
  unsigned max_forwards() const { return max_forwards_; }  ///< of our requests
  DialogKeyView key() const { return {call_id_, local_tag_}; }

  /// The tag a later branch of the same call has on our side (§12.1, D14): everything else stays.
  void set_local_tag(std::string_view tag);
  /// The calling side: a 2xx made this the dialog. Takes tag, route set and target from it (§12.1.2, §13.2.2.4).
  void establish(const Message& response);
  /// A re-INVITE or its 2xx named another Contact (§12.2). Without one nothing changes.
  void refresh_target(const Message& message);
  /// True when the tag that stands on the peer's side of `message` is this dialog's (§12.2.2; none on both sides fits too).
  bool is_from_peer(const Message& request) const;
  /// Takes the number of a request other than ACK. False: older than one already seen, answer 500 (§12.2.2).
  bool take_cseq(std::uint32_t number);
  std::uint32_t next_cseq() { return ++local_cseq_; }

  /// Begins a request: start line, Via, Route, Max-Forwards, From, To, Call-ID, CSeq (§12.2.1.1); ends with what the caller adds.
  /// An ACK has the number of its INVITE.
  Writer begin_request(std::string& out, std::string_view method, std::uint32_t cseq, const ViaLine& via) const;
  /// The URI of the hop a request goes to first: a route's, or the target (§8.1.2).
  std::string_view next_hop() const;

 private:
  std::string call_id_, local_tag_, remote_tag_;
  std::string local_, remote_;  // From and To of our requests, tags included
  std::string target_;
  std::vector<std::string> route_;
  std::uint32_t local_cseq_ = 0, remote_cseq_ = 0;
  unsigned max_forwards_ = 70;
};

}  // namespace jackfield::sip::stack
