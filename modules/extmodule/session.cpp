#include "session.h"

#include "text/speaks_http.h"

#include <jackfield/channel.h>
#include <jackfield/message_text.h>
#include <jackfield/messages/call.h>
#include <jackfield/settings.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace jackfield::extmodule {
namespace {

constexpr std::size_t kMostUnsent = 1024 * 1024;  // a script that does not read is not told more
constexpr std::size_t kMostUnanswered = 8 * 1024 * 1024;  // of its own messages; it is not listened to until some are through
constexpr std::size_t kLeastMessage = 512;        // what even a short one takes
constexpr std::size_t kMostBadLines = 10;         // in the log
constexpr std::size_t kMostInstalled = 10000;     // handlers, and as many watchers
constexpr std::size_t kMostHeld = 1000;           // messages, where maxqueue=0 sets no limit

/// Takes as long for a wrong secret as for the right one.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[b.empty() ? 0 : i % b.size()]);
  return difference == 0;
}

/// A line that was not understood. Behind its keyword may stand a secret, a password that somebody asked for, the parameters of a call; the
/// script itself hears all of it.
std::string fit_for_log(std::string_view line) {
  constexpr std::size_t kMostLogged = 200;
  const auto secret = line.find("auth:");
  const auto end = line.starts_with("%%") ? line.find_first_of(": ") : secret == std::string_view::npos ? secret : secret + 4;
  if (end == std::string_view::npos) return masked_command(line.substr(0, kMostLogged));
  return fmt::format("{}… ({} bytes)", line.substr(0, std::min(end, kMostLogged) + 1), line.size());
}

/// What many sessions have in common: the listener of `scripts/12`, the script of `greeter.py#3`.
std::string family(std::string_view name) {
  const auto end = name.find_last_not_of("0123456789");
  const bool numbered = end != std::string_view::npos && end + 1 < name.size() && (name[end] == '/' || name[end] == '#');
  return std::string(numbered ? name.substr(0, end) : name);
}

}  // namespace

std::shared_ptr<Session> Session::begin(Engine& engine, std::string name, std::shared_ptr<Connection> connection, Locals locals, Door door, Ended ended) {
  std::shared_ptr<Session> session(new Session(engine, std::move(name), std::move(connection), std::move(locals), std::move(door), std::move(ended)));
  session->connection_->set_longest_line(session->locals_.bufsize);
  session->connection_->start({.line =
                                   [weak = session->weak_from_this()](std::string_view line) {
                                     if (const auto self = weak.lock()) self->line(line);
                                   },
                               .closed =
                                   [weak = session->weak_from_this()](std::string_view why) {
                                     if (const auto self = weak.lock()) self->close(why);
                                   }});
  return session;
}

Session::Session(Engine& engine, std::string name, std::shared_ptr<Connection> connection, Locals locals, Door door, Ended ended)
    : engine_(engine),
      log_(engine.log("extmodule")),
      name_(std::move(name)),
      connection_(std::move(connection)),
      locals_(std::move(locals)),
      door_(std::move(door)),
      ended_(std::move(ended)),
      pendings_(engine.timers()),
      answers_(engine.metrics().counter("jackfield_extmodule_answers_total", "Answers of scripts to what they were asked.", {{"script", family(name_)}})),
      answer_time_(engine.metrics().counter("jackfield_extmodule_answer_milliseconds_total", "How long scripts took for their answers, added up.",
                                            {{"script", family(name_)}})) {}

Session::~Session() {
  if (!over_) connection_->close();
}

void Session::close(std::string_view why) {
  if (over_) return;
  over_ = true;
  const auto self = shared_from_this();
  connection_->close();
  handlers_.clear();
  watchers_.clear();
  pendings_.stop();  // what it was asked goes on without it
  ended_(*this, why);
}

void Session::line(std::string_view line) {
  if (over_ || refused_ || line.empty()) return;
  if (std::exchange(first_, false) && speaks_http(line)) return close("it speaks HTTP");
  if (!door_.secret.empty()) return told_secret(line);
  bool understood = false;
  const bool from_script = line.starts_with("%%>"), to_script = line.starts_with("%%<");
  if (from_script || to_script) {
    const auto colon = line.find(':');
    const auto keyword = line.substr(3, colon == std::string_view::npos ? colon : colon - 3);
    const auto fields = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    understood = to_script ? keyword == "message" && answer(fields) : command(keyword, fields);
  }
  if (understood || over_) return;
  if (++bad_lines_ <= kMostBadLines)
    log_.warning("event=bad-line script={} line={}{}", log_value(name_), log_value(fit_for_log(line)),
                 bad_lines_ == kMostBadLines ? " hint=\"further ones are not logged\"" : "");
  say(fmt::format("Error in: {}", line));
}

