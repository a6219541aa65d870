#include "recorder/flight_recorder.h"

#include <jackfield/messages/call.h>
#include <jackfield/messages/chan.h>
#include <jackfield/messages/upstream.h>
#include <jackfield/messages/user.h>

#include <algorithm>
#include <cstring>

namespace jackfield {

namespace param = messages::param;
using recorder::Answer;
using recorder::Head;
using recorder::Step;

namespace {

constexpr std::pair<std::string_view, Recorded> kRecorded[] = {
    {messages::kCallAnswered.name, Recorded::call},      {messages::kCallDrop.name, Recorded::call},
    {messages::kCallExecute.name, Recorded::call},       {messages::kCallPreroute.name, Recorded::call},
    {messages::kCallProgress.name, Recorded::call},      {messages::kCallRinging.name, Recorded::call},
    {messages::kCallRoute.name, Recorded::call},         {messages::kCallUpdate.name, Recorded::call},
    {messages::kChanConnected.name, Recorded::call},     {messages::kChanDisconnected.name, Recorded::call},
    {messages::kChanDtmf.name, Recorded::call},          {messages::kChanHangup.name, Recorded::call},
    {messages::kChanReplaced.name, Recorded::call},      {messages::kChanStartup.name, Recorded::call},
    {messages::kUserAuth.name, Recorded::registration},  {messages::kUserAuthfail.name, Recorded::registration},
    {messages::kUserLogin.name, Recorded::registration}, {messages::kUserNotify.name, Recorded::registration},
    {messages::kUserRegister.name, Recorded::registration}, {messages::kUserUnregister.name, Recorded::registration},
    {messages::kUpstreamRegister.name, Recorded::registration}, {messages::kUserUpstream.name, Recorded::registration},
};

/// What never enters the memory; what else sounds secret is masked when it is shown.
bool is_credential(std::string_view name) {
  switch (name.size()) {
    case 7: return name == param::kHa1Md5.name;
    case 8: return name == param::kPassword.name || name == param::kResponse.name;
    case 10: return name == param::kHa1Sha256.name;
    case 13: return name == param::kAuthorization.name;
    case 19: return name == param::kProxyAuthorization.name;
    default: return false;
  }
}
constexpr std::string_view kMask = "***";
std::string_view shown(std::string_view name, std::string_view value) { return !value.empty() && is_credential(name) ? kMask : value; }

/// user.auth returns the password.
std::string_view shown_return(std::string_view message, std::string_view value) {
  return message == messages::kUserAuth.name && value.size() > 1 ? kMask : value;
}

bool same_place(std::string_view a, std::string_view b) { return a.data() == b.data() && a.size() == b.size(); }

/// How many of them are the same at the beginning, in the same places.
std::size_t untouched(std::span<const Parameter> a, std::span<const Parameter> b) {
  const std::size_t size = std::min(a.size(), b.size());
  std::size_t i = 0;
  while (i < size && same_place(a[i].value, b[i].value) && same_place(a[i].name, b[i].name)) ++i;
  return i;
}

}  // namespace

std::span<const std::pair<std::string_view, Recorded>> recorded_messages() { return kRecorded; }

Recorded recorded_kind(std::string_view message) {
  const auto found = std::ranges::find(kRecorded, message, &std::pair<std::string_view, Recorded>::first);
  return found == std::end(kRecorded) ? Recorded::nothing : found->second;
}

class FlightRecorder::Recording {
 public:
  explicit Recording(std::uint32_t slot_) : slot(slot_) {}
  DispatchId id() const { return static_cast<DispatchId>(generation) << 32 | slot; }

  const std::uint32_t slot;
  std::uint32_t generation = 1;
  bool open = false, full = false;
  Recorded kind = Recorded::nothing;
  DispatchRecord* into = nullptr;
  Recording* outer = nullptr;  // whose handler dispatched this
  recorder::Writer bytes;
  // The message as it was before the handler; the views are into its arena, where nothing moves.
  std::vector<Parameter> before;
  std::string_view name, retvalue;

