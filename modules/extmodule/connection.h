// Lines to and from a script, over a pipe pair or a socket: whole lines in, batched writes out, both bounded. Nothing is read while the far
// side leaves much unread itself, so that who only writes stops himself. Engine thread only.
#pragma once

#include <jackfield/engine.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace jackfield::extmodule {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Events {
    std::function<void(std::string_view line)> line;  ///< without its end; a CR before it is dropped
    /// The far side closed, broke off, or sent a line that was too long; told once, in a later turn than any call of ours.
    std::function<void(std::string_view why)> closed;
  };
  /// Takes both descriptors over; they may be the same. Call start() next.
  static std::shared_ptr<Connection> make(Engine& engine, int input, int output);
  ~Connection();

  void start(Events events);
  /// Longer lines end the connection, or are cut in pieces; the line end counts.
  void set_longest_line(std::size_t bytes, bool cut = false) {
    longest_ = bytes;
    cut_ = cut;
  }

  /// What is to be sent; goes out with whatever else this turn adds, once flush() was called.
  std::string& output() { return out_; }
  void flush();
  /// Bytes that the far side has not taken yet.
  std::size_t unsent() const { return out_.size() + writing_.size(); }

  /// Reads nothing until it is called with false.
  void rest(bool resting);

  /// Sends what the far side takes at once, and closes. No event comes after it; may be called in one.
  void close();

 private:
  struct Io;
  Connection(Engine& engine, int input, int output);
  void read();
  void received(std::size_t bytes);
  void write();
  void end(std::string why);
  void release();

  Engine& engine_;
  std::unique_ptr<Io> io_;
  Events events_;
  std::string in_, out_, writing_;
  std::size_t longest_ = 8192;
  bool cut_ = false, flushing_ = false, ended_ = false;
  bool reading_ = false, resting_ = false;
};

}  // namespace jackfield::extmodule
