// Questions to the database, over the bus: which account, with which values, until when, and what is done when no answer comes.
// Shared by all handlers and by those that still wait when the module ends. Engine thread only.
#pragma once

#include "answer_cache.h"
#include "settings.h"

#include <jackfield/engine.h>

#include <memory>
#include <string>
#include <unordered_map>

namespace jackfield::register_module {

struct Answer {
  enum class Failure : std::uint8_t {
    none,
    away,   ///< nobody was there to ask; nothing was written
    late,   ///< no answer in time; something may have been written
    query,  ///< the database, or the module that serves it, refused the text
    value,  ///< a value is none that the database can hold: it is no text in its encoding, or has a NUL
  };
  Failure failure = Failure::none;
  std::string error;                                  ///< for people; empty when it worked
  std::shared_ptr<const messages::DatabaseRows> rows; ///< null: none
  long long affected = 0;
  bool cached = false;                                ///< an earlier answer

  bool good() const { return failure == Failure::none; }
  std::size_t row_count() const { return rows ? rows->size() : 0; }
};

class Database {
 public:
  Database(Engine& engine, Logger& log);

  struct Question {
    std::string account;
    std::string query;
    messages::QueryValues values;
    Duration deadline{0};
    std::string idempotency_key = {};
  };
  /// Asks once. `self` lives until the answer is there.
  static Task<Answer> ask(std::shared_ptr<Database> self, Question question);

  /// Asks as `handler` says, with its policy of `cached`; other failures are logged here and left to the caller. `handler` and `query` belong
  /// to `settings`, which live until the answer is there.
  static Task<Answer> ask(std::shared_ptr<Database> self, std::shared_ptr<const RegisterSettings> settings, const HandlerSettings* handler,
                          const Query* query, Values values);

  /// The real text of a query: of an `@…` what the database gave, asked for where it is not known yet. The pointer is good as long as
  /// `query` is and this object; null with the failure in `failed`.
  static Task<const Query*> resolve(std::shared_ptr<Database> self, const HandlerSettings* handler, const Query* query, std::string account,
                                    std::shared_ptr<Answer> failed);

  /// Forgets texts that queries gave, and old answers when fewer are to be kept.
  void reload(std::size_t cache_max);
  /// Lets some time pass; false: the module ends.
  Task<bool> pause(Duration time);
  /// Ends all pauses, now and later.
  void stop() { pendings_.stop(); }

  Engine& engine() { return engine_; }
  Logger& log() { return log_; }
  /// It gave no answer a moment ago.
  bool is_away(const std::string& account) const;
  /// Contacts that the database has; rows of one cell, when they end there (seconds since 1970).
  AnswerCache& kept_contacts() { return kept_contacts_; }
  Counter& answers_from_memory() { return from_cache_; }

 private:
  void note(const std::string& account, const Answer& answer);
  void complain(const HandlerSettings& handler, const std::string& account, const Answer& answer);

  Engine& engine_;
  Logger& log_;
  Pendings pendings_;
  AnswerCache cache_, kept_contacts_;
  std::unordered_map<std::string, std::unique_ptr<const Query>> resolved_;
  std::unordered_map<std::string, MonoTime> away_until_;  ///< by account: it failed a moment ago
  struct Complaint {
    MonoTime next{};
    std::size_t kept_back = 0;
  };
  std::unordered_map<std::string, Complaint> complaints_;  ///< by section
  Counter& asked_;
  Counter& failed_;
  Counter& from_cache_;
};

/// `${name}` of an account, filled in.
std::string account_of(const HandlerSettings& handler, const Values& values);

}  // namespace jackfield::register_module
