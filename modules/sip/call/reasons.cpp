#include "call/reasons.h"

#include <jackfield/messages/parameters.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "call/parameters.h"
#include "sip/dialog_headers.h"
#include "stack/client_auth.h"

namespace jackfield::sip::call {

namespace {

namespace param = messages::param;

struct Entry {
  std::string_view text;
  int code;
};

// Of several entries with the same text the first is what we send; of several with the same code the first is how we read it.
constexpr Entry kTable[] = {
    {"incomplete", 484},    {"noroute", 404},       {"noroute", 604},       {"noconn", 503},
    {"noconn", 408},        {"noauth", 401},        {"noautoauth", 401},    {"nomedia", 415},
    {"nocall", 481},        {"busy", 486},          {"busy", 600},          {"noanswer", 480},
    {"noanswer", 487},      {"rejected", 406},      {"rejected", 606},      {"forbidden", 403},
    {"forbidden", 603},     {"offline", 404},       {"congestion", 480},    {"unallocated", 410},
    {"moved", 410},         {"failure", 500},       {"pending", 491},       {"looping", 483},
    {"timeout", 408},       {"timeout", 504},       {"postdialdelay", 504}, {"service-not-implemented", 501},
    {"unimplemented", 501}, {"service-unavailable", 503}, {"noresource", 503}, {"shutdown", 503}, {"unacceptable", 488},
    {"interworking", 500},  {"invalid-message", 400}, {"protocol-error", 400}, {"cancelled", 487}, {"Cancelled", 487},
};

constexpr std::string_view kProtocols[] = {"q.850"};

constexpr std::string_view kChallenge = "challenge.";
constexpr std::size_t kMostChallenges = 8;  // each algorithm of server and proxy is one

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

void append_reason(std::string& out, std::string_view protocol, std::string_view cause, std::string_view text) {
  if (!out.empty()) out += ", ";
  out.append(protocol).append(";cause=").append(cause);
  if (text.empty()) return;
  out += ";text=\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace

std::optional<int> code_of(std::string_view text) {
  for (const auto& entry : kTable)
    if (entry.text == text) return entry.code;
  return std::nullopt;
}

std::string_view text_of(int code) {
  for (const auto& entry : kTable)
    if (entry.code == code) return entry.text;
  if (code < 400) return "moved";
  if (code < 500) return "rejected";
  return code < 600 ? "failure" : "rejected";
}

std::string_view parameter(const DisconnectReason& reason, std::string_view name) {
  for (const auto& [key, value] : reason.parameters)
    if (key == name) return value;
  return {};
}

void set_parameter(DisconnectReason& reason, std::string_view name, std::string_view value) {
  for (auto& [key, old] : reason.parameters)
    if (key == name) {
      old = value;
      return;
    }
  reason.parameters.emplace_back(name, value);
}

void read_reason_headers(const Message& message, DisconnectReason& reason) {
  if (!message.has(HeaderId::reason)) return;
  for (const std::string_view value : message.list(HeaderId::reason)) {
    const auto why = parse_reason(value);
    if (!why || !why->cause) continue;
    const auto protocol = lower(why->protocol);
    const auto cause = std::to_string(*why->cause), words = without_escapes(why->text);
    if (protocol == "sip" && parameter(reason, param::kCauseSip).empty()) {
      set_parameter(reason, param::kCauseSip, cause);
      set_parameter(reason, param::kReasonSip, words);
    } else if (std::ranges::find(kProtocols, protocol) != std::end(kProtocols)) {
      set_parameter(reason, "cause_" + protocol, cause);
      set_parameter(reason, "reason_" + protocol, words);
    }
  }
}

bool is_refusal(const jackfield::Message& message) { return message.retvalue() == "-" || message.retvalue() == "error"; }

DisconnectReason refusal(const jackfield::Message& message, std::string_view text) {
  const auto error = message.get(param::kError);
  DisconnectReason reason{std::string(error.empty() ? text : error)};
  for (const std::string_view name : {std::string_view(param::kCauseSip), std::string_view(param::kReasonSip)})
    if (message.has(name)) reason.parameters.emplace_back(name, message.get(name));
  return reason;
}

DisconnectReason from_response(const Message& response) {
  int code = response.status();
  std::string phrase(response.reason_phrase());
  if (code == 503) code = 500, phrase.clear();
  DisconnectReason reason{std::string(text_of(code))};
  set_parameter(reason, param::kCauseSip, std::to_string(code));
  set_parameter(reason, param::kReasonSip, phrase);
  read_reason_headers(response, reason);
  return reason;
}

DisconnectReason reason_in(const jackfield::Message& message) {
  DisconnectReason reason{std::string(message.get(param::kReason))};
  for (const auto& [name, value] : message.parameters()) {
    if (name.starts_with(kChallenge)) reason.parameters.emplace_back(name, value);
    const bool words = name.starts_with("reason_") && name != std::string_view(param::kReason);
    if (words || name.starts_with("cause_") || name == std::string_view(param::kCalleduri)) reason.parameters.emplace_back(name, value);
  }
  return reason;
}

void add_challenges(const Message& response, DisconnectReason& reason) {
  std::size_t number = 0;
  for (const auto& line : response.headers()) {
    if ((line.id != HeaderId::www_authenticate && line.id != HeaderId::proxy_authenticate) || number == kMostChallenges) continue;
    reason.parameters.emplace_back(std::string(kChallenge) + std::to_string(++number),
                                   std::string(header_info(line.id).name) + ": " + stack::without_auth_int(line.value));
  }
}

bool has_challenges(const DisconnectReason& reason) {
  return std::ranges::any_of(reason.parameters, [](const auto& one) { return one.first.starts_with(kChallenge); });
}

void write_challenges(Writer& writer, const DisconnectReason& reason) {
  for (const auto& [name, value] : reason.parameters) {
    const auto colon = name.starts_with(kChallenge) ? value.find(": ") : std::string::npos;
    if (colon != std::string::npos) writer.header(std::string_view(value).substr(0, colon), std::string_view(value).substr(colon + 2));
  }
}

FinalAnswer final_answer(const DisconnectReason& reason, int unknown) {
  const int first = parameter(reason, param::kCalleduri).empty() ? 400 : 300;
  if (const auto cause = number(parameter(reason, param::kCauseSip)); cause && *cause >= first && *cause <= 699) {
    // A challenge means nothing to a caller who cannot answer it.
    const bool ours_alone = (*cause == 401 || *cause == 407) && !has_challenges(reason);
    const bool fits = text_of(*cause) == reason.reason || code_of(reason.reason) == cause;
    if (fits && !ours_alone) return {*cause, std::string(parameter(reason, param::kReasonSip))};
    if (fits) return {403, {}};
  }
  return {code_of(reason.reason).value_or(unknown), {}};
}

std::string reason_header(const DisconnectReason& reason, bool with_sip) {
  std::string value;
  if (const auto cause = parameter(reason, param::kCauseSip); with_sip && !cause.empty())
    append_reason(value, "SIP", cause, parameter(reason, param::kReasonSip));
  if (const auto cause = parameter(reason, "cause_q.850"); !cause.empty())
    append_reason(value, "Q.850", cause, parameter(reason, "reason_q.850"));
  return value;
}

}  // namespace jackfield::sip::call
