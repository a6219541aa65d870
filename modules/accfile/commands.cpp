#include "commands.h"

#include "command/verb.h"
#include "account.h"
#include "conf/atomic_file.h"
#include "conf/conf_text.h"
#include "digest/digest.h"
#include "digest/password.h"
#include "far_side.h"
#include "settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <set>

namespace jackfield::accfile {
namespace {

using command::kRefused;
constexpr std::string_view kUsage =
    "list | show NAME | register NAME | unregister NAME | enable NAME | disable NAME | remove NAME |\n"
    "  add NAME --type registration --server HOST[:PORT][,HOST…] --username USER [--password-stdin] |\n"
    "  add NAME --type trunk --server HOST[:PORT][,HOST…] --allowed ADDRESS[/BITS][,…] |\n"
    "  add NAME --type inbound [--username USER] [--host HOST[:PORT]]\n"
    "  each also with --owner USER, --dial-pattern REGEX, --weight NUMBER, --set KEY=VALUE, --disabled";
constexpr std::string_view kNameMarks = "-_.+~@";
constexpr std::size_t kMaxName = 64;
constexpr unsigned kNewFileMode = 0600;  // there are passwords in it
constexpr std::string_view kHostStandIn = "SERVER";

/// Options that are a key of the account.
struct Option {
  std::string_view option, key;
};
constexpr Option kOptions[] = {
    {"--type", account_key::kType},       {"--server", account_key::kServer},       {"--registrar", account_key::kRegistrar},
    {"--username", account_key::kUsername}, {"--authname", "authname"},               {"--description", "description"},
    {"--domain", "domain"},               {"--outbound", "outbound"},               {"--transport", "ip_transport"},
    {"--interval", account_key::kInterval}, {"--allowed", account_key::kAllowed},     {"--owner", account_key::kOwner},
    {"--dial-pattern", account_key::kDialPattern}, {"--weight", account_key::kWeight}, {"--homing", "homing"},
    {"--max-contacts", account_key::kMaxContacts},
};

/// A sentence, or nothing.
std::string bad_name(std::string_view name) {
  if (name.empty()) return "a connection needs a name";
  if (name.size() > kMaxName) return fmt::format("the name is longer than {} characters", kMaxName);
  if (name == kGeneral) return "`general` is the section of settings; choose another name";
  if (name.starts_with('-')) return fmt::format("`{}` looks like an option; the NAME comes first", name);
  const auto good = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kNameMarks.find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (std::ranges::all_of(name, good)) return {};
  return fmt::format("a name is made of letters, digits and {}", kNameMarks);
}

/// What the file cannot hold, as a sentence.
std::string bad_value(std::string_view key, std::string_view value) {
  if (std::ranges::any_of(value, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) return fmt::format("{} has control characters", key);
  if (value.starts_with(' ') || value.ends_with(' ')) return fmt::format("{} begins or ends with a blank, which the file cannot hold", key);
  return {};
}

class ConnectionCommand : command::Verb {
 public:
  ConnectionCommand(CommandContext& context, std::istream& input) : Verb(context, "connection"), input_(input) {}

  int run() {
    const auto arguments = context_.arguments;
    if (arguments.empty()) return kNotServed;
    const auto& what = arguments[0];
    const bool changes = what == "enable" || what == "disable" || what == "remove";
    if (what != "add" && !changes) return kNotServed;  // the server's own
    if (arguments.size() < 2) return usage("a NAME is missing");
    if (what == "add") return add(arguments[1], arguments.subspan(2));
    if (arguments.size() > 2) return usage(fmt::format("`{}` is not understood", arguments[2]));
    if (what == "remove") return remove(arguments[1]);
    return enable(arguments[1], what == "enable");
  }

 private:
  using Words = std::span<const std::string>;

  int add(const std::string& name, Words words) {
    if (const auto bad = bad_name(name); !bad.empty()) return refuse(bad);
    if (const auto* section = context_.settings.section(name))
      return refuse(fmt::format("connection {} exists already ({}:{}); `jackfield connection remove {}` removes it", name, section->where.file, section->where.line, name));
    Account account{.name = name, .active = true, .parameters = {}, .problem = {}};
    if (const auto code = read_options(words, account)) return *code;
    const auto type = std::string(account.get(account_key::kType));
    if (type.empty()) return refuse("--type says which it is: registration, trunk or inbound");
    if (type != "registration" && type != "trunk" && type != "inbound") return refuse(fmt::format("--type {} is not registration, trunk or inbound", type));
    return type == "inbound" ? add_inbound(account) : add_outgoing(account, type);
  }

  /// An exit code where it ends here.
  std::optional<int> read_options(Words words, Account& account) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto& word = words[i];
      if (word == "--password-stdin") {
        password_from_input_ = true;
        continue;
      }
      if (word == "--disabled") {
        disabled_ = true;
        continue;
      }
      const auto* option = std::ranges::find(kOptions, word, &Option::option);
      const bool known = option != std::end(kOptions) || word == "--host" || word == "--set";
      if (!known) return usage(fmt::format("`{}` is not understood", word));
      if (++i == words.size()) return usage(fmt::format("{} needs a value", word));
      std::string key(option != std::end(kOptions) ? option->key : std::string_view());
      std::string value = words[i];
      if (word == "--host") {
        host_ = value;
        continue;
      }
      if (word == "--set") {
        const auto equals = value.find('=');
        if (equals == 0 || equals == std::string::npos) return usage("--set needs KEY=VALUE");
        key = value.substr(0, equals);
        value = value.substr(equals + 1);
      }
      // Passwords are never arguments: everybody on the machine sees those.
      if (key.starts_with(account_key::kPassword)) return refuse("a password is read from the standard input: --password-stdin");
      if (key == account_key::kServer && value.find(',') != std::string::npos) key = account_key::kServers;
      if (const auto bad = bad_value(word, value); !bad.empty()) return refuse(bad);
      if (!account.get(key).empty()) return usage(fmt::format("{} is given twice", word));
      account.parameters.emplace_back(key, value);
    }
    return std::nullopt;
  }

