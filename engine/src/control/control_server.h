// The Unix socket in the state directory by which people and scripts reach a running server. Its owner only. Engine thread only.
#pragma once

#include <jackfield/engine.h>

#include <memory>

namespace jackfield {

class ControlServer {
 public:
  /// Throws std::system_error when the socket cannot be made. A stale socket is replaced: the state lock proves nobody has it.
  explicit ControlServer(Engine& engine);
  ~ControlServer();

  /// Takes no more commands; those under way are answered. Destroying it ends connections, too.
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace jackfield
