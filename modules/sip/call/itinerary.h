// The places where one request of ours is tried, in order: the machines a name stands for (RFC 3263 §4.3) and, over a connection, its
// servers with the active one first (D18). Knows no transport; call/target.h aims at the places. Owned by whoever sends the request.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "line/connections.h"
#include "stack/server_location.h"

namespace jackfield::sip::call {

class Itinerary {
 public:
  struct Place {
    stack::Destination destination;
    std::vector<stack::Hop> hops = {};  ///< empty: to be looked up
    std::string request_uri;
    std::string host;                   ///< of From and To over a connection
    std::vector<std::string> route = {};
    line::ServerIndex server = 0;       ///< of a connection
  };

  explicit Itinerary(std::vector<Place> places) : places_(std::move(places)) {}

  /// Where it is tried now; null: there is nothing left.
  const Place* place() const { return at_ < places_.size() ? &places_[at_] : nullptr; }
  /// The machine; null: the place was not looked up yet.
  const stack::Hop* hop() const { return place() && hop_ < place()->hops.size() ? &place()->hops[hop_] : nullptr; }

  /// What a lookup of place() brought, or why it brought nothing, which ends the place.
  void resolved(const stack::Resolved& resolved) {
    if (!resolved || resolved->hops.empty()) {
      problem_ = resolved ? std::string() : resolved.error();
      return next_place();
    }
    places_[at_].hops = resolved->hops;
    hop_ = 0;
  }
  /// To the next machine, or the first of the next place.
  void advance() {
    if (place() && hop_ + 1 < place()->hops.size()) ++hop_;
    else next_place();
  }
  void next_place() { ++at_, hop_ = 0; }
  /// The first machine from here on that is reached this way becomes the next to try, before those that it overtakes. False: none is.
  bool prefer(stack::TransportKind transport) {
    if (!hop()) return false;
    auto& hops = places_[at_].hops;
    const auto here = hops.begin() + static_cast<std::ptrdiff_t>(hop_);
    const auto found = std::find_if(here, hops.end(), [&](const stack::Hop& each) { return each.transport == transport; });
    if (found == hops.end()) return false;
    std::rotate(here, found, found + 1);
    return true;
  }
  /// Whether there is somewhere to go from here, as far as is known.
  bool goes_on() const { return place() && (at_ + 1 < places_.size() || hop_ + 1 < place()->hops.size()); }
  /// Why the last lookup failed.
  const std::string& problem() const { return problem_; }

 private:
  std::vector<Place> places_;
  std::size_t at_ = 0, hop_ = 0;
  std::string problem_;
};

}  // namespace jackfield::sip::call