  /// False: there is enough of it.
  bool step(Step::Kind kind_of_step) {
    if (full) return false;
    full = bytes.size() > recorder::kLongestDispatch;
    bytes.put(full ? Step::Kind::cut : kind_of_step);
    return !full;
  }
};

FlightRecorder::FlightRecorder(const Clock& clock) : clock_(clock) {}
FlightRecorder::~FlightRecorder() = default;

void FlightRecorder::set_room(std::size_t calls, std::size_t registrations) {
  rings_[static_cast<std::size_t>(Recorded::call)].set_size(calls);
  rings_[static_cast<std::size_t>(Recorded::registration)].set_size(registrations);
}

std::uint16_t FlightRecorder::add_source(std::weak_ptr<const WireReader> reader) {
  // A driver that is loaded again takes the place of one that has gone; what that one left is told no longer.
  sources_.push_back(std::move(reader));
  return static_cast<std::uint16_t>(sources_.size() - 1);
}

std::shared_ptr<const WireReader> FlightRecorder::reader(std::uint16_t source) const {
  return source < sources_.size() ? sources_[source].lock() : nullptr;
}

void FlightRecorder::wire(std::uint16_t source, const WireMessage& message) {
  auto& ring = rings_[static_cast<std::size_t>(message.kind)];
  const std::size_t kept = std::min(message.bytes.size(), recorder::kLongestWire);
  const auto flow = message.flow.substr(0, recorder::kLongestName);
  const Head head{.type = Head::Type::wire, .kind = message.kind, .source = source, .sequence = ++sequence_, .time = now()};
  const auto key = static_cast<std::uint32_t>(message.key.data() - message.bytes.data());
  const auto key_length = static_cast<std::uint16_t>(message.key.size());
  const auto flow_length = static_cast<std::uint8_t>(flow.size());
  const auto length = static_cast<std::uint32_t>(message.bytes.size());
  char* at = ring.append(sizeof head + sizeof message.sent + sizeof key + sizeof key_length + sizeof flow_length + flow.size() + sizeof length + kept);
  if (at == nullptr) return;
  const auto put = [&at](const void* from, std::size_t size) {
    std::memcpy(at, from, size);
    at += size;
  };
  put(&head, sizeof head);
  put(&message.sent, sizeof message.sent);
  put(&key, sizeof key);
  put(&key_length, sizeof key_length);
  put(&flow_length, sizeof flow_length);
  put(flow.data(), flow.size());
  put(&length, sizeof length);
  put(message.bytes.data(), kept);
}

Recorder::DispatchId FlightRecorder::current() const { return current_ == nullptr ? 0 : current_->id(); }

void FlightRecorder::note(DispatchId dispatch, std::string_view line) {
  const auto slot = static_cast<std::uint32_t>(dispatch);
  if (dispatch == 0 || slot >= recordings_.size() || recordings_[slot]->id() != dispatch || !recordings_[slot]->open) return;
  Recording& recording = *recordings_[slot];
  if (recording.step(Step::Kind::note)) recording.bytes.put_value(line);
}

FlightRecorder::Open FlightRecorder::begin(const Message& message, Recorded kind, DispatchRecord* into) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(recordings_.size()));
    recordings_.push_back(std::make_unique<Recording>(free_.back()));
  }
  Recording& recording = *recordings_[free_.back()];
  free_.pop_back();
  // user.auth is asked for calls, too.
  if (kind == Recorded::registration && message.name() == messages::kUserAuth.name && message.get(param::kMethod) != "REGISTER") kind = Recorded::call;
  recording.open = true;
  recording.full = false;
  recording.kind = kind;
  recording.into = into;
  recording.name = message.name();
  recording.retvalue = message.retvalue();
  const auto parameters = message.parameters();
  recording.before.assign(parameters.begin(), parameters.end());

  auto& bytes = recording.bytes;
  bytes.clear();
  bytes.put(Head{.type = Head::Type::dispatch, .kind = kind, .source = 0, .sequence = ++sequence_, .time = now()});
  bytes.put(recorder::kGoesOn);
  bytes.put_name(message.name());
  const std::size_t counted_at = bytes.size();
  bytes.put(std::uint16_t{0});
  std::uint16_t count = 0;
  for (const auto& [name, value] : parameters) {
    if (bytes.size() > recorder::kLongestDispatch || count == UINT16_MAX) break;
    bytes.put_parameter(name, shown(name, value));
    ++count;
  }
  std::memcpy(bytes.at(counted_at), &count, sizeof count);
  return {*this, recording};
}

bool FlightRecorder::is_rehearsal(const Recording& recording) { return recording.into != nullptr; }

void FlightRecorder::not_asked(Recording& recording, const char* label) {
  if (!recording.step(Step::Kind::asked)) return;
  recording.bytes.put(label);
  recording.bytes.put(Step::Kind::answered);
  recording.bytes.put(Answer::not_asked);
}

