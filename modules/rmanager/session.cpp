#include "session.h"

#include "alias.h"
#include "digest/digest.h"
#include "door/peer_user.h"
#include "text/speaks_http.h"

#include <jackfield/message_text.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::rmanager {

namespace asio = boost::asio;

namespace {

/// What may wait for a client while lines are streamed to it; one that reads more slowly is dropped.
constexpr std::size_t kMostUnsent = 1024 * 1024;
constexpr std::string_view kPromptColor = "\x1b[32m", kStreamColor = "\x1b[36m", kPlain = "\x1b[0m";

net::Address address_of(const asio::ip::tcp::endpoint& endpoint) { return net::Address::from(*endpoint.data()); }

}  // namespace

std::shared_ptr<Session> Session::begin(Engine& engine, std::uint64_t id, asio::ip::tcp::socket socket, std::shared_ptr<const ListenerSettings> settings,
                                        std::shared_ptr<Shared> shared, Ended ended) {
  auto session = std::shared_ptr<Session>(new Session(engine, id, std::move(socket), std::move(settings), std::move(shared), std::move(ended)));
  session->greet();
  return session;
}

Session::Session(Engine& engine, std::uint64_t id, asio::ip::tcp::socket socket, std::shared_ptr<const ListenerSettings> settings, std::shared_ptr<Shared> shared, Ended ended)
    : engine_(engine),
      id_(id),
      log_(engine.log("rmanager")),
      socket_(std::move(socket)),
      settings_(std::move(settings)),
      shared_(std::move(shared)),
      ended_(std::move(ended)),
      editor_(settings_->max_history) {}

void Session::greet() {
  console_ = ConsoleSession::make(engine_, {.address = {}, .color = settings_->color}, [this](std::string_view lines) { stream(lines); });
  boost::system::error_code error;
  const auto far = socket_.remote_endpoint(error);
  const auto near = error ? far : socket_.local_endpoint(error);
  if (error) return leave("gone", Leaving::at_once);
  peer_ = address_of(far);
  console_->options().address = peer_.text();
  console_->options().level = first_level(address_of(near));
  console_->options().user_may = [settings = settings_](std::string_view line) { return settings->allows_users(line); };
  if (level() == ConsoleLevel::none && settings_->timeout > Duration(0)) login_timer_ = engine_.timers().start(shared_->sink, 2 * id_, settings_->timeout);
  if (settings_->telnet) say(Telnet::greeting());
  echo_ = settings_->echoing;
  editor_.set_echo(echo_);
  if (!settings_->header.empty()) say(substitute(settings_->header, [this](std::string_view name) { return engine_.run_parameter(name); }) + "\r\n");
  console_->set_output(settings_->output);
  say(prompt());
  read();
}

/// COMPAT §10: without passwords everybody is an administrator (here: of this machine's users those that could be the server themselves),
/// with the administrator's alone a user, with both nobody yet.
ConsoleLevel Session::first_level(const net::Address& near) const {
  if (!settings_->userpass.empty()) return ConsoleLevel::none;
  if (!settings_->password.empty()) return ConsoleLevel::user;
  const auto user = door::user_of(peer_, near);
  if (settings_->trust.admits(user)) return ConsoleLevel::admin;
  log_.warning("event=not_trusted address={} user={} reason=\"no password, and trust= names others\"", peer_.text(), user ? std::to_string(*user) : "unknown");
  return ConsoleLevel::none;
}

void Session::read() {
  if (closed_ || leaving_) return;
  socket_.async_read_some(asio::buffer(chunk_), [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
    if (self->closed_ || self->leaving_) return;
    if (error) return self->leave("closed by the client", Leaving::at_once);
    self->telnet_.take({self->chunk_.data(), bytes}, self->in_);
    self->say(self->telnet_.take_reply());
    if (const auto echo = self->telnet_.echo()) self->set_echo(*echo || self->settings_->echoing);
    auto& options = self->console_->options();
    options.width = self->telnet_.width();
    options.height = self->telnet_.height();
    self->work();
  });
}

void Session::work() {
  if (working_) return;
  working_ = true;
  bool more = true;
  while (more && !busy_ && !closed_ && !leaving_) {
    stalled_ = out_.size() + writing_.size() > kMostUnsent;
    if (stalled_) break;
    std::string echo;
    auto event = editor_.take(in_, echo);
    say(echo);
    more = event.kind != LineEditor::Kind::none;
    if (more) handle(std::move(event));
  }
  working_ = false;
  if (!more) read();
}

void Session::handle(LineEditor::Event event) {
  switch (event.kind) {
    case LineEditor::Kind::none: return;
    case LineEditor::Kind::close: return leave("interrupted");
    case LineEditor::Kind::too_long: return leave("a line is too long");
    case LineEditor::Kind::complete: return complete(event.text);
    case LineEditor::Kind::quit: event.text = "quit"; break;
    case LineEditor::Kind::reload: event.text = "reload"; break;
    case LineEditor::Kind::line: break;
  }
  if (speaks_http(event.text)) return leave("it speaks HTTP", Leaving::at_once);
  if (event.text.find_first_not_of(" \t") == std::string::npos) return say(prompt());
  busy_ = true;
  engine_.spawn("rmanager command", run(shared_from_this(), std::move(event.text)));
}

