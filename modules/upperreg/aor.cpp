#include "aor.h"

#include <algorithm>

namespace jackfield::upperreg {
namespace {

// Of the grant, when A is told again: at three quarters at the latest, spread over the eighth before that.
constexpr double kLatest = 0.75, kSpread = 0.125;
constexpr unsigned kMostDoublings = 2;  // of the wait for an A that is away

}  // namespace

std::string_view state_name(AorState state) {
  switch (state) {
    case AorState::absent: return "absent";
    case AorState::registered: return "registered";
    case AorState::doubtful: return "doubtful";
    case AorState::leaving: return "leaving";
  }
  return {};
}

std::chrono::seconds Aor::remaining(WallTime now) const {
  return at_a() && granted_until_ > now ? std::chrono::ceil<std::chrono::seconds>(granted_until_ - now) : std::chrono::seconds(0);
}

bool Aor::fresh(WallTime now) const { return kind == Kind::stored && state_ == AorState::registered && remaining(now) * 2 >= granted_; }

bool Aor::apply(AorEvent event, WallTime now, std::chrono::seconds seconds) {
  switch (event) {
    case AorEvent::granted:  // RFC 3261 §10.2.1: whatever it was, A has the contact now
      state_ = AorState::registered;
      granted_ = seconds;
      granted_until_ = now + seconds;
      failures_ = 0;
      at_once_ = false;
      return false;
    case AorEvent::ended:  // §10.2.2
      state_ = AorState::absent;
      failures_ = 0;
      return false;
    case AorEvent::refused: {
      const bool had = at_a();
      state_ = AorState::absent;
      failures_ = 0;
      return had;
    }
    case AorEvent::silent:
      ++failures_;
      at_once_ = false;
      if (state_ == AorState::registered) state_ = AorState::doubtful;
      return false;
    case AorEvent::forgotten:
      if (state_ != AorState::registered && state_ != AorState::doubtful) return false;
      if (kind == Kind::relayed) return false;  // D20 (b): nothing we could tell A; it returns with the phone's next refresh
      state_ = AorState::doubtful;
      at_once_ = true;
      return false;
    case AorEvent::emptied:
      if (!at_a() || state_ == AorState::leaving) return false;
      // With a phone's own credentials nobody can take it back: A's copy lapses.
      state_ = kind == Kind::stored ? AorState::leaving : AorState::absent;
      at_once_ = true;
      failures_ = 0;
      return false;
    case AorEvent::lapsed: {
      const bool had = at_a() && state_ != AorState::leaving;
      state_ = AorState::absent;
      failures_ = 0;
      return had;
    }
  }
  return false;
}

std::optional<WallTime> Aor::due(WallTime now, Duration retry, double jitter) const {
  const auto part = [&](double share) { return std::chrono::duration_cast<WallTime::duration>(granted_ * share); };
  WallTime at;
  switch (state_) {
    case AorState::absent: return std::nullopt;
    case AorState::registered:
      if (kind == Kind::relayed) return granted_until_;
      // A failed one is not late: from the end of the grant backwards, so that a restart keeps the rhythm.
      at = granted_until_ - granted_ + part(kLatest - kSpread * jitter);
      break;
    case AorState::doubtful:
      if (kind == Kind::relayed) return granted_until_;
      [[fallthrough]];
    case AorState::leaving: {
      const auto wait = retry * (1u << std::min(failures_ > 0 ? failures_ - 1 : 0u, kMostDoublings));
      at = at_once_ ? now : now + std::chrono::duration_cast<WallTime::duration>(wait * (1.0 + 0.25 * jitter));
      break;
    }
  }
  return std::min(std::max(at, now), granted_until_);
}

void Aor::restore(AorState state, std::chrono::seconds granted, WallTime until) {
  state_ = state;
  granted_ = granted;
  granted_until_ = until;
}

}  // namespace jackfield::upperreg