void Session::told_secret(std::string_view line) {
  const auto told = line.starts_with("%%>auth:") ? unescaped(line.substr(8)) : std::nullopt;
  if (told && same_secret(*told, door_.secret)) {
    if (door_.admit && !door_.admit()) return close("too many are connected");
    door_.secret.clear();
    return say("%%<auth:true");
  }
  refused_ = true;
  connection_->rest(true);
  engine_.spawn("a wrong secret", refuse(shared_from_this(), door_.wrong ? door_.wrong() : Duration(0)));
}

Task<> Session::refuse(std::shared_ptr<Session> self, Duration after) {
  if (after > Duration(0)) {
    auto pause = self->pendings_.open<bool>(after);
    (void)co_await pause.wait();
  }
  if (self->over_) co_return;
  self->say("%%<auth:false");
  self->close("it told a wrong secret");
}

bool Session::command(std::string_view keyword, std::string_view fields) {
  if (keyword != "connect" && door_.role == Role::open) door_.role = Role::global;
  if (keyword == "message") return message(fields);
  if (keyword == "install") return install(fields);
  if (keyword == "uninstall") return uninstall(fields);
  if (keyword == "watch") return watch(fields, true);
  if (keyword == "unwatch") return watch(fields, false);
  if (keyword == "setlocal") return set_local(fields);
  if (keyword == "output") return log_.info("{}", fields), true;
  if (keyword == "debug") return debug(fields);
  if (keyword == "connect") return connected(fields);
  if (keyword == "auth") return say("%%<auth:true"), true;  // told already, or nothing was asked
  if (keyword == "quit") return quit(), true;
  return false;
}

/// Only the first line decides; to say the same again does no harm. Audio (play, record, playrec) is not there.
bool Session::connected(std::string_view fields) {
  const auto parts = split_fields(fields);
  const auto id = unescaped(parts.size() > 1 ? parts[1] : "");
  const auto role = parts[0] == "global" ? Role::global : parts[0] == "channel" ? Role::channel : Role::open;
  if (role == Role::open || !id || (door_.role != Role::open && door_.role != role)) {
    log_.warning("event=script-refused script={} role={} hint=\"global or channel, in the first line, as the listener's role= allows\"", log_value(name_), log_value(parts[0]));
    close("it asked for a role that there is not");
    return true;
  }
  door_.role = role;
  if (role == Role::channel && !id->empty()) locals_.id = *id;
  return true;
}

bool Session::message(std::string_view fields) {
  auto wire = parse_message(fields);
  if (!wire) return false;
  wire->size = fields.size();
  if (!held_) dispatch(std::move(*wire));
  else if (held_->size() < (locals_.maxqueue == 0 ? kMostHeld : locals_.maxqueue)) held_->push_back(std::move(*wire));
  else close("it sent too much before its call was connected");
  return true;
}

void Session::release() {
  if (!held_) return;
  const auto waiting = std::exchange(held_, std::nullopt);
  for (auto& wire : *waiting)
    if (!over_) dispatch(wire);
}

void Session::dispatch(WireMessage wire) {
  const bool now = wire.time == 0 || locals_.settime;
  auto made = std::make_shared<Message>(wire.name, now ? engine_.clock().wall() : WallTime(std::chrono::seconds(wire.time)));
  made->set_retvalue(wire.retval);
  for (const auto& parameter : wire.parameters)
    if (parameter.value) made->set(parameter.name, *parameter.value);
  if (!add_channel(*made)) return finish(*made, false, wire.id);
  const auto size = std::max(wire.size, kLeastMessage);
  own_.emplace(made.get(), size);
  own_size_ += size;
  Verdict verdict = engine_.bus().dispatch(*made);
  if (verdict.immediate()) return finish(*made, verdict.handled(), wire.id);
  connection_->rest(own_size_ > kMostUnanswered);
  engine_.spawn("message of a script", dispatch_slowly(shared_from_this(), std::move(made), std::move(verdict), std::move(wire.id)));
}

bool Session::add_channel(Message& message) {
  const bool calls = door_.role == Role::channel && door_.calls && message.name() == messages::kCallExecute.name;
  if (calls && channel_.empty() && !door_.calls(shared_from_this(), message)) return false;
  if (channel_.empty()) return true;
  if (calls) message.set(messages::param::kId, channel_);
  if (locals_.setdata) message.attach(std::make_shared<ChannelHandle>(ChannelHandle{channel_}));
  return true;
}