Task<> Session::run(std::shared_ptr<Session> self, std::string line) {
  if (masked_command(line) == line) self->editor_.remember(line);
  for (auto& command : expand(line, self->settings_->aliases)) {
    auto executing = execute(self, std::move(command));
    if (!co_await std::move(executing)) break;
  }
  self->busy_ = false;
  if (self->closed_ || self->leaving_) co_return;
  self->say(self->prompt());
  self->work();
}

/// False: nothing may follow.
Task<bool> Session::execute(std::shared_ptr<Session> self, std::string command) {
  const auto begin = std::min(command.find_first_not_of(" \t"), command.size());
  const auto end = std::min(command.find_first_of(" \t", begin), command.size());
  const auto verb = command.substr(begin, end - begin);
  if (verb == "auth") {
    const auto argument = std::min(command.find_first_not_of(" \t", end), command.size());
    auto password = command.substr(argument);
    while (!password.empty() && (password.back() == ' ' || password.back() == '\r')) password.pop_back();
    auto authenticating = authenticate(self, std::move(password));
    const auto text = co_await std::move(authenticating);
    if (self->closed_) co_return false;
    self->say(text);
    if (self->failures_ < door::Failures::kMostOnOneConnection) co_return true;
    self->leave("wrong passwords");
    co_return false;
  }
  if (verb == "alias" && self->level() == ConsoleLevel::admin) {
    self->say(self->alias_list());
    co_return true;
  }
  const auto& settings = *self->settings_;
  constexpr std::string_view kHarmless[] = {"?", "color", "date", "echo", "help", "machine", "output", "quit", "status", "uptime"};
  const bool admin = self->level() == ConsoleLevel::admin, allowed = self->level() == ConsoleLevel::user && settings.allows_users(command);
  if (settings.logged && (admin || allowed) && std::ranges::find(kHarmless, verb) == std::end(kHarmless))
    self->log_.info("event=command address={} level={} line={}", self->peer_.text(), admin ? "admin" : "user", log_value(masked_command(command)));
  self->console_->options().prompts = self->echo_ && self->shows_prompt();
  auto executing = ConsoleSession::execute(self->console_, std::move(command));
  const auto answer = co_await std::move(executing);
  if (self->closed_ || self->leaving_) co_return false;
  self->say(answer.text);
  if (answer.ends) self->leave("quit", self->machine() ? Leaving::flushed : Leaving::politely);
  co_return !answer.ends;
}

Task<std::string> Session::authenticate(std::shared_ptr<Session> self, std::string password) {
  const auto is = [&](const std::string& secret) { return !secret.empty() && digest::equal_constant_time(password, secret); };
  // Whoever is more already stays so: `auth` never takes anything away.
  ConsoleLevel level = ConsoleLevel::none;
  if (is(self->settings_->userpass)) level = ConsoleLevel::user;
  if (is(self->settings_->password)) level = ConsoleLevel::admin;
  auto& options = self->console_->options();
  if (level != ConsoleLevel::none) {
    options.level = std::max(options.level, level);
    self->failures_ = 0;
    self->shared_->failures.forget(self->peer_);
    self->engine_.timers().stop(self->login_timer_);
    self->log_.info("event=authenticated address={} level={}", self->peer_.text(), level == ConsoleLevel::admin ? "admin" : "user");
    co_return self->machine() ? "%%=auth:success\r\n" : fmt::format("You are {} now\r\n", options.level == ConsoleLevel::admin ? "administrator" : "user");
  }
  ++self->failures_;
  self->shared_->failed_passwords->add();
  const auto delay = self->shared_->failures.add(self->peer_, self->engine_.clock().now(), self->settings_->fail_delay);
  self->log_.warning("event=wrong_password address={} delay_ms={}", self->peer_.text(), delay.count());
  if (delay > Duration(0)) {
    auto pause = self->shared_->waits.open<bool>(delay);
    self->delay_ = pause.id();
    const auto over = co_await pause.wait();
    (void)over;
    self->delay_ = 0;
  }
  co_return self->machine() ? "%%=auth:fail=badpass\r\n" : "The password is wrong\r\n";
}

std::string Session::alias_list() const {
  if (settings_->aliases.empty()) return "there are no aliases\r\n";
  std::string out;
  for (const auto& [name, command] : settings_->aliases) out += fmt::format("{}={}\r\n", name, command);
  return out;
}

void Session::complete(const std::string& line) {
  busy_ = true;
  engine_.spawn("rmanager completion", find_words(shared_from_this(), line));
}

