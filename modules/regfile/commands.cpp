#include "commands.h"

#include "command/verb.h"
#include "conf/atomic_file.h"
#include "conf/conf_text.h"
#include "digest/password.h"
#include "settings.h"
#include "text/trimmed.h"
#include "users_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <set>

namespace jackfield::regfile {
namespace {

using command::kDone, command::kRefused;
constexpr std::string_view kUsage = "add NAME [--password-stdin] | passwd NAME [--password-stdin] | remove NAME | list | export | import [--replace]";
constexpr unsigned kNewFileMode = 0600;  // there are passwords in it

class UserCommand : command::Verb {
 public:
  UserCommand(CommandContext& context, std::istream& input) : Verb(context, "user"), input_(input) {}

  int run() {
    const auto arguments = context_.arguments;
    if (arguments.empty()) return usage("what is to be done?");
    const auto& what = arguments[0];
    if (what == "list") return arguments.size() == 1 ? list() : usage("`list` takes nothing more");
    if (what == "export") return arguments.size() == 1 ? export_users() : usage("`export` takes nothing more");
    if (what == "import") {
      const bool replace = arguments.size() == 2 && arguments[1] == "--replace";
      return arguments.size() == 1 || replace ? import_users(replace) : usage(fmt::format("`{}` is not understood", arguments.back()));
    }
    const bool sets_password = what == "add" || what == "passwd";
    if (!sets_password && what != "remove") return usage(fmt::format("`{}` is none of the commands", what));
    if (arguments.size() < 2) return usage("a NAME is missing");
    const bool from_stdin = arguments.size() == 3 && sets_password && arguments[2] == "--password-stdin";
    if (arguments.size() > 2 && !from_stdin) return usage(fmt::format("`{}` is not understood", arguments[2]));
    const auto& name = arguments[1];
    if (what == "remove") return remove(name);
    return what == "add" ? add(name, from_stdin) : passwd(name, from_stdin);
  }

 private:
  int add(const std::string& name, bool from_stdin) {
    if (const auto bad = bad_user_name(name)) return refuse(*bad);
    if (const auto* section = context_.settings.section(name)) {
      return refuse(fmt::format("user {} exists already ({}); a new password is set by `jackfield user passwd {}`", name, place(*section), name));
    }
    const auto path = context_.config_dir / "regfile.conf";
    auto text = std::filesystem::exists(path) ? conf::read_file(path) : tl::expected<std::string, std::string>(std::string());
    if (!text) return refuse(text.error());
    const auto password = choose(from_stdin);
    if (!password) return kRefused;
    if (const auto written = conf::replace_file(path, with_user(*text, name, *password), kNewFileMode); !written) return refuse(written.error());
    return tell(fmt::format("User {} is now in {}", name, path.string()), *password, from_stdin);
  }

  int passwd(const std::string& name, bool from_stdin) {
    const auto* section = name == kGeneral ? nullptr : context_.settings.section(name);
    if (!section) return unknown(name);
    // The file that says the password now; an included one perhaps.
    std::filesystem::path path = section->where.file;
    for (const auto* key : {&user_key::kPasswordSha256, &user_key::kPasswordMd5, &user_key::kPassword}) {
      if (const auto* entry = section->find(*key)) path = entry->where.file;
    }
    const auto text = conf::read_file(path);
    if (!text) return refuse(text.error());
    const auto password = choose(from_stdin);
    if (!password) return kRefused;
    const auto changed = with_password(*text, name, *password);
    if (!changed) return refuse(fmt::format("there is no section [{}] in {}; edit it by hand", name, path.string()));
    if (const auto written = conf::replace_file(path, *changed, kNewFileMode); !written) return refuse(written.error());
    return tell(fmt::format("User {} has a new password in {}", name, path.string()), *password, from_stdin);
  }

  int remove(const std::string& name) {
    const auto* section = name == kGeneral ? nullptr : context_.settings.section(name);
    if (!section) return unknown(name);
    std::set<std::string> files{section->where.file};
    for (const auto& entry : section->entries) files.insert(entry.where.file);
    bool changed = false;
    for (const auto& file : files) {
      const auto text = conf::read_file(file);
      if (!text) return refuse(text.error());
      const auto without = without_user(*text, name);
      if (!without) continue;
      if (const auto written = conf::replace_file(file, *without, kNewFileMode); !written) return refuse(written.error());
      context_.out << fmt::format("User {} is no longer in {}\n", name, file);
      changed = true;
    }
    if (!changed) return refuse(fmt::format("there is no section [{}] in {}; edit it by hand", name, section->where.file));
    return files_changed();
  }

