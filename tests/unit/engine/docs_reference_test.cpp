#include "docs/reference.h"

#include <jackfield/messages/user.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace jackfield;

TEST_CASE("messages: every one is declared once, is in the catalogue, and says all that it should") {
  const auto all = messages::all();
  CHECK(std::is_sorted(all.begin(), all.end(), [](const auto* a, const auto* b) { return a->name < b->name; }));
  for (const auto* message : all) {
    CAPTURE(message->name);
    CHECK(messages::find(message->name) == message);
    CHECK_FALSE(message->doc.empty());
    CHECK_FALSE(message->sent_by.empty());
    CHECK_FALSE(message->result.empty());
    std::vector<std::string_view> names;
    for (const auto& use : message->parameters) {
      names.push_back(use.parameter->name);
      CHECK(use.parameter->doc.ends_with('.'));
    }
    std::sort(names.begin(), names.end());
    CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  }
  CHECK(messages::find("user.nothing") == nullptr);
}

TEST_CASE("messages: no declaration in the headers is missing from the catalogue") {
  std::size_t declared = 0;
  for (const auto& file : std::filesystem::directory_iterator(JACKFIELD_TEST_MESSAGES)) {
    std::ifstream in(file.path());
    const std::string text(std::istreambuf_iterator<char>(in), {});
    for (auto at = text.find("inline constexpr MessageName "); at != std::string::npos; at = text.find("inline constexpr MessageName ", at + 1)) ++declared;
  }
  CHECK(declared == messages::all().size());
}

TEST_CASE("messages: help shows parameters with their way and unit") {
  const auto text = docs::message_text(messages::kUserRegister);
  CHECK(text.find("expires              in, out  How long a binding lasts; 0 removes it. (s)") != std::string::npos);
  CHECK(docs::messages_markdown().find("\n## user.register\n") != std::string::npos);
}