Task<> Session::dispatch_slowly(std::shared_ptr<Session> self, std::shared_ptr<Message> message, Verdict verdict, std::string id) {
  const bool handled = co_await settle(std::move(verdict));
  self->finish(*message, handled, id);
}

void Session::finish(const Message& message, bool handled, std::string_view id) {
  if (const auto own = own_.extract(&message)) own_size_ -= own.mapped();
  connection_->rest(own_size_ > kMostUnanswered);
  if (over_ || id.empty()) return;
  append_answer(connection_->output(), id, handled, message);
  connection_->flush();
}

bool Session::answer(std::string_view fields) {
  const auto colon = fields.find(':');
  if (colon == std::string_view::npos) return false;
  PendingId id = 0;
  const auto number = fields.substr(0, colon);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), id);
  auto read = parse_answer(fields.substr(colon + 1));
  if (!read) return false;
  const bool known = error == std::errc() && end == number.data() + number.size() && pendings_.complete(id, std::move(*read));
  if (!known) log_.debug("event=late-answer script={} id={}", log_value(name_), log_value(number));
  return true;
}

bool Session::install(std::string_view fields) {
  const auto parts = split_fields(fields);
  if (parts.size() < 2) return false;
  const auto name = unescaped(parts[1]), filter_name = unescaped(parts.size() > 2 ? parts[2] : ""), filter_value = unescaped(parts.size() > 3 ? parts[3] : "");
  const auto priority = parts[0].empty() ? std::optional<std::int64_t>(locals_.priority) : parse_integer(parts[0]);
  if (!name || !filter_name || !filter_value || !priority || *priority < 0 || *priority > 1000000) return false;
  const bool installed = !name->empty() && !handlers_.contains(*name) && handlers_.size() < kMostInstalled;
  if (installed) {
    handlers_.emplace(*name, Installed{static_cast<int>(*priority),
                                       engine_.bus().install({.message = *name,
                                                              .priority = static_cast<int>(*priority),
                                                              .track = locals_.trackparam,
                                                              .filter_name = *filter_name,
                                                              .filter_value = *filter_value,
                                                              .dry_run = true},
                                                             [weak = weak_from_this()](Message& message) -> Verdict {
                                                               const auto self = weak.lock();
                                                               return self ? self->ask(message) : Verdict(false);
                                                             })});
  }
  say(fmt::format("%%<install:{}:{}:{}", *priority, parts[1], wire_boolean(installed)));
  return true;
}

bool Session::uninstall(std::string_view fields) {
  const auto name = unescaped(fields);
  if (!name) return false;
  const auto found = handlers_.find(*name);
  const bool known = found != handlers_.end();
  const int priority = known ? found->second.priority : 0;
  if (known) handlers_.erase(found);
  say(fmt::format("%%<uninstall:{}:{}:{}", priority, fields, wire_boolean(known)));
  return true;
}

bool Session::watch(std::string_view fields, bool on) {
  const auto name = unescaped(fields);
  if (!name) return false;
  const bool known = watchers_.contains(*name) || (on && watchers_.size() >= kMostInstalled);
  if (on && !known) {
    watchers_.emplace(*name, engine_.bus().watch(*name, [weak = weak_from_this()](const Message& message, bool handled) {
      if (const auto self = weak.lock()) self->watched(message, handled);
    }));
  } else if (!on && known) {
    watchers_.erase(watchers_.find(*name));
  }
  say(fmt::format("%%<{}:{}:{}", on ? "watch" : "unwatch", fields, wire_boolean(on != known)));
  return true;
}

bool Session::set_local(std::string_view fields) {
  const auto parts = split_fields(fields);
  const auto name = unescaped(parts[0]), value = unescaped(parts.size() > 1 ? parts[1] : "");
  if (!name || !value) return false;
  const auto result = extmodule::set_local(locals_, *name, *value, door_.role == Role::channel, engine_);
  connection_->set_longest_line(locals_.bufsize);
  std::string reply = fmt::format("%%<setlocal:{}:", parts[0]);
  append_escaped(reply, result.value);
  say(fmt::format("{}:{}", reply, wire_boolean(result.known)));
  return true;
}

