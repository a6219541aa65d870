// Sockets that scripts connect to. Engine thread only.
#pragma once

#include "session.h"
#include "settings.h"

#include <jackfield/engine.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace jackfield::extmodule {

class Listeners {
 public:
  explicit Listeners(Engine& engine);
  ~Listeners();
  Listeners(const Listeners&) = delete;

  /// The error says the address and why it cannot be had. Nothing is accepted before serve().
  tl::expected<void, std::string> open(const ListenerSettings& settings);
  /// `calls` and `over` are told of scripts of role channel: the first call.execute of one, and its end.
  void serve(Locals locals, Session::Calls calls, std::function<void(const Session&)> over);
  /// What scripts that connect from now on begin with.
  void use(Locals locals);

  void each_session(const std::function<void(const Session& session)>& visit) const;
  std::string list() const;

 private:
  struct Door;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace jackfield::extmodule
