#include <jackfield/message_text.h>

#include <jackfield/messages/user.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace jackfield {

namespace {

constexpr std::string_view kMask = "***";

constexpr bool needs_escape(char c, bool is_name) {
  return static_cast<unsigned char>(c) < 32 || c == ':' || c == '%' || (is_name && c == '=');
}

bool contains(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

/// A session description that has the keys of its media in it (RFC 4568).
bool holds_media_keys(std::string_view name, std::string_view value) {
  return name == messages::param::kSdpRaw.name && value.find("a=crypto:") != std::string_view::npos;
}

}  // namespace

void append_escaped(std::string& out, std::string_view text, bool is_name) {
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && !needs_escape(text[plain], is_name)) ++plain;
    out.append(text.substr(0, plain));
    if (plain == text.size()) return;
    out.push_back('%');
    out.push_back(text[plain] == '%' ? '%' : static_cast<char>(text[plain] + 64));
    text.remove_prefix(plain + 1);
  }
}

void append_dispatched(std::string& out, std::string_view id, bool handled, const Message& message, bool masked) {
  // What user.auth returns is the user's clear password.
  const bool secret_result = masked && message.name() == messages::kUserAuth.name && message.retvalue().size() > 1;
  out += "%%<message:";
  append_escaped(out, id);
  out += handled ? ":true:" : ":false:";
  append_escaped(out, message.name());
  out.push_back(':');
  append_escaped(out, secret_result ? kMask : message.retvalue());
  for (const auto& [name, value] : message.parameters()) {
    out.push_back(':');
    append_escaped(out, name, true);
    out.push_back('=');
    if (!masked) append_escaped(out, value);
    else if (is_secret(name) || holds_media_keys(name, value)) out += kMask;
    else if (name == messages::param::kLine.name) append_escaped(out, masked_command(value));
    else append_escaped(out, value);
  }
}

bool is_secret(std::string_view parameter) {
  constexpr std::array<std::string_view, 6> kParts = {"passw", "passphrase", "secret", "ha1", "authorization", "credential"};
  return parameter == "response" || std::any_of(kParts.begin(), kParts.end(), [&](std::string_view part) { return contains(parameter, part); });
}

std::string masked_command(std::string_view line) {
  std::size_t begin = 0;
  while (begin < line.size()) {
    const auto end = std::min(line.find_first_of(" \t", begin), line.size());
    const auto word = line.substr(begin, end - begin);
    const bool assigns = is_secret(word.substr(0, word.find('='))) && word.find('=') != std::string_view::npos;
    if (assigns) return std::string(line.substr(0, begin + word.find('=') + 1)) + std::string(kMask);
    if ((word == "auth" || is_secret(word)) && line.find_first_not_of(" \t", end) != std::string_view::npos)
      return std::string(line.substr(0, end)) + " " + std::string(kMask);
    begin = end + 1;
  }
  return std::string(line);
}

}  // namespace jackfield
