// A person's lines: edited, remembered and completed with libedit, while other text may appear above them. Nothing else of ours knows libedit.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jackfield {

class Terminal {
 public:
  struct Parts {
    std::string prompt;
    bool color = false;
    std::filesystem::path history;  ///< kept there, its owner's alone; empty: nowhere
    /// What the word could be; `before` is what stands before it.
    std::function<std::vector<std::string>(std::string_view before, std::string_view word)> complete;
    int watched = -1;                ///< a descriptor; `readable` is called when there is something to read
    std::function<bool()> readable;  ///< false: it has ended, and so does read()
  };
  explicit Terminal(Parts parts);
  ~Terminal();

  /// Nothing at the end: ^D on an empty line, ^C, or what is watched has ended.
  std::optional<std::string> read();
  void remember(const std::string& line);
  /// Above the line that is being typed.
  void print(std::string_view text);
  int width() const;
  int height() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace jackfield
