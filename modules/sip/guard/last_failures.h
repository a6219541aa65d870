// Why a user's last attempt failed, for `registration show`: one line a user, in a fixed number of places; users whose names meet in one
// share it. Engine thread.
#pragma once

#include <jackfield/clock.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"

namespace jackfield::sip::guard {

class LastFailures {
 public:
  struct Failure {
    std::string username;
    WallTime when{};
    net::Address source;
    std::string what;  ///< "wrong password"
  };

  explicit LastFailures(std::size_t places = 8192) : places_(places) {}

  void note(std::string_view username, WallTime when, const net::Address& source, std::string_view what) {
    if (username.empty() || username.size() > kLongest) return;
    auto& place = place_of(username);
    place.username = username;
    place.when = when;
    place.source = source;
    place.what = what;
  }
  /// Null when there is none, or another user's took its place.
  const Failure* of(std::string_view username) const {
    const auto& place = const_cast<LastFailures*>(this)->place_of(username);
    return !username.empty() && place.username == username ? &place : nullptr;
  }

 private:
  static constexpr std::size_t kLongest = 128;
  Failure& place_of(std::string_view username) { return places_[std::hash<std::string_view>{}(username) % places_.size()]; }

  std::vector<Failure> places_;
};

}  // namespace jackfield::sip::guard
