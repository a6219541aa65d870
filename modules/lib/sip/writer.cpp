#include "sip/writer.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "net/address.h"
#include "sip/scan.h"
#include "sip/text.h"

namespace jackfield::sip {
namespace {

void append_number(std::string& out, unsigned long value) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

/// What came from elsewhere never begins a line of its own.
void append_clean(std::string& out, std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    const char* const control = text::find_control(at, end);
    out.append(at, static_cast<std::size_t>(control - at));
    if (control == end) return;
    at = control + 1;
  }
}

/// A name or URI inside a start line, or a header's name: blanks would end it.
void append_word(std::string& out, std::string_view text) {
  const auto fits = [](char c) { return !text::is_control(c) && c != ' ' && c != '\t'; };
  if (std::all_of(text.begin(), text.end(), fits)) out += text;
  else std::copy_if(text.begin(), text.end(), std::back_inserter(out), fits);
}

std::string_view without_brackets(std::string_view host) {
  return host.size() > 1 && host.front() == '[' ? host.substr(1, host.size() - 2) : host;
}

/// RFC 3261 §18.2.1 and RFC 3581 §4: `received` where the sent-by does not name the source or rport was asked for.
void append_via(std::string& out, const Via& via, std::string_view host, std::uint16_t port) {
  if (via.open_rport != nullptr) {  // what nearly every phone sends
    const char* const end = via.text.data() + via.text.size();
    out.append(via.text.data(), static_cast<std::size_t>(via.open_rport - via.text.data()));
    out += '=';
    append_number(out, port);
    out.append(via.open_rport, static_cast<std::size_t>(end - via.open_rport));
    out += ";received=";
    out += without_brackets(host);
    return;
  }
  const char* const parameters = via.parameters.text.data();
  out.append(via.text.data(), static_cast<std::size_t>(parameters - via.text.data()));
  while (!out.empty() && text::is(out.back(), text::kBlank)) out.pop_back();
  ParameterWalker walker{text::Cursor(via.parameters.text)};
  bool filled = false;
  while (walker.next()) {
    if (text::equal(walker.name, "received")) continue;  // only we say where it came from
    if (text::equal(walker.name, "rport")) {
      if (filled) continue;
      out += ";rport=";
      append_number(out, port);
      filled = true;
      continue;
    }
    out += text::trim(walker.text);
  }
  const std::string_view bare = without_brackets(host);
  const auto names_source = [&] {
    if (text::equal(without_brackets(via.host), bare)) return true;
    const auto sent_by = net::Address::parse(via.host);
    const auto source = net::Address::parse(bare);
    return sent_by && source && sent_by->same_host(*source);
  };
  if (filled || !names_source()) {
    out += ";received=";
    out += bare;
  }
}

}  // namespace

Writer& Writer::request(std::string_view method, std::string_view uri) {
  append_word(out_, method);
  out_ += ' ';
  append_word(out_, uri);
  out_ += " SIP/2.0\r\n";
  return *this;
}

Writer& Writer::status(int code, std::string_view phrase) {
  out_ += "SIP/2.0 ";
  append_number(out_, static_cast<unsigned long>(code));
  out_ += ' ';
  append_clean(out_, phrase.empty() ? reason_phrase(code) : phrase);
  out_ += "\r\n";
  return *this;
}

Writer& Writer::header(HeaderId id, std::string_view value) {
  out_ += header_info(id).name;
  out_ += ": ";
  append_clean(out_, value);
  out_ += "\r\n";
  return *this;
}

Writer& Writer::header(std::string_view name, std::string_view value) {
  append_word(out_, name);
  out_ += ": ";
  append_clean(out_, value);
  out_ += "\r\n";
  return *this;
}

Writer& Writer::header(HeaderId id, unsigned long value) {
  out_ += header_info(id).name;
  out_ += ": ";
  append_number(out_, value);
  out_ += "\r\n";
  return *this;
}

Writer& Writer::cseq(std::uint32_t number, std::string_view method) {
  out_ += "CSeq: ";
  append_number(out_, number);
  out_ += ' ';
  append_word(out_, method);
  out_ += "\r\n";
  return *this;
}

Writer& Writer::copy(const HeaderLine& line) {
  out_.append(line.name.data(), static_cast<std::size_t>(line.value.data() + line.value.size() - line.name.data()));
  out_ += "\r\n";
  return *this;
}

Writer& Writer::copy_all(const Message& from, HeaderId id) {
  if (!from.repeats(id)) {
    if (const HeaderLine* const line = from.header(id)) copy(*line);
    return *this;
  }
  for (const HeaderLine& line : from.headers()) {
    if (line.id == id) copy(line);
  }
  return *this;
}

void Writer::body(std::string_view content_type, std::string_view bytes) {
  if (!bytes.empty()) header(HeaderId::content_type, content_type);
  header(HeaderId::content_length, bytes.size());
  out_ += "\r\n";
  out_ += bytes;
}

void Writer::end() { body({}, {}); }

Writer start_response(std::string& out, const Message& request, int code, std::string_view phrase, std::string_view to_tag,
                      std::string_view received_host, std::uint16_t received_port) {
  Writer writer(out);
  writer.status(code, phrase);
  const HeaderLine* const top = request.header(HeaderId::via);
  const auto& via = request.top_via();
  if (top != nullptr && via && !received_host.empty()) {
    out.append(top->name.data(), static_cast<std::size_t>(via->text.data() - top->name.data()));
    append_via(out, *via, received_host, received_port);
    const char* const after = via->text.data() + via->text.size();
    out.append(after, static_cast<std::size_t>(top->value.data() + top->value.size() - after));
    out += "\r\n";
    if (request.repeats(HeaderId::via)) {
      for (const HeaderLine& line : request.headers())
        if (line.id == HeaderId::via && &line != top) writer.copy(line);
    }
  } else {
    writer.copy_all(request, HeaderId::via);
  }
  writer.copy_all(request, HeaderId::from);
  writer.copy_all(request, HeaderId::to);
  if (const auto& to = request.to(); to && to->tag.empty() && !to_tag.empty()) {
    out.resize(out.size() - 2);
    out += ";tag=";
    append_word(out, to_tag);
    out += "\r\n";
  }
  writer.copy_all(request, HeaderId::call_id);
  writer.copy_all(request, HeaderId::cseq);
  if (code == 100) writer.copy_all(request, HeaderId::timestamp);
  return writer;
}

}  // namespace jackfield::sip
