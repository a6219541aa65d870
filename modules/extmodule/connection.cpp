#include "connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <optional>

#include <unistd.h>

namespace jackfield::extmodule {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostUnsent = 2 * 1024 * 1024;

}  // namespace

struct Connection::Io {
  asio::posix::stream_descriptor input;
  std::optional<asio::posix::stream_descriptor> output;  ///< none: the same descriptor
  std::array<char, 65536> chunk;

  Io(asio::io_context& loop, int in, int out) : input(loop, in) {
    if (out != in) output.emplace(loop, out);
  }
  asio::posix::stream_descriptor& writer() { return output ? *output : input; }
};

std::shared_ptr<Connection> Connection::make(Engine& engine, int input, int output) {
  return std::shared_ptr<Connection>(new Connection(engine, input, output));
}

Connection::Connection(Engine& engine, int input, int output) : engine_(engine), io_(std::make_unique<Io>(engine.io(), input, output)) {}

Connection::~Connection() = default;

void Connection::start(Events events) {
  events_ = std::move(events);
  read();
}

void Connection::rest(bool resting) {
  if (resting_ == resting) return;
  resting_ = resting;
  read();
}

void Connection::read() {
  if (reading_ || ended_ || resting_ || unsent() > kMostUnsent) return;
  reading_ = true;
  io_->input.async_read_some(asio::buffer(io_->chunk), [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
    self->reading_ = false;
    if (self->ended_) return;
    if (error) return self->end(error == asio::error::eof ? "closed by the script" : error.message());
    self->received(bytes);
    if (!self->ended_) self->read();
  });
}

void Connection::received(std::size_t bytes) {
  in_.append(io_->chunk.data(), bytes);
  std::size_t begin = 0;
  for (auto end = in_.find('\n'); end != std::string::npos; end = in_.find('\n', begin)) {
    if (end - begin >= longest_ && !cut_) break;
    auto line = std::string_view(in_).substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    events_.line(line);
    if (ended_) return;
    begin = end + 1;
  }
  in_.erase(0, begin);
  if (in_.size() < longest_) return;
  if (!cut_) return end("a line is longer than the buffer");
  events_.line(in_);
  in_.clear();
}

void Connection::flush() {
  if (flushing_ || ended_ || !writing_.empty()) return;
  flushing_ = true;
  engine_.post([self = shared_from_this()] {
    self->flushing_ = false;
    if (!self->ended_ && self->writing_.empty()) self->write();
  });
}

void Connection::write() {
  if (out_.empty()) return;
  writing_.swap(out_);
  asio::async_write(io_->writer(), asio::buffer(writing_), [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
    self->writing_.clear();
    if (self->ended_) return;
    if (error) return self->end(error.message());
    self->write();
    self->read();  // it may have waited for this
  });
}

void Connection::end(std::string why) {
  if (ended_) return;
  release();
  engine_.post([self = shared_from_this(), why = std::move(why)] { self->events_.closed(why); });
}

void Connection::close() {
  if (ended_) return;
  boost::system::error_code error;
  io_->writer().non_blocking(true, error);
  // Behind what is on its way already, a part of a line would be worse than none.
  if (writing_.empty() && !out_.empty() && !error) io_->writer().write_some(asio::buffer(out_), error);
  release();
}

void Connection::release() {
  ended_ = true;
  boost::system::error_code ignored;
  io_->input.close(ignored);
  if (io_->output) io_->output->close(ignored);
}

}  // namespace jackfield::extmodule
