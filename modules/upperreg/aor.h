// One address of record at another server A: what A was told, what it granted, and what has to be said next. The state machine of a
// carried registration (D19, D20): pure, time is passed in. Owned by Aors; engine thread only.
#pragma once

#include "settings.h"

#include <jackfield/clock.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace jackfield::upperreg {

/// absent:     A has no contact of ours, as far as we know.
/// registered: A granted it until granted_until().
/// doubtful:   A was not heard, moved or lost its memory: it may have the contact, and has to be told again.
/// leaving:    the last phone is gone and A has yet to hear it.
enum class AorState : std::uint8_t { absent, registered, doubtful, leaving };
std::string_view state_name(AorState state);

/// granted:   2xx with our contact.
/// ended:     2xx to Expires 0.
/// refused:   a final refusal of somebody who has proved who he is, or of what is kept here.
/// silent:    no answer, or one that says to try later (408, 5xx).
/// forgotten: A has not what it granted, or another server takes its place.
/// emptied:   the last phone is gone without A's knowledge.
/// lapsed:    the time that A granted is over.
enum class AorEvent : std::uint8_t { granted, ended, refused, silent, forgotten, emptied, lapsed };

/// What A is shown. With `ha1` it is the algorithm's hash for `realm`.
struct StoredCredentials {
  std::string authname, password, ha1, realm;
  bool known() const { return !password.empty() || !ha1.empty(); }
};

class Aor {
 public:
  /// What never changes while A knows of it; the first three are derived from the name (aors.h).
  struct Identity {
    std::string token, call_id, from_tag;
    std::string name;         ///< the user (Upper) or user@domain (Thru), as his bindings are kept
    std::string user, domain; ///< at A
    std::string request_uri;  ///< Thru: the phone's own; empty: A's domain
    std::string line;         ///< the connection to A
    Mode mode = Mode::upper;
  };
  explicit Aor(Identity identity) : id(std::move(identity)) {}

  Identity id;
  Kind kind = Kind::relayed;
  StoredCredentials credentials;  ///< never written to a file
  std::uint32_t cseq = 0;
  std::chrono::seconds min_expires{0};  ///< A's 423 said so
  std::string server;                   ///< which of A's granted it

  AorState state() const { return state_; }
  std::chrono::seconds granted() const { return granted_; }
  WallTime granted_until() const { return granted_until_; }
  bool at_a() const { return state_ != AorState::absent; }
  /// How much of A's grant is left.
  std::chrono::seconds remaining(WallTime now) const;
  /// Who was granted something by A need not be told to it again yet: stored credentials, and at least half of the time is left (P-9).
  bool fresh(WallTime now) const;

  /// True when the phones' bindings end with it. `seconds` of granted.
  bool apply(AorEvent event, WallTime now, std::chrono::seconds seconds = {});
  /// What comes by itself: when A has to be told something or a grant is over; `jitter` is a number from 0 to 1. Nothing: never.
  std::optional<WallTime> due(WallTime now, Duration retry, double jitter) const;
  /// Whether it is for A to be told, now that due() has come; else its time is over.
  bool tells(WallTime now) const { return kind == Kind::stored && at_a() && now < granted_until_; }

  /// As the journal gives it back.
  void restore(AorState state, std::chrono::seconds granted, WallTime until);

  /// Bindings that A agreed to and that are on their way to the store (true) or out of it (false), until then.
  struct Promise {
    bool stays;
    WallTime until;
    WallTime lasts;  ///< the binding, where it stays
  };
  std::map<std::string, Promise, std::less<>> promises;

  // Of whoever works on it (carrier.h).
  bool busy = false;
  WallTime used{};  ///< when somebody last asked for it

 private:
  AorState state_ = AorState::absent;
  std::chrono::seconds granted_{0};
  WallTime granted_until_{};
  unsigned failures_ = 0;  ///< since A was last heard
  bool at_once_ = false;
};

}  // namespace jackfield::upperreg
