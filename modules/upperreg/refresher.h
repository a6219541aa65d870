// What the module says to the servers A by itself, at its own pace: refreshes with kept credentials (P-9), all contacts anew where A lost
// its memory or another server took its place, the end of those whose last phone is gone, and the question whether A still has them.
// Engine thread only.
#pragma once

#include "core.h"
#include "exchange.h"
#include "lines.h"

#include <memory>
#include <string>
#include <string_view>

namespace jackfield::upperreg {

class Refresher {
 public:
  Refresher(std::shared_ptr<Core> core, Lines& lines);
  ~Refresher();
  Refresher(const Refresher&) = delete;

  /// After the start and each reload.
  void begin();
  /// A has not what it granted: all of a connection's, or of all where it is empty, are registered again. Returns how many.
  std::size_t resync(std::string_view line, std::string_view why);
  bool resync_one(Aor& aor);
  /// The phones' bindings have changed without a REGISTER of theirs.
  void phones_changed(const std::string& name);
  void user_notify(const Message& message);
  /// What a server answered, whoever asked, and that it did not.
  void heard(const std::string& line, const Answer& answer);

  std::size_t waiting() const { return core_->agenda.size(); }
  std::size_t under_way() const { return under_way_; }

 private:
  void arm();
  void run_due();
  void start(const std::string& name);
  Duration probe_wait() const;
  void probe_all();
  static Task<> work(std::shared_ptr<Core> core, Refresher* self, std::string name);
  /// Whether A lists our contact when it is asked. Nothing: it could not be asked, or is to be told something else first.
  static Task<std::optional<bool>> listed(std::shared_ptr<Core> core, Refresher* self, std::string line, std::string name);
  static Task<> probe(std::shared_ptr<Core> core, Refresher* self, std::string line, std::string name);
  /// The next of this connection's AORs whose contact can be asked for.
  const Aor* next_to_probe(const std::string& line, const std::string& after) const;

  std::shared_ptr<Core> core_;
  Lines& lines_;
  TimerSinkId timers_;
  TimerHandle next_, probe_;
  double tokens_ = 0;
  WallTime filled_{};
  std::size_t under_way_ = 0;
};

}  // namespace jackfield::upperreg