  int list() {
    for (const auto& section : context_.settings.sections()) {
      if (section.name == kGeneral) continue;
      const auto* password = section.find(user_key::kPassword);
      const bool hashed = section.find(user_key::kPasswordMd5) || section.find(user_key::kPasswordSha256);
      std::string_view how = "no password here: another module must know it";
      if (password && !password->value.empty()) how = "password";
      else if (hashed) how = "hashed password";
      else if (password) how = "empty password: refused unless allow_empty_password=yes";
      context_.out << fmt::format("{}\t{}\n", section.name, how);
    }
    return kDone;
  }

  /// All users as regfile.conf has them, included files' too, with their passwords: what import takes.
  int export_users() {
    for (const auto& section : context_.settings.sections()) {
      if (section.name == kGeneral) continue;
      conf::Keys keys;
      for (const auto& entry : section.entries) keys.emplace_back(entry.key, entry.value);
      context_.out << conf::with_section({}, section.name, keys) << '\n';
    }
    return kDone;
  }

  /// Sections of users from the standard input, as they are; all of them or none.
  int import_users(bool replace) {
    const std::string given{std::istreambuf_iterator<char>(input_), {}};
    std::set<std::string> names;
    for (const auto& line : conf::split(given)) {
      if (const auto bad = bad_import(line, names)) return refuse(fmt::format("{}; nothing was imported", *bad));
    }
    if (names.empty()) return refuse("there is no user on the standard input; write sections as in regfile.conf, or what `jackfield user export` printed");
    const auto path = context_.config_dir / "regfile.conf";
    auto text = std::filesystem::exists(path) ? conf::read_file(path) : tl::expected<std::string, std::string>(std::string());
    if (!text) return refuse(text.error());
    std::size_t replaced = 0;
    for (const auto& name : names) {
      const auto* section = context_.settings.section(name);
      if (!section) continue;
      if (!replace) return refuse(fmt::format("user {} exists already ({}); --replace puts the new one in his place; nothing was imported", name, place(*section)));
      const auto without = section->where.file == path.string() ? without_user(*text, name) : std::nullopt;
      if (!without) return refuse(fmt::format("user {} is in another file ({}); nothing was imported", name, place(*section)));
      *text = *without;
      ++replaced;
    }
    if (!text->empty() && !text->ends_with('\n')) text->push_back('\n');
    if (const auto written = conf::replace_file(path, text->append(given), kNewFileMode); !written) return refuse(written.error());
    context_.out << fmt::format("{} users are now in {}, {} of them in place of old ones\n", names.size(), path.string(), replaced);
    return files_changed();
  }

  static std::optional<std::string> bad_import(const conf::Line& line, std::set<std::string>& names) {
    const std::string name(line.name);
    const auto content = trimmed(line.text, " \t\r\n");
    // Whoever reads the file takes these for the ends of lines.
    if (content.find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos) return "a carriage return or a zero byte stands within a line";
    switch (line.kind) {
      case conf::LineKind::header:
        if (const auto bad = bad_user_name(name)) return fmt::format("[{}]: {}", name, *bad);
        if (!names.insert(name).second) return fmt::format("user {} comes twice", name);
        return std::nullopt;
      case conf::LineKind::key: return line.section.empty() ? std::optional(fmt::format("{}= stands before the first [USER]", name)) : std::nullopt;
      case conf::LineKind::other: return content.starts_with('[') ? std::optional("directives such as [$include] are for regfile.conf itself") : std::nullopt;
    }
    return std::nullopt;
  }

  /// Nothing when it was refused; the reason has been said.
  std::optional<std::string> choose(bool from_stdin) {
    if (!from_stdin) return digest::generate_password([this](std::span<std::uint8_t> bytes) { context_.random.fill(bytes); });
    std::string line;
    std::getline(input_, line);
    if (line.ends_with('\r')) line.pop_back();
    if (const auto bad = bad_password(line)) {
      refuse(fmt::format("{}; give one line on the standard input", *bad));
      return std::nullopt;
    }
    return line;
  }

  int tell(std::string_view what, std::string_view password, bool from_stdin) {
    context_.out << what << '\n';
    if (!from_stdin) context_.out << "Password: " << password << "\nIt is shown only this once.\n";
    return files_changed();
  }


  int unknown(const std::string& name) {
    return refuse(fmt::format("there is no user {} in {}; `jackfield user list` shows who is there", name, (context_.config_dir / "regfile.conf").string()));
  }
  static std::string place(const SettingsSection& section) { return fmt::format("{}:{}", section.where.file, section.where.line); }

  std::istream& input_;
};

int run_user(CommandContext& context) { return user_command(context, std::cin); }

}  // namespace

const ModuleCommand kCommands[] = {
    {.verb = "user", .usage = kUsage, .doc = "Adds, changes and removes users of regfile.conf; a generated password is printed once. Export prints them all with their passwords, import reads that.", .run = run_user},
};

int user_command(CommandContext& context, std::istream& input) { return UserCommand(context, input).run(); }

}  // namespace jackfield::regfile
