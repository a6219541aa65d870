// The sources that are shut out for a time, and how often each was before. Kept in a journal, so that a restart lifts none; without
// one (the file cannot be had) they live in memory. Decides nothing. Engine thread.
#pragma once

#include <jackfield/clock.h>
#include <jackfield/engine.h>
#include <jackfield/journal.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "guard/source.h"

namespace jackfield::sip::guard {

struct Ban {
  net::Address address;  ///< without port
  WallTime since{}, until{};
  unsigned times = 0;  ///< bans of this source so far, this one included; forgotten a day after the last
  std::string reason;
};

class Bans {
 public:
  static constexpr std::size_t kMost = 65536;  ///< beyond, the one that ends first makes room

  explicit Bans(Engine& engine);

  /// Takes up what was kept; from then on changes are kept. A file that cannot be had is logged as an error.
  void open(const std::filesystem::path& file);

  /// Whether there is any at all: asked for each datagram.
  bool any() const { return !bans_.empty(); }
  /// Null when that source is not banned now.
  const Ban* active(SourceKey source) const;
  /// How often it was banned within the last day.
  unsigned times(const net::Address& address) const;
  const Ban& add(const net::Address& address, Duration time, std::string_view reason);
  /// False: it was not banned.
  bool lift(const net::Address& address);
  /// Done when everything that was added and lifted so far will outlive the process; else says why it will not.
  Task<tl::expected<void, JournalError>> kept();
  /// In the order in which they end.
  std::vector<const Ban*> list() const;

 private:
  WallTime now() const { return engine_.clock().wall(); }
  void replay(std::string_view record);
  void keep(const std::string& record);
  void compact_when_due();
  void forget_old();

  Engine& engine_;
  Logger& log_;
  std::unordered_map<SourceKey, Ban> bans_;  // also those that ended within the last day
  std::unique_ptr<Journal> journal_;
};

}  // namespace jackfield::sip::guard
