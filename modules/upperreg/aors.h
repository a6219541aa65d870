// All addresses of record that are at other servers, found by name and by token, and a journal of what those servers agreed to: tokens,
// Call-IDs and tags are the same after a crash (D19). They are derived from a secret that is random, kept in the journal and told
// nobody, so an address has them before it is known, too. Engine thread only.
#pragma once

#include "aor.h"

#include <jackfield/engine.h>
#include <jackfield/journal.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <unordered_map>

namespace jackfield::upperreg {

/// The user's name here, without Thru's domain.
std::string_view user_here(const Aor::Identity& id);

class Aors {
 public:
  /// `path` empty: in memory only.
  static tl::expected<std::unique_ptr<Aors>, std::string> open(Engine& engine, const std::filesystem::path& path, bool sync);

  Aor* find(std::string_view name) const;
  Aor* of_token(std::string_view token) const;
  /// The one of that name, made where there is none; null: there are `most` already, and all are in use.
  Aor* get(const Aor::Identity& partial, std::size_t most);
  /// The next CSeq it uses (RFC 3261 §10.2): rises by one, and after a restart from the clock, which is ahead of what was used.
  std::uint32_t next_cseq(Aor& aor);
  /// Writes what is to survive. Whoever must be sure waits for durable().
  void save(const Aor& aor);
  std::optional<Durability> durable();
  void forget(const std::string& name);
  /// Drops those that nobody has used for a while and A does not know.
  void sweep(WallTime now);

  std::size_t size() const { return all_.size(); }
  void each(const std::function<void(Aor&)>& visit) const;
  /// Those of Thru in any domain of whom `user` is the name there, or here.
  void of_user(std::string_view user, const std::function<void(Aor&)>& visit) const;

 private:
  explicit Aors(Engine& engine) : engine_(engine) {}
  std::string derive(std::string_view what, std::string_view name) const;
  void replay(std::string_view record);
  Aor& enter(Aor::Identity identity);
  void drop_user(std::string_view user, const Aor* aor);
  std::string record_of(const Aor& aor) const;
  void compact_when_due();

  Engine& engine_;
  std::string secret_;  ///< hexadecimal
  std::unordered_map<std::string, std::unique_ptr<Aor>> all_;
  std::unordered_map<std::string, Aor*> tokens_;
  std::unordered_multimap<std::string, Aor*> users_;  ///< Thru's, by user at A
  std::unique_ptr<Journal> journal_;
  std::uint64_t appended_ = 0;
  std::size_t unreadable_ = 0;
};

}  // namespace jackfield::upperreg
