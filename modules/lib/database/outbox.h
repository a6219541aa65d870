// From the workers to the engine thread: finished requests and what became of connections, many at a time with one post.
#pragma once

#include "database/request.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace jackfield::database {

struct LinkEvent {
  enum class Kind : std::uint8_t { opened, refused, broken } kind;
  int worker;
  std::string text;  ///< what it is connected to; else why it is not
};

class Outbox {
 public:
  struct Mail {
    std::vector<std::shared_ptr<Request>> finished;
    std::vector<LinkEvent> events;
  };

  /// `wake` has the engine thread call collect() soon; called from any thread, once until then.
  explicit Outbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  /// Leaves `finished` empty.
  void put(std::vector<std::shared_ptr<Request>>& finished);
  void put(LinkEvent event);
  Mail collect();

 private:
  std::function<void()> wake_;
  std::mutex mutex_;
  Mail mail_;
  bool woken_ = false;
};

}  // namespace jackfield::database