  int add_outgoing(Account& account, std::string_view type) {
    if (!host_.empty()) return usage("--host is for inbound connections");
    if (type == "trunk" && account.get(account_key::kServer).empty() && account.get(account_key::kServers).empty())
      return refuse("a trunk needs --server, where calls go");
    if (type == "trunk" && account.get(account_key::kAllowed).empty())
      return refuse("a trunk needs --allowed, the addresses its calls come from, such as 192.0.2.1 or 192.0.2.0/24");
    if (const auto problem = find_problem(account); !problem.empty()) return refuse(problem);
    if (const auto bad = bad_hosts(account); !bad.empty()) return refuse(bad);
    if (password_from_input_) {
      const auto password = read_password();
      if (!password) return kRefused;
      account.parameters.emplace_back(account_key::kPassword, *password);
    }
    // What we choose for people who did not bring Yate's files (D18).
    if (type == "registration" && account.get(account_key::kInterval).empty()) account.parameters.emplace_back(account_key::kInterval, "300");
    if (const auto code = write(account)) return *code;
    if (type == "registration" && !password_from_input_)
      context_.out << "It has no password: the server must not ask for one. --password-stdin reads one.\n";
    return files_changed();
  }

  int add_inbound(Account& account) {
    if (!account.get(account_key::kServer).empty() || !account.get(account_key::kRegistrar).empty())
      return refuse("nobody is registered at for an inbound connection: the other side registers here; leave --server and --registrar out");
    if (account.get(account_key::kUsername).empty()) account.parameters.emplace_back(account_key::kUsername, account.name);
    const std::string username(account.get(account_key::kUsername));
    if (const auto bad = bad_name(username); !bad.empty()) return refuse("--username: " + bad);
    for (const auto& section : context_.settings.sections())
      if (const auto* other = section.find(account_key::kUsername); other && other->value == username && section.name != account.name && is_inbound(section))
        return refuse(fmt::format("the inbound connection {} has the user {} already; --username names another one", section.name, username));
    std::string password;
    if (password_from_input_) {
      const auto said = read_password();
      if (!said) return kRefused;
      password = *said;
    } else {
      password = digest::generate_password([this](std::span<std::uint8_t> bytes) { context_.random.fill(bytes); });
    }
    const auto realm = context_.settings.text(kGeneral, "realm");
    const digest::Hasher hasher;
    const auto hashed = [&](digest::Algorithm algorithm) { return fmt::format("{}:{}", realm, hasher.ha1(algorithm, username, realm, password).view()); };
    account.parameters.emplace_back(account_key::kPasswordMd5, hashed(digest::Algorithm::md5));
    account.parameters.emplace_back(account_key::kPasswordSha256, hashed(digest::Algorithm::sha256));
    if (const auto problem = find_problem(account); !problem.empty()) return refuse(problem);
    if (const auto code = write(account)) return *code;
    context_.out << "User: " << username << '\n';
    if (!password_from_input_) context_.out << "Password: " << password << "\nIt is shown only this once; the file has a hash.\n";
    const auto host = host_.empty() ? kHostStandIn : std::string_view(host_);
    context_.out << "\nThe other side writes one of these.";
    if (host_.empty()) context_.out << ' ' << kHostStandIn << " stands for this machine's address; --host HOST:PORT writes it.";
    context_.out << "\n\n" << far_side_text({.name = account.name, .username = username, .password = password_from_input_ ? "PASSWORD" : password, .realm = realm, .host = host});
    return files_changed();
  }