Task<> Session::find_words(std::shared_ptr<Session> self, std::string line) {
  const auto blank = line.find_last_of(' ');
  const std::string before = blank == std::string::npos ? "" : line.substr(0, blank), word = blank == std::string::npos ? line : line.substr(blank + 1);
  auto completing = ConsoleSession::complete(self->console_, before, word);
  auto words = co_await std::move(completing);
  if (before.find_first_not_of(' ') == std::string::npos) {
    std::vector<std::string> own = {"auth"};
    if (self->level() == ConsoleLevel::admin) {
      own.emplace_back("alias");
      for (const auto& [name, command] : self->settings_->aliases) own.push_back(name);
    }
    for (auto& candidate : own)
      if (candidate.starts_with(word)) words.push_back(std::move(candidate));
    std::ranges::sort(words);
  }
  self->busy_ = false;
  if (self->closed_ || self->leaving_) co_return;
  self->show_candidates(word, words);
  self->work();
}

/// A person gets the letters that are certain, or the list when there are none; a program always gets the list, tabs between.
void Session::show_candidates(const std::string& word, const std::vector<std::string>& words) {
  std::string echo;
  if (!echo_) {
    say(fmt::format("{}\r\n", fmt::join(words, "\t")));
    return;
  }
  if (words.empty()) return say("\a");
  std::string common = words.front();
  for (const auto& candidate : words) {
    const auto [mine, theirs] = std::ranges::mismatch(common, candidate);
    common.erase(mine, common.end());
  }
  if (common.size() > word.size() || words.size() == 1) {
    editor_.insert(common.substr(word.size()) + (words.size() == 1 ? " " : ""), echo);
    return say(echo);
  }
  say(fmt::format("\r\n{}\r\n{}{}", fmt::join(words, "\t"), prompt(), editor_.line()));
}

bool Session::shows_prompt() const { return echo_ || settings_->interactive; }

std::string Session::prompt() const {
  if (!shows_prompt() || machine()) return {};
  const auto& text = level() == ConsoleLevel::user && !settings_->prompt_user.empty()    ? settings_->prompt_user
                     : level() == ConsoleLevel::none && !settings_->prompt_guest.empty() ? settings_->prompt_guest
                                                                                         : settings_->prompt;
  auto filled = substitute(text, [this](std::string_view name) { return engine_.run_parameter(name); });
  return console_->options().color && !filled.empty() ? fmt::format("{}{}{}", kPromptColor, filled, kPlain) : filled;
}

void Session::set_echo(bool on) {
  const bool began = on && !shows_prompt() && !busy_;
  echo_ = on;
  editor_.set_echo(on);
  // A telnet client agrees to the echo after the header: its first prompt comes now.
  if (began) say(prompt());
}

void Session::say(std::string_view text) {
  if (text.empty() || closed_) return;
  out_ += text;
  if (writing_.empty()) write();
}

void Session::stream(std::string_view lines) {
  if (closed_ || leaving_) return;
  streamed_ += lines.size();
  if (streamed_ > kMostUnsent) {
    shared_->dropped->add();
    return leave("it reads more slowly than lines come", Leaving::at_once);
  }
  // Above the line being typed, which is shown again.
  const bool over = echo_ && !busy_ && shows_prompt() && !machine();
  const bool color = console_->options().color;
  say(fmt::format("{}{}{}{}", over ? "\r\x1b[K" : "", color ? kStreamColor : "", lines, color ? kPlain : ""));
  if (over) say(prompt() + editor_.line());
}

void Session::write() {
  writing_.swap(out_);
  if (!unread_timer_) unread_timer_ = engine_.timers().start(shared_->sink, 2 * id_ + 1, settings_->unread_timeout);
  asio::async_write(socket_, asio::buffer(writing_), [self = shared_from_this()](const boost::system::error_code& error, std::size_t written) {
    self->writing_.clear();
    self->streamed_ -= std::min(self->streamed_, written);
    if (self->closed_) return;
    self->engine_.timers().stop(std::exchange(self->unread_timer_, {}));
    if (error) return self->leave(error.message(), Leaving::at_once);
    if (!self->out_.empty()) return self->write();
    self->streamed_ = 0;
    if (self->leaving_) self->finish();
    else if (self->stalled_) self->work();
  });
}

void Session::on_timer(bool unread) {
  if (leaving_) finish();
  else if (unread) leave("its answers are not read", Leaving::at_once);
  else leave("no password in time");
}

/// Closes once everything is sent, or at once; in a later turn, for callers that are in the middle of something.
void Session::leave(std::string_view why, Leaving how) {
  if (closed_ || leaving_) return;
  console_->close();
  log_.info("event=closed address={} reason={}", peer_.text(), log_value(why));
  if (how == Leaving::politely && !settings_->goodbye.empty()) say(settings_->goodbye + "\r\n");
  leaving_ = true;
  engine_.post([self = shared_from_this(), how] {
    if (how == Leaving::at_once || self->writing_.empty()) self->finish();
  });
}

void Session::finish() {
  const auto self = shared_from_this();
  const auto ended = std::exchange(ended_, {});
  close();
  if (ended) ended(*this);
}

void Session::close() {
  if (closed_) return;
  closed_ = true;
  ended_ = {};
  console_->close();
  if (delay_ != 0) shared_->waits.complete<bool>(delay_, false);
  engine_.timers().stop(login_timer_);
  engine_.timers().stop(unread_timer_);
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace jackfield::rmanager