bool Session::debug(std::string_view fields) {
  const auto parts = split_fields(fields);
  const auto text = unescaped(parts.size() > 1 ? parts[1] : "");
  if (!text) return false;
  const auto level = parse_integer(parts[0]).value_or(9);
  if (locals_.debuglevel != 0 && level > locals_.debuglevel) return true;
  const auto& who = locals_.debugname.empty() ? name_ : locals_.debugname;
  if (level <= 2) log_.error("{}: {}", who, *text);
  else if (level <= 5) log_.warning("{}: {}", who, *text);
  else if (level <= 8) log_.info("{}: {}", who, *text);
  else log_.debug("{}: {}", who, *text);
  return true;
}

void Session::quit() {
  say("%%<quit");
  locals_.restart = false;  // it means it
  close("quit");
}

void Session::say(std::string_view line) {
  connection_->output().append(line).push_back('\n');
  connection_->flush();
}

Verdict Session::ask(Message& message) {
  if (over_ || (own_.contains(&message) && !locals_.reenter)) return false;
  if (message.flag(messages::param::kDryRun) && !locals_.dry_run) {
    auto& recorder = engine_.recorder();
    recorder.note(recorder.current(), fmt::format("{} was not asked: it does not say setlocal:dry_run:true, nor extmodule.conf dry_run=yes", name_));
    return false;
  }
  if (const auto dispatch = engine_.recorder().current(); dispatch != 0) engine_.recorder().note(dispatch, fmt::format("the script {}", name_));
  if (is_spared()) return unanswered(message);
  const bool behind = (locals_.maxqueue != 0 && waiting_ >= locals_.maxqueue) || connection_->unsent() > kMostUnsent;
  if (behind && !behind_) log_.warning("event=script-behind script={} waiting={} message={} hint=\"messages go on without it\"", log_value(name_), waiting_, message.name());
  behind_ = behind;
  if (behind) return unanswered(message);
  return wait(shared_from_this(), &message);
}

bool Session::is_spared() {
  if (locals_.breaker == 0 || late_in_a_row_ < locals_.breaker) return false;
  const auto now = engine_.clock().now();
  if (now < spared_until_) return true;
  spared_until_ = now + locals_.timeout;  // this one question tries it again; until that is answered or late, no other
  return false;
}

Task<bool> Session::wait(std::shared_ptr<Session> self, Message* message) {
  auto pending = self->pendings_.open<WireAnswer>(self->locals_.timeout);
  append_question(self->connection_->output(), std::to_string(pending.id()), *message);
  self->connection_->flush();
  ++self->waiting_;
  const auto asked = self->engine_.clock().now();
  const auto answer = co_await pending.wait();
  --self->waiting_;
  if (answer) {
    self->answered_after(self->engine_.clock().now() - asked);
    answer->apply(*message);
    co_return answer->handled;
  }
  if (answer.error().kind == PendingError::Kind::late) self->answered_late();
  co_return self->unanswered(*message);
}

void Session::answered_after(Duration time) {
  late_in_a_row_ = 0;
  answers_.add();
  answer_time_.add(static_cast<std::uint64_t>(time.count()));
  latency_ += (time - latency_) / 8;
}

std::string Session::summary() const {
  auto out = fmt::format("handlers={} watchers={} waiting={} late={} latency={}ms", handlers(), watchers_.size(), waiting(), late(), latency().count());
  if (!channel_.empty()) out += fmt::format(" channel={}", channel_);
  return out;
}

void Session::answered_late() {
  ++late_;
  log_.warning("event=script-late script={} timeout={}ms", log_value(name_), locals_.timeout.count());
  if (locals_.timebomb) return close("it did not answer in time");
  if (++late_in_a_row_ < locals_.breaker || locals_.breaker == 0) return;
  spared_until_ = engine_.clock().now() + locals_.breaker_pause;
  log_.error("event=script-spared script={} late={} pause={}ms", log_value(name_), late_in_a_row_, locals_.breaker_pause.count());
}

bool Session::unanswered(Message& message) const {
  if (locals_.on_fail.empty() || message.name() != messages::kCallRoute.name) return false;
  message.set_retvalue(locals_.on_fail);
  return true;
}

void Session::watched(const Message& message, bool handled) {
  if (over_ || (own_.contains(&message) && !locals_.selfwatch)) return;
  const bool behind = connection_->unsent() > kMostUnsent;
  if (behind && !skipped_watches_) log_.warning("event=script-behind script={} unsent={} watched messages are left out", log_value(name_), connection_->unsent());
  skipped_watches_ = behind;
  if (behind) return;
  append_answer(connection_->output(), {}, handled, message);
  connection_->flush();
}

}  // namespace jackfield::extmodule
