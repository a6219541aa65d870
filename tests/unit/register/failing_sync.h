// fdatasync as the journals of this test program meet it: it fails for files that the test names, as a disk's does. Any thread.
#pragma once

#include <string>

namespace jackfield::register_test {

/// While it lives, no file whose name begins with `prefix` can be synced.
class FailingSync {
 public:
  explicit FailingSync(std::string prefix);
  ~FailingSync();
  FailingSync(const FailingSync&) = delete;

  /// How many were refused.
  int refused() const;
};

}  // namespace jackfield::register_test
