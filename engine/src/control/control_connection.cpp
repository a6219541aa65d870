#include "control/control_connection.h"

#include "control/protocol.h"

#include <boost/asio/buffer.hpp>

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace jackfield {

namespace asio = boost::asio;

namespace {

/// For a client that asks nothing, or does not read its answer.
constexpr Duration kIdle = std::chrono::seconds(60);
constexpr Duration kNever = std::chrono::hours(24 * 365);
/// What may wait for a client that reads slowly, beyond the answer it asked for.
constexpr std::size_t kMostStreamed = 512 * 1024;

/// CR LF, as consoles speak, becomes LF.
std::string plain_lines(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != '\r') out += c;
  return out;
}

int number(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

ControlConnection::ControlConnection(Engine& engine, asio::local::stream_protocol::socket socket, std::shared_ptr<Pendings> waits)
    : socket_(std::move(socket)),
      session_(ConsoleSession::make(engine, {.address = "control", .level = ConsoleLevel::admin, .prompts = true},
                                    [this](std::string_view lines) { stream(lines); })),
      waits_(std::move(waits)) {}

Task<> ControlConnection::serve(std::shared_ptr<ControlConnection> self) {
  while (!self->closed_) {
    auto reading = read_line(self);
    auto line = co_await std::move(reading);
    if (!line) break;
    auto answering = answer(self, std::move(*line));
    std::string bytes = co_await std::move(answering);
    self->send(std::move(bytes));
    auto taking = answer_taken(self);
    if (!co_await std::move(taking)) break;
  }
  self->session_->close();
}

Task<std::optional<std::string>> ControlConnection::read_line(std::shared_ptr<ControlConnection> self) {
  auto chunk = std::make_shared<std::array<char, 4096>>();
  for (;;) {
    if (const auto end = self->in_.find('\n'); end <= kMaxControlLine) {
      std::string line = self->in_.substr(0, end);
      self->in_.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      co_return line;
    }
    if (self->in_.size() > kMaxControlLine || self->closed_) co_return std::nullopt;
    auto waiting = self->waits_->open<std::size_t>(self->console_ ? kNever : kIdle);
    self->reading_ = waiting.id();
    self->socket_.async_read_some(asio::buffer(*chunk), [self, chunk, id = waiting.id()](const boost::system::error_code& error, std::size_t bytes) {
      self->waits_->complete<std::size_t>(id, error ? 0 : bytes);
    });
    const auto got = co_await waiting.wait();
    self->reading_ = 0;
    if (!got || *got == 0) {
      boost::system::error_code ignored;
      self->socket_.cancel(ignored);
      co_return std::nullopt;
    }
    self->in_.append(chunk->data(), *got);
  }
}

Task<std::string> ControlConnection::answer(std::shared_ptr<ControlConnection> self, std::string line) {
  if (line.starts_with(kConsoleRequest)) {
    const auto size = std::string_view(line).substr(kConsoleRequest.size());
    self->console_ = true;
    self->session_->options().width = number(size.substr(0, size.find(' ')));
    self->session_->options().height = number(size.substr(std::min(size.find(' '), size.size() - 1) + 1));
    co_return framed({true, ""});
  }
  if (line.starts_with(kCompleteRequest)) {
    const auto asked = line.substr(kCompleteRequest.size());
    const auto tab = asked.find('\t');
    auto completing = ConsoleSession::complete(self->session_, asked.substr(0, tab), tab == std::string::npos ? "" : asked.substr(tab + 1));
    const auto words = co_await std::move(completing);
    co_return framed({true, fmt::format("{}", fmt::join(words, "\t"))});
  }
  auto executing = ConsoleSession::execute(self->session_, std::move(line));
  const auto answer = co_await std::move(executing);
  co_return framed({answer.ok, plain_lines(answer.text)});
}

/// What is streamed behind the answer is not waited for: it may never end. A client that takes nothing at all for so long is gone. While the
/// server ends, nothing limits the wait but the end itself.
Task<bool> ControlConnection::answer_taken(std::shared_ptr<ControlConnection> self) {
  self->awaited_ = self->queued_;
  while (self->taken_ < self->awaited_ && !self->broken_) {
    const auto before = self->taken_;
    auto waiting = self->waits_->open<bool>(kIdle);
    self->waiting_ = waiting.id();
    const auto taken = co_await waiting.wait();
    self->waiting_ = 0;
    if (taken) continue;
    if (taken.error().kind != PendingError::Kind::late) co_return false;
    if (self->taken_ != before) continue;  // slow, but it reads
    boost::system::error_code ignored;
    self->socket_.close(ignored);
    co_return false;
  }
  co_return !self->broken_;
}

void ControlConnection::stream(std::string_view lines) {
  if (closed_) return;
  if (out_.size() > kMostStreamed) {
    ++left_out_;
    return;
  }
  if (left_out_ > 0) send(framed_stream(fmt::format("({} lines were left out: they came faster than they were read)\n", std::exchange(left_out_, 0))));
  send(framed_stream(plain_lines(lines)));
}

void ControlConnection::send(std::string bytes) {
  if (broken_) return;
  queued_ += bytes.size();
  out_ += bytes;
  if (writing_.empty()) write();
}

/// By parts, so that taken_ tells who reads slowly from who does not read.
void ControlConnection::write() {
  if (written_ == writing_.size()) {
    writing_.clear();
    written_ = 0;
    writing_.swap(out_);
  }
  if (writing_.empty()) return;
  socket_.async_write_some(asio::buffer(writing_) + written_, [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
    self->broken_ = static_cast<bool>(error);
    self->taken_ += bytes;
    self->written_ += bytes;
    const bool through = self->broken_ || self->taken_ >= self->awaited_;
    if (through && self->waiting_ != 0) self->waits_->complete<bool>(self->waiting_, true);
    if (!self->broken_) self->write();
  });
}

void ControlConnection::close() {
  closed_ = true;
  session_->close();
  // Whoever waits for a line is woken; the socket itself stays open until the end.
  if (reading_ != 0) waits_->complete<std::size_t>(reading_, 0);
}

}  // namespace jackfield
