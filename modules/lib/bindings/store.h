// Keeps bindings: in memory for routing, in a journal so that what was acknowledged survives kill -9, and in a file of Yate's format
// that is written at a clean stop and on request (DECISIONS D10). Owned by a module that has users; engine thread only.
#pragma once

#include "bindings/binding_table.h"

#include <jackfield/engine.h>
#include <jackfield/journal.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tl/expected.hpp>

namespace jackfield::bindings {

class Store {
 public:
  struct Options {
    std::filesystem::path file;  ///< empty: memory only
    bool sync = true;            ///< false: survives kill -9 but not a power cut
    std::string log = "bindings";  ///< whose log tells of it: the module
  };
  /// Loads what was kept: the journal, or the file when somebody else wrote it since. Bindings that expired meanwhile or that
  /// came over a connection are not loaded.
  static tl::expected<std::unique_ptr<Store>, std::string> open(Engine& engine, Options options);
  /// Writes what was not yet written; who waits for that is told.
  ~Store();
  Store(const Store&) = delete;

  /// Keeps a binding in place of the one with the same key; beyond `max_contacts` (0: any number) the oldest goes. A binding
  /// without key is the user's only one and gives way to the next. True: acknowledge it only once it is durable().
  [[nodiscard]] bool put(PackedBinding packed, std::int64_t expires_ms, std::uint32_t max_contacts);
  struct Removed {
    std::size_t count = 0;
    bool wait = false;  ///< acknowledge it only once it is durable()
  };
  Removed remove(std::string_view username, std::string_view key);
  Removed remove_user(std::string_view username);
  Removed remove_connection(std::string_view connection_id);
  /// Drops the bindings of users that are no more. Returns how many.
  std::size_t keep_only(const std::function<bool(std::string_view username)>& known);
  /// When everything so far would survive the end of the process, and a power cut. Only of a store that keeps_journal().
  Durability durable();

  const BindingTable& bindings() const { return table_; }
  bool keeps_journal() const { return journal_ != nullptr; }
  const std::filesystem::path& file() const { return options_.file; }

  /// Writes the file in a thread of its own; the error is a sentence for people.
  Task<tl::expected<void, std::string>> export_file();
  /// The same at once, for the end.
  tl::expected<void, std::string> export_file_now();

 private:
  Store(Engine& engine, Options options);
  tl::expected<void, std::string> load();
  void replay(std::string_view record);
  tl::expected<void, std::string> import_file();
  void start_timers();
  void start_timer(Binding& binding);
  void expire(BindingId id);

  /// `record`: whether the journal has to learn it.
  void drop(Binding& binding, bool record);
  Removed drop_scratch();
  void append(std::string_view record);
  /// Compacts once the journal has more that is past than present: the cost is in proportion to the changes.
  void compact_when_due();
  void compact();
  std::string render();

  Engine& engine_;
  Logger& log_;
  Options options_;
  BindingTable table_;
  std::unique_ptr<Journal> journal_;
  std::shared_ptr<Pendings> exports_;
  std::jthread exporter_;
  std::optional<Durability> watched_;  ///< whose failure is going to be logged
  TimerSinkId expiries_;
  std::vector<Binding*> scratch_;
  std::string record_;
  std::uint64_t live_bytes_ = 0;      ///< what a compaction would leave
  std::uint64_t appended_bytes_ = 0;  ///< since the last one
  std::uint64_t imported_ = 0;        ///< checksum of somebody's file that the journal has taken over; 0: none
};

}  // namespace jackfield::bindings