  static bool is_inbound(const SettingsSection& section) {
    const auto* type = section.find(account_key::kType);
    return type && type->value == "inbound";
  }

  static std::string bad_hosts(const Account& account) {
    for (const auto key : {account_key::kServer, account_key::kServers, account_key::kRegistrar})
      for (const auto& host : parse_list(account.get(key)))
        if (host.find_first_of(" \t<>\"/@") != std::string::npos) return fmt::format("{}: `{}` is no host; write HOST or HOST:PORT", key, host);
    return {};
  }

  std::optional<int> write(const Account& account) {
    const auto path = context_.config_dir / "accfile.conf";
    auto text = std::filesystem::exists(path) ? conf::read_file(path) : tl::expected<std::string, std::string>(std::string());
    if (!text) return refuse(text.error());
    conf::Keys keys{{std::string(account_key::kEnabled), disabled_ ? "no" : "yes"}};
    keys.insert(keys.end(), account.parameters.begin(), account.parameters.end());
    if (const auto written = conf::replace_file(path, conf::with_section(*text, account.name, keys), kNewFileMode); !written) return refuse(written.error());
    context_.out << fmt::format("Connection {} is now in {}\n", account.name, path.string());
    return std::nullopt;
  }

  int enable(const std::string& name, bool on) {
    const auto* section = name == kGeneral ? nullptr : context_.settings.section(name);
    if (!section) return unknown(name);
    if (on) {
      Account account{.name = name, .active = true, .parameters = {}, .problem = {}};
      for (const auto& entry : section->entries) account.parameters.emplace_back(entry.key, entry.value);
      if (const auto problem = account.protocol() == "sip" ? find_problem(account) : std::string(); !problem.empty())
        return refuse(fmt::format("connection {} cannot be enabled: {} ({}:{})", name, problem, section->where.file, section->where.line));
    }
    // The file that says it now; an included one perhaps.
    const auto* entry = section->find(account_key::kEnabled);
    const std::filesystem::path path = entry ? entry->where.file : section->where.file;
    const auto text = conf::read_file(path);
    if (!text) return refuse(text.error());
    const auto changed = conf::with_key(*text, name, account_key::kEnabled, on ? "yes" : "no");
    if (!changed) return refuse(fmt::format("there is no section [{}] in {}; edit it by hand", name, path.string()));
    if (const auto written = conf::replace_file(path, *changed, kNewFileMode); !written) return refuse(written.error());
    context_.out << fmt::format("Connection {} is {} in {}\n", name, on ? "enabled" : "disabled", path.string());
    return files_changed();
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
      const auto without = conf::without_section(*text, name);
      if (!without) continue;
      if (const auto written = conf::replace_file(file, *without, kNewFileMode); !written) return refuse(written.error());
      context_.out << fmt::format("Connection {} is no longer in {}\n", name, file);
      changed = true;
    }
    if (!changed) return refuse(fmt::format("there is no section [{}] in {}; edit it by hand", name, section->where.file));
    return files_changed();
  }

  /// Nothing when it was refused; the reason has been said.
  std::optional<std::string> read_password() {
    std::string line;
    std::getline(input_, line);
    if (line.ends_with('\r')) line.pop_back();
    const auto bad = line.empty() ? std::string("the password is empty") : bad_value("the password", line);
    if (bad.empty()) return line;
    refuse(fmt::format("{}; give one line on the standard input", bad));
    return std::nullopt;
  }

  int unknown(const std::string& name) {
    return refuse(fmt::format("there is no connection {} in {}", name, (context_.config_dir / "accfile.conf").string()));
  }

  std::istream& input_;
  bool password_from_input_ = false, disabled_ = false;
  std::string host_;
};

int run_connection(CommandContext& context) { return connection_command(context, std::cin); }

}  // namespace

const ModuleCommand kCommands[1] = {
    {.verb = "connection", .usage = kUsage, .doc = "Adds, switches and removes connections of accfile.conf; the running server registers at once.", .run = run_connection},
};

int connection_command(CommandContext& context, std::istream& input) { return ConnectionCommand(context, input).run(); }

}  // namespace jackfield::accfile
