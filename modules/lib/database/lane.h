// The queue that the workers of one role share. The engine thread fills it, a turn's questions at a time; any worker may put back what
// it could not run. Everything under its mutex.
#pragma once

#include "database/request.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <iterator>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace jackfield::database {

struct Lane {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Request>> queue;
  unsigned open_workers = 0;  ///< have a connection
  unsigned idle_workers = 0;  ///< of them, wait for something to do
  bool ending = false;        ///< workers end when the queue is empty, or when they have no connection

  /// Leaves `requests` empty.
  void push(std::vector<std::shared_ptr<Request>>& requests) {
    bool wake = false;
    {
      const std::lock_guard lock(mutex);
      for (auto& request : requests) queue.push_back(std::move(request));
      wake = idle_workers > 0;
    }
    requests.clear();
    if (wake) changed.notify_one();
  }
  /// In front of all others, in their order.
  void put_back(std::span<std::shared_ptr<Request>> requests) {
    {
      const std::lock_guard lock(mutex);
      queue.insert(queue.begin(), requests.begin(), requests.end());
    }
    changed.notify_all();
  }
  std::vector<std::shared_ptr<Request>> take_all() {
    const std::lock_guard lock(mutex);
    std::vector<std::shared_ptr<Request>> taken(std::make_move_iterator(queue.begin()), std::make_move_iterator(queue.end()));
    queue.clear();
    return taken;
  }
  std::size_t waiting() {
    const std::lock_guard lock(mutex);
    return queue.size();
  }
};

}  // namespace jackfield::database
