// `jackfield user` on the tables of share/sql.
#include "commands.h"

#include "command/verb.h"
#include "digest/digest.h"
#include "digest/password.h"
#include "settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <istream>
#include <optional>
#include <ostream>

namespace jackfield::register_module {
namespace {

using command::kDone, command::kRefused;
constexpr std::size_t kLongestName = 128, kLongestPassword = 256;

constexpr std::string_view kAdd =
    "INSERT INTO users (username, ha1_md5, ha1_sha256, ha1_realm, number, inuse_limit) "
    "VALUES ('${username}', '${ha1_md5}', '${ha1_sha256}', '${ha1_realm}', NULLIF('${number}', ''), '${limit}') ON CONFLICT (username) DO NOTHING";
constexpr std::string_view kPasswd =
    "UPDATE users SET ha1_md5 = '${ha1_md5}', ha1_sha256 = '${ha1_sha256}', ha1_realm = '${ha1_realm}' WHERE username = '${username}'";
constexpr std::string_view kForget = "DELETE FROM bindings WHERE username = '${username}'";
constexpr std::string_view kRemove = "DELETE FROM users WHERE username = '${username}'";
constexpr std::string_view kList = "SELECT username, number, ha1_md5, ha1_realm, inuse_limit, enabled FROM users ORDER BY username";

bool plain(std::string_view text, std::size_t longest) {
  return !text.empty() && text.size() <= longest && std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

class UserCommand : command::Verb {
 public:
  UserCommand(CommandContext& context, std::istream& input) : Verb(context, "user"), input_(input) {
    Problems ignored;
    const auto settings = read_settings(context.settings, ignored);
    realm_ = settings.realm;
    if (settings.auth.enabled) account_ = settings.auth.account;
  }

  int run() {
    if (account_.empty() || account_.find("${") != std::string::npos) return kNotServed;
    const auto arguments = context_.arguments;
    if (arguments.empty()) return usage("what is to be done?");
    const auto& what = arguments[0];
    if (what != "list" && what != "add" && what != "passwd" && what != "remove") return usage(fmt::format("`{}` is none of the commands", what));
    if (what != "list" && arguments.size() < 2) return usage("a NAME is missing");
    if (const auto bad = read_options(what)) return usage(*bad);
    auto opened = context_.open_database(account_);
    if (!opened) return refuse(opened.error());
    database_ = std::move(*opened);
    if (what == "list") return list();
    name_ = arguments[1];
    if (!plain(name_, kLongestName)) return refuse("a user's name has 1 to 128 characters, none of them a control character");
    if (what == "remove") return remove();
    return set_password(what == "add");
  }

 private:
  std::optional<std::string> read_options(std::string_view what) {
    const auto arguments = context_.arguments;
    for (std::size_t i = what == "list" ? 1 : 2; i < arguments.size(); ++i) {
      const auto& word = arguments[i];
      const bool more = i + 1 < arguments.size();
      if (word == "--password-stdin" && (what == "add" || what == "passwd")) from_stdin_ = true;
      else if (word == "--number" && what == "add" && more) number_ = arguments[++i];
      else if (word == "--calls" && what == "add" && more && parse_integer(arguments[i + 1]).value_or(-1) >= 0) limit_ = arguments[++i];
      else return fmt::format("`{}` is not understood", word);
    }
    return std::nullopt;
  }

  int set_password(bool add) {
    const auto password = choose();
    if (!password) return kRefused;
    const digest::Hasher hasher;
    const auto done = change(add ? kAdd : kPasswd, {{"username", name_},
                                                    {"ha1_md5", hasher.ha1(digest::Algorithm::md5, name_, realm_, *password).str()},
                                                    {"ha1_sha256", hasher.ha1(digest::Algorithm::sha256, name_, realm_, *password).str()},
                                                    {"ha1_realm", realm_},
                                                    {"number", number_},
                                                    {"limit", limit_}});
    if (!done) return kRefused;
    if (*done == 0 && add) return refuse(fmt::format("user {} exists already; a new password is set by `jackfield user passwd {}`", name_, name_));
    if (*done == 0) return unknown();
    context_.out << fmt::format("User {} {} in account {}\n", name_, add ? "is now" : "has a new password", account_);
    if (!from_stdin_) context_.out << "Password: " << *password << "\nIt is shown only this once.\n";
    return kDone;
  }

  int remove() {
    const auto forgotten = change(kForget, {{"username", name_}});
    if (!forgotten) return kRefused;
    const auto removed = change(kRemove, {{"username", name_}});
    if (!removed) return kRefused;
    if (*removed == 0) return unknown();
    context_.out << fmt::format("User {} is no longer in account {}\n", name_, account_);
    return kDone;
  }

  int list() {
    const auto answer = database_->run(kList, nullptr);
    if (!answer) return refuse(answer.error());
    for (std::size_t row = 0; row < answer->rows.size(); ++row) {
      const auto cells = answer->rows.row(row);
      const auto text = [&](std::size_t i) { return cells[i].value_or(std::string()); };
      std::string how = text(2).empty() ? "no password" : "hashed password";
      if (!text(2).empty() && text(3) != realm_) how += fmt::format(" for another realm, {}", text(3));
      if (!text(1).empty()) how += fmt::format(", number {}", text(1));
      if (text(4) != "0") how += fmt::format(", {} calls at once", text(4));
      if (text(5) == "0") how += ", disabled";
      context_.out << fmt::format("{}\t{}\n", text(0), how);
    }
    return kDone;
  }

  /// How many rows it wrote; nothing when it was refused, and the reason has been said.
  std::optional<long long> change(std::string_view query, std::vector<std::pair<std::string, std::string>> values) {
    const messages::QueryValues given{std::move(values)};
    const auto answer = database_->run(query, &given);
    if (answer) return answer->affected;
    refuse(fmt::format("{}; `jackfield db init {}` makes the tables", answer.error(), account_));
    return std::nullopt;
  }

  /// Nothing when it was refused; the reason has been said.
  std::optional<std::string> choose() {
    if (!from_stdin_) return digest::generate_password([this](std::span<std::uint8_t> bytes) { context_.random.fill(bytes); });
    std::string line;
    std::getline(input_, line);
    if (line.ends_with('\r')) line.pop_back();
    if (plain(line, kLongestPassword)) return line;
    refuse("a password has 1 to 256 characters, none of them a control character; give one line on the standard input");
    return std::nullopt;
  }

  int unknown() { return refuse(fmt::format("there is no user {} in account {}; `jackfield user list` shows who is there", name_, account_)); }

  std::istream& input_;
  std::string account_, realm_, name_, number_, limit_ = "0";
  bool from_stdin_ = false;
  std::unique_ptr<DirectDatabase> database_;
};

}  // namespace

int user_command(CommandContext& context, std::istream& input) { return UserCommand(context, input).run(); }

}  // namespace jackfield::register_module
