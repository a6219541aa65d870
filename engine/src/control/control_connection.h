// One client of the control socket: its lines in, answers and what is streamed to it out (control/protocol.h). Engine thread only.
#pragma once

#include <jackfield/console.h>
#include <jackfield/pending.h>

#include <boost/asio/local/stream_protocol.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace jackfield {

class ControlConnection : public std::enable_shared_from_this<ControlConnection> {
 public:
  ControlConnection(Engine& engine, boost::asio::local::stream_protocol::socket socket, std::shared_ptr<Pendings> waits);

  /// Reads, executes and answers until the client goes, is silent or unread for too long, or close().
  static Task<> serve(std::shared_ptr<ControlConnection> self);
  /// No further line is read; the answer under way is given, and the socket stays open until the object goes.
  void close();

 private:
  /// Nothing: the end.
  static Task<std::optional<std::string>> read_line(std::shared_ptr<ControlConnection> self);
  static Task<std::string> answer(std::shared_ptr<ControlConnection> self, std::string line);
  static Task<bool> answer_taken(std::shared_ptr<ControlConnection> self);
  void stream(std::string_view lines);
  void send(std::string bytes);
  void write();

  boost::asio::local::stream_protocol::socket socket_;
  std::shared_ptr<ConsoleSession> session_;
  std::shared_ptr<Pendings> waits_;
  std::string in_, out_, writing_;
  std::size_t written_ = 0;               ///< of writing_
  std::uint64_t queued_ = 0, taken_ = 0;  ///< bytes for the client since it came, and those that it has taken
  std::uint64_t awaited_ = 0;             ///< what taken_ reaches when the last answer is through
  std::size_t left_out_ = 0;
  PendingId reading_ = 0, waiting_ = 0;
  bool console_ = false;  ///< somebody sits there, and may be silent
  bool closed_ = false;
  bool broken_ = false;   ///< nothing reaches the client any more
};

}  // namespace jackfield