void FlightRecorder::asked(Recording& recording, const char* label, const Message& message) {
  recording.outer = std::exchange(current_, &recording);
  if (recording.step(Step::Kind::asked)) recording.bytes.put(label);
  // That it was asked is written down already; the bus says it in the message, too.
  const auto parameters = message.parameters();
  if (const Parameter* const handlers = message.find(param::kHandlers)) {
    const auto at = static_cast<std::size_t>(handlers - parameters.data());
    if (at < recording.before.size()) recording.before[at] = *handlers;
    else if (at == recording.before.size()) recording.before.push_back(*handlers);
  }
}

void FlightRecorder::answered(Recording& recording, const Message& message, Answer answer) {
  current_ = std::exchange(recording.outer, nullptr);
  write_changes(recording, message);
  if (recording.step(Step::Kind::answered)) recording.bytes.put(answer);
}

void FlightRecorder::waits(Recording& recording, const Message& message) {
  current_ = std::exchange(recording.outer, nullptr);
  write_changes(recording, message);
  if (recording.step(Step::Kind::waits)) recording.bytes.put(now());
}

void FlightRecorder::resumed(Recording& recording, const Message& message, Answer answer) {
  if (recording.step(Step::Kind::resumed)) recording.bytes.put(now());
  write_changes(recording, message);
  if (recording.step(Step::Kind::answered)) recording.bytes.put(answer);
}

/// A value that is set lies in a new place of the message's arena, so what did not change is found without looking at it.
void FlightRecorder::write_changes(Recording& recording, const Message& message) {
  const auto parameters = message.parameters();
  auto& before = recording.before;
  // What a handler says comes last, as a rule: what it found is passed over.
  const std::size_t first = untouched(parameters, before);
  if (first < parameters.size() || first < before.size()) {
    std::size_t known = first;
    for (std::size_t i = first; i < parameters.size(); ++i) {
      const auto& [name, value] = parameters[i];
      // As a rule each stands where it stood, its name in the same place.
      const Parameter* old = i < before.size() && same_place(before[i].name, name) ? &before[i] : nullptr;
      if (old == nullptr && first < before.size())  // else it is new: all that was there has been passed over
        if (const auto found = std::ranges::find(before, name, &Parameter::name); found != before.end()) old = &*found;
      known += old != nullptr ? 1 : 0;
      if (old != nullptr && (same_place(old->value, value) || old->value == value)) continue;
      if (!recording.step(Step::Kind::set)) break;
      recording.bytes.put_parameter(name, shown(name, value));
    }
    if (known < before.size()) {
      for (const auto& old : before)
        if (std::ranges::find(parameters, old.name, &Parameter::name) == parameters.end() && recording.step(Step::Kind::erased))
          recording.bytes.put_name(old.name);
    }
    before.resize(first);
    before.insert(before.end(), parameters.begin() + static_cast<std::ptrdiff_t>(first), parameters.end());
  }
  if (!same_place(recording.name, message.name())) {
    // Scripts say the name again.
    const bool other = recording.name != message.name();
    recording.name = message.name();
    if (other && recording.step(Step::Kind::renamed)) recording.bytes.put_value(recording.name);
  }
  if (!same_place(recording.retvalue, message.retvalue())) {
    recording.retvalue = message.retvalue();
    if (recording.step(Step::Kind::returns)) recording.bytes.put_value(shown_return(recording.name, recording.retvalue));
  }
}

void FlightRecorder::end(Open& open) { finish(*std::exchange(open.recording_, nullptr)); }

void FlightRecorder::abandon(Recording& recording) {
  if (recording.step(Step::Kind::answered)) recording.bytes.put(Answer::left);
  finish(recording);
}

void FlightRecorder::finish(Recording& recording) {
  const std::int64_t ended = now();
  std::memcpy(recording.bytes.at(recorder::kEndedAt), &ended, sizeof ended);
  const auto record = recording.bytes.view();
  if (recording.into != nullptr) recording.into->bytes_.assign(record);
  else rings_[static_cast<std::size_t>(recording.kind)].append(record);
  recording.open = false;
  ++recording.generation;
  free_.push_back(recording.slot);
}

std::vector<std::string_view> FlightRecorder::under_way() const {
  std::vector<std::string_view> records;
  for (const auto& recording : recordings_)
    if (recording->open && recording->into == nullptr) records.push_back(recording->bytes.view());
  return records;
}

}  // namespace jackfield
