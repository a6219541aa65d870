// One end of a call, whoever makes it. The engine keeps the table from id to channel and knows no SIP, SDP or media.
// Ends know each other by id only and speak in messages (`id`, `peerid`, `targetid`). Engine thread only.
#pragma once

#include <jackfield/message.h>
#include <jackfield/timers.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield {

class Bus;

enum class ChannelDirection : std::uint8_t { incoming, outgoing };
/// Yate's words for `status`: incoming and outgoing (just made), routed, progressing, ringing, answered, hungup.
enum class ChannelState : std::uint8_t { started, routed, progressing, ringing, answered, hungup };

/// Why two ends part: `reason` is one of COMPAT's texts (busy, noanswer, …), `parameters` travel with chan.disconnected
/// (cause_sip, reason_sip, …).
struct DisconnectReason {
  std::string reason;
  std::vector<std::pair<std::string, std::string>> parameters = {};
};

/// Owned by its driver, which adds it when it is made and removes it after chan.hangup. Names never repeat in one run.
class Channel {
 public:
  Channel(std::string id, std::string driver, ChannelDirection direction);
  virtual ~Channel();
  Channel(const Channel&) = delete;

  const std::string& id() const { return id_; }          ///< `sip/12`
  const std::string& driver() const { return driver_; }  ///< `sip`
  ChannelDirection direction() const { return direction_; }
  ChannelState state() const { return state_; }
  void set_state(ChannelState state) { state_ = state; }
  /// `status` as scripts and records see it.
  std::string_view status() const;
  bool answered() const { return answered_; }
  void set_answered() { answered_ = true; state_ = ChannelState::answered; }
  /// The far end has sent anything at all, if only that it is trying: a fork does not wait for those that have not (D15).
  bool heard() const { return heard_; }
  void set_heard() { heard_ = true; }
  const std::string& peer() const { return peer_; }  ///< empty: connected to nobody
  const std::string& last_peer() const { return last_peer_; }
  const std::string& billid() const { return billid_; }
  void set_billid(std::string billid) { billid_ = std::move(billid); }
  const std::string& target() const { return target_; }  ///< `targetid` of messages while there is no peer
  void set_target(std::string target) { target_ = std::move(target); }
  const std::string& address() const { return address_; }  ///< `ip:port` of the far end
  void set_address(std::string address) { address_ = std::move(address); }

  /// Sets the channel parameters every driver sends: id, module, status, address, targetid, billid, peerid, lastpeerid,
  /// answered, direction. Drivers add their own.
  virtual void complete(Message& message) const;

 private:
  friend class ChannelTable;
  std::string id_, driver_, peer_, last_peer_, billid_, target_, address_;
  ChannelDirection direction_;
  ChannelState state_ = ChannelState::started;
  bool answered_ = false;
  bool heard_ = false;
};

/// The payload of a message that carries a channel (call.execute, chan.locate).
struct ChannelHandle {
  std::string id;
};

/// From id to channel; connecting and parting are written here, once. Installs the engine's handlers of chan.connect,
/// chan.locate and chan.masquerade on the bus.
class ChannelTable {
 public:
  /// `run_id` starts every billid (`runid-N`); `clock` dates the messages sent from here. All three outlive it.
  ChannelTable(Bus& bus, TimerWheel& timers, const Clock& clock, std::string run_id);
  ~ChannelTable();

  /// How long handlers of chan.disconnected may take to find another way for a channel; after it the channel is dropped as if none
  /// had, and a late verdict changes nothing. 0: for ever.
  void set_takeover_timeout(Duration timeout);

  /// `sip/12`: the driver's next number.
  std::string next_id(std::string_view driver);
  /// `runid-N`, for a new incoming channel.
  std::string next_billid();

  void add(Channel& channel);
  /// Parts it first when it is connected.
  void remove(Channel& channel);
  Channel* find(std::string_view id) const;
  std::vector<Channel*> all() const;
  std::size_t size() const;

  /// Makes both each other's peer, parting them from earlier ones with `reason`, and enqueues chan.connected for both.
  bool connect(std::string_view a, std::string_view b, const DisconnectReason& reason = {});
  /// Parts `id` from its peer. The peer gets chan.disconnected; when nobody takes it (no handler returns true and it was
  /// given no new peer), call.drop with the same reason and parameters follows for it; also when they say nothing in time.
  void disconnect(std::string_view id, const DisconnectReason& reason);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace jackfield
