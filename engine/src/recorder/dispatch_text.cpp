#include "recorder/dispatch_text.h"

#include <jackfield/message_text.h>
#include <jackfield/messages/user.h>

#include <fmt/format.h>

#include <algorithm>

namespace jackfield::recorder {
namespace {

constexpr std::size_t kWidth = 120;
constexpr std::size_t kLongestShown = 200;
constexpr std::string_view kParameters = "      ", kHandler = "    ", kDid = "      ";

/// A handler's label is `call.route:100 regexroute`, without the name where it has none.
std::string who(std::string_view label) {
  const auto blank = label.find(' ');
  const auto place = label.substr(0, blank);
  const auto priority = place.substr(place.rfind(':') + 1);
  return fmt::format("{}:{}", blank == std::string_view::npos ? "(unnamed)" : label.substr(blank + 1), priority);
}

std::string_view words_of(Answer answer) {
  switch (answer) {
    case Answer::passed: return "passed";
    case Answer::handled: return "handled";
    case Answer::provisional: return "handled, once it is kept";
    case Answer::threw: return "failed";
    case Answer::not_asked: return "not asked: it does not say that this would have no consequences";
    case Answer::left: return "nobody waits for it any more";
  }
  return {};
}

/// Several on a line.
void append_parameters(std::string& out, const std::vector<std::string>& parameters) {
  std::size_t column = 0;
  for (const auto& parameter : parameters) {
    if (column != 0 && column + 1 + parameter.size() > kWidth) {
      out += '\n';
      column = 0;
    }
    const auto before = column == 0 ? kParameters : std::string_view(" ");
    out.append(before).append(parameter);
    column += before.size() + parameter.size();
  }
  if (column != 0) out += '\n';
}

class Text {
 public:
  Text(std::string& out, const ReadDispatch& dispatch, Known* known) : out_(out), dispatch_(dispatch), known_(known) {}

  void write() {
    head();
    parameters();
    for (std::size_t i = 0; i < dispatch_.steps.size(); ++i)
      if (dispatch_.steps[i].kind == Step::Kind::asked) handler(i);
    if (!dispatch_.steps.empty() && dispatch_.steps.back().kind == Step::Kind::cut) out_.append(kHandler).append("what came then was too much to keep\n");
    if (known_ != nullptr)
      for (auto& [name, value] : now_) known_->insert_or_assign(name, value);
  }

 private:
  void head() {
    bool handled = false, returned = false;
    std::string_view returns;
    std::size_t length = 0;
    for (const auto& step : dispatch_.steps) {
      if (step.kind == Step::Kind::answered) handled = handled || step.answer == Answer::handled || step.answer == Answer::provisional;
      if (step.kind == Step::Kind::returns) {
        returned = true;
        returns = step.value;
        length = step.length;
      }
    }
    out_ += fmt::format("{}  {}", dispatch_.name, handled ? "handled" : dispatch_.ended ? "not handled" : "under way");
    if (returned) out_ += fmt::format(" -> {}", shown({}, returns, length));
    if (dispatch_.ended && *dispatch_.ended - dispatch_.head.time >= 1000) out_ += fmt::format("  after {} ms", (*dispatch_.ended - dispatch_.head.time) / 1000);
    out_ += '\n';
  }

  void parameters() {
    std::vector<std::string> said;
    std::size_t as_before = 0;
    for (const auto& [name, value, length] : dispatch_.parameters) {
      auto text = shown(name, value, length);
      if (known_ != nullptr) {
        const auto found = known_->find(name);
        if (found != known_->end() && found->second == text) ++as_before;
        else said.push_back(fmt::format("{}={}", shown({}, name, name.size()), text));
      } else {
        said.push_back(fmt::format("{}={}", shown({}, name, name.size()), text));
      }
      now_.insert_or_assign(std::string(name), std::move(text));
    }
    if (as_before != 0) said.push_back(fmt::format("(and {} as before)", as_before));
    append_parameters(out_, said);
  }

  void handler(std::size_t at) {
    const auto end = std::find_if(dispatch_.steps.begin() + static_cast<std::ptrdiff_t>(at) + 1, dispatch_.steps.end(),
                                  [](const Step& step) { return step.kind == Step::Kind::asked; });
    const auto begin = dispatch_.steps.begin() + static_cast<std::ptrdiff_t>(at);
    const auto answered = std::find_if(begin, end, [](const Step& step) { return step.kind == Step::Kind::answered; });
    const auto waits = std::find_if(begin, end, [](const Step& step) { return step.kind == Step::Kind::waits; });
    const auto resumed = std::find_if(begin, end, [](const Step& step) { return step.kind == Step::Kind::resumed; });
    out_ += fmt::format("{}{}  {}", kHandler, who(begin->label), answered != end ? words_of(answered->answer) : waits != end ? "is waited for" : "is asked");
    if (waits != end && resumed != end && resumed->time - waits->time >= 1000) out_ += fmt::format(" after {} ms", (resumed->time - waits->time) / 1000);
    out_ += '\n';
    for (auto step = begin + 1; step != end; ++step) did(*step);
  }

  void did(const Step& step) {
    switch (step.kind) {
      case Step::Kind::note: return line("{}", clean(step.value));
      case Step::Kind::set: return set(step);
      case Step::Kind::erased:
        line("{} is gone", clean(step.name));
        now_.erase(std::string(step.name));
        return;
      case Step::Kind::renamed: return line("is {} from now on", clean(step.value));
      case Step::Kind::returns: return line("returns {}", shown({}, step.value, step.length));
      default: return;
    }
  }

  void set(const Step& step) {
    auto text = shown(step.name, step.value, step.length);
    if (const auto old = now_.find(step.name); old != now_.end()) line("{}: {} -> {}", clean(step.name), old->second, text);
    else line("{}={}", clean(step.name), text);
    now_.insert_or_assign(std::string(step.name), std::move(text));
  }

  template <class... Values>
  void line(fmt::format_string<Values...> format, Values&&... values) {
    out_.append(kDid);
    fmt::format_to(std::back_inserter(out_), format, std::forward<Values>(values)...);
    out_ += '\n';
  }

  static std::string clean(std::string_view text) {
    std::string out(text);
    for (char& c : out)
      if (static_cast<unsigned char>(c) < 32 || c == 127) c = '?';
    return out;
  }

  std::string& out_;
  const ReadDispatch& dispatch_;
  Known* known_;
  Known now_;
};

}  // namespace

std::string shown(std::string_view name, std::string_view value, std::size_t length) {
  if (!value.empty() && is_secret(name)) return "***";
  // Lines are bodies (SDP), which stand in the SIP message, and may hold keys.
  if (value.find('\n') != std::string_view::npos) return fmt::format("({} bytes)", length);
  std::string out;
  const bool quoted = value.empty() || value.find_first_of(" \"=") != std::string_view::npos;
  if (quoted) out += '"';
  for (const char c : value.substr(0, kLongestShown)) {
    if (c == '"') out += '\\';
    out += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
  }
  if (quoted) out += '"';
  if (length > std::min(value.size(), kLongestShown)) out += fmt::format("... ({} bytes)", length);
  return out;
}

void append_dispatch(std::string& out, const ReadDispatch& dispatch, Known* known) { Text(out, dispatch, known).write(); }

}  // namespace jackfield::recorder

namespace jackfield {

std::string DispatchRecord::text() const {
  std::string out;
  if (!bytes_.empty()) recorder::append_dispatch(out, recorder::read_dispatch(bytes_));
  return out;
}

}  // namespace jackfield
