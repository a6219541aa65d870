#include "main/terminal.h"

#include <histedit.h>

#include <fmt/format.h>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>

namespace jackfield {

namespace {

constexpr int kMostRemembered = 500;
/// Around bytes of the prompt that take no place on the screen.
constexpr char kInvisible = '\1';

}  // namespace

struct Terminal::Impl {
  Parts parts;
  std::string prompt;
  EditLine* editor = nullptr;
  History* history = nullptr;
  bool reading = false;

  static Impl& of(EditLine* editor) {
    void* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return *static_cast<Impl*>(self);
  }

  /// libedit asks here for the next key: the only place where there is time for anything else.
  static int next_key(EditLine* editor, wchar_t* key) {
    Impl& self = of(editor);
    for (;;) {
      pollfd descriptors[] = {{STDIN_FILENO, POLLIN, 0}, {self.parts.watched, POLLIN, 0}};
      if (poll(descriptors, 2, -1) < 0) {
        if (errno == EINTR) continue;
        return -1;
      }
      if (descriptors[1].revents != 0 && !self.parts.readable()) return 0;
      if (descriptors[0].revents == 0) continue;
      return self.read_key(key);
    }
  }

  /// One character of UTF-8.
  int read_key(wchar_t* key) const {
    std::mbstate_t state{};
    for (;;) {
      char byte = 0;
      const auto got = ::read(STDIN_FILENO, &byte, 1);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return static_cast<int>(got);
      const auto used = std::mbrtowc(key, &byte, 1, &state);
      if (used == static_cast<std::size_t>(-2)) continue;
      if (used == static_cast<std::size_t>(-1)) *key = static_cast<unsigned char>(byte);
      return 1;
    }
  }

  static unsigned char complete(EditLine* editor, int) {
    Impl& self = of(editor);
    const LineInfo* const line = el_line(editor);
    const std::string_view typed(line->buffer, static_cast<std::size_t>(line->cursor - line->buffer));
    const auto blank = typed.find_last_of(' ');
    const auto word = blank == std::string_view::npos ? typed : typed.substr(blank + 1);
    const auto words = self.parts.complete(blank == std::string_view::npos ? std::string_view() : typed.substr(0, blank), word);
    if (words.empty()) return CC_REFRESH_BEEP;
    std::string common = words.front();
    for (const auto& candidate : words) common.erase(std::ranges::mismatch(common, candidate).in1, common.end());
    if (common.size() > word.size() || words.size() == 1) {
      const auto added = common.substr(word.size()) + (words.size() == 1 ? " " : "");
      return el_insertstr(editor, added.c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
    }
    self.list(words);
    return CC_REDISPLAY;
  }

  void list(const std::vector<std::string>& words) const {
    std::size_t longest = 0;
    for (const auto& word : words) longest = std::max(longest, word.size());
    const auto columns = std::max<std::size_t>(1, static_cast<std::size_t>(width()) / (longest + 2));
    std::string text = "\n";
    for (std::size_t i = 0; i < words.size(); ++i) text += fmt::format("{:<{}}{}", words[i], longest + 2, (i + 1) % columns == 0 || i + 1 == words.size() ? "\n" : "");
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }

  int width() const { return size().first; }
  static std::pair<int, int> size() {
    winsize window{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0) return {80, 24};
    return {window.ws_col, window.ws_row};
  }
};

Terminal::Terminal(Parts parts) : impl_(std::make_unique<Impl>()) {
  std::setlocale(LC_CTYPE, "");
  impl_->parts = std::move(parts);
  const bool color = impl_->parts.color;
  impl_->prompt = color ? fmt::format("{0}\x1b[32m{0}{1}{0}\x1b[0m{0}", kInvisible, impl_->parts.prompt) : impl_->parts.prompt;
  impl_->editor = el_init("jackfield", stdin, stdout, stderr);
  impl_->history = history_init();
  HistEvent event;
  history(impl_->history, &event, H_SETSIZE, kMostRemembered);
  history(impl_->history, &event, H_SETUNIQUE, 1);
  if (!impl_->parts.history.empty()) history(impl_->history, &event, H_LOAD, impl_->parts.history.c_str());
  const auto prompt = [](EditLine* editor) -> char* { return Impl::of(editor).prompt.data(); };
  auto* const editor = impl_->editor;
  el_set(editor, EL_CLIENTDATA, impl_.get());
  el_set(editor, EL_PROMPT_ESC, static_cast<char* (*)(EditLine*)>(prompt), kInvisible);
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_SIGNAL, 1);
  el_set(editor, EL_HIST, history, impl_->history);
  el_set(editor, EL_ADDFN, "jackfield-complete", "What a word could be", &Impl::complete);
  el_set(editor, EL_BIND, "^I", "jackfield-complete", nullptr);
  el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  el_set(editor, EL_GETCFN, &Impl::next_key);
}

Terminal::~Terminal() {
  HistEvent event;
  if (!impl_->parts.history.empty()) {
    const auto mask = umask(0177);
    history(impl_->history, &event, H_SAVE, impl_->parts.history.c_str());
    umask(mask);
  }
  history_end(impl_->history);
  el_end(impl_->editor);
}

std::optional<std::string> Terminal::read() {
  int count = 0;
  impl_->reading = true;
  const char* const line = el_gets(impl_->editor, &count);
  impl_->reading = false;
  if (line == nullptr || count <= 0) return std::nullopt;
  std::string text(line, static_cast<std::size_t>(count));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

void Terminal::remember(const std::string& line) {
  HistEvent event;
  history(impl_->history, &event, H_ENTER, line.c_str());
}

void Terminal::print(std::string_view text) {
  if (impl_->reading) std::fputs("\r\x1b[K", stdout);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  if (impl_->reading) el_set(impl_->editor, EL_REFRESH);
}

int Terminal::width() const { return Impl::size().first; }
int Terminal::height() const { return Impl::size().second; }

}  // namespace jackfield
