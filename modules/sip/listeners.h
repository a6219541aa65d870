// Which sockets are open and which the settings want. A reload opens and closes only those that differ; what was opened for a plan
// that is dropped is closed again. Engine thread.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include <jackfield/log.h>

#include "settings.h"
#include "stack/transport.h"

namespace jackfield::sip {

/// The result of comparing; opened sockets belong to it until commit().
class ListenerChange {
 public:
  /// Opens what is wanted and not open. `open` are the listeners in force, by index. The error names address and reason.
  static tl::expected<ListenerChange, std::string> prepare(stack::Transport& transport, const std::vector<ListenerSettings>& open,
                                                           const std::vector<ListenerSettings>& wanted, Logger& log);
  ListenerChange(ListenerChange&& other) noexcept;
  ListenerChange& operator=(ListenerChange&&) = delete;
  ~ListenerChange();

  /// Closes what is no longer wanted and makes `open` what is in force; an index without a listener keeps its last settings.
  void commit(std::vector<ListenerSettings>& open);

 private:
  explicit ListenerChange(stack::Transport& transport) : transport_(&transport) {}

  stack::Transport* transport_;
  std::vector<std::pair<std::uint16_t, ListenerSettings>> opened_;
  std::vector<std::pair<std::uint16_t, ListenerSettings>> kept_;
  std::vector<std::uint16_t> closing_;
};

}  // namespace jackfield::sip
