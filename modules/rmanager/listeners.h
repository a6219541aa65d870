// The sockets people connect to, and the sessions of those that did. Engine thread only.
#pragma once

#include "session.h"
#include "settings.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace jackfield::rmanager {

class Listeners {
 public:
  using List = std::vector<std::shared_ptr<const ListenerSettings>>;
  /// A socket that is bound and not served yet.
  class Door;

  explicit Listeners(Engine& engine);
  ~Listeners();
  Listeners(const Listeners&) = delete;

  /// Binds what of `wanted` is not open yet. The error names the listener.
  tl::expected<std::vector<std::shared_ptr<Door>>, Problem> open(const List& wanted) const;
  /// From now on these. Whoever is connected stays so, as he came in.
  void use(const List& wanted, std::vector<std::shared_ptr<Door>> opened);

  std::size_t doors() const;
  std::size_t sessions() const;
  void each_session(const std::function<void(const Session& session)>& visit) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace jackfield::rmanager
