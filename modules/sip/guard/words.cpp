#include "guard/words.h"

#include <algorithm>

namespace jackfield::sip::guard {
namespace {

unsigned char lower(unsigned char c) { return c >= 'A' && c <= 'Z' ? static_cast<unsigned char>(c + 32) : c; }
unsigned char upper(unsigned char c) { return c >= 'a' && c <= 'z' ? static_cast<unsigned char>(c - 32) : c; }

bool begins_with(std::string_view text, std::string_view word) {
  return text.size() >= word.size() && std::equal(word.begin(), word.end(), text.begin(), [](unsigned char ours, unsigned char theirs) { return ours == lower(theirs); });
}

}  // namespace

Words::Words(const std::vector<std::string>& words) {
  for (std::string word : words) {
    if (word.empty()) continue;
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return static_cast<char>(lower(c)); });
    const auto first = static_cast<unsigned char>(word.front());
    begins_[first] = begins_[upper(first)] = true;
    words_.push_back(std::move(word));
  }
}

bool Words::any_in(std::string_view text) const {
  if (words_.empty()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!begins_[static_cast<unsigned char>(text[i])]) continue;
    for (const auto& word : words_)
      if (begins_with(text.substr(i), word)) return true;
  }
  return false;
}

}  // namespace jackfield::sip::guard
