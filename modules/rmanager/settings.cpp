#include "settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "text/trimmed.h"

namespace jackfield::rmanager {
namespace {

constexpr std::string_view kAlias = "alias:";
constexpr Duration kShortestTimeout{5000};

constexpr Key kListenerKeys[] = {
    {.name = "addr", .type = KeyType::text, .fallback = "127.0.0.1", .unit = "", .doc = "The address to listen on. One that is not loopback needs both passwords."},
    {.name = "port", .type = KeyType::integer, .fallback = "5038", .unit = "", .doc = "The TCP port.", .min = 1, .max = 65535},
    {.name = "password", .type = KeyType::secret, .fallback = "", .unit = "",
     .doc = "Makes an administrator (`auth PASSWORD`). Without it and userpass whoever may connect is one, as trust= says."},
    {.name = "userpass", .type = KeyType::secret, .fallback = "", .unit = "",
     .doc = "Makes a user, who may look but change nothing. Without it, and with password=, everybody who connects is one."},
    {.name = "trust", .type = KeyType::text, .fallback = "owner", .unit = "",
     .doc = "Who is an administrator where there is no password: owner is the user the server runs as, and root; names of accounts, separated by commas, "
            "are those, too; any (Yate's way) is everybody who has an account on this machine."},
    {.name = "header", .type = KeyType::text, .fallback = "Jackfield ${version} ready on ${nodename}.", .unit = "", .doc = "The first line that is sent. Empty: none."},
    {.name = "goodbye", .type = KeyType::text, .fallback = "Goodbye!", .unit = "", .doc = "The last line that is sent. Empty: none."},
    {.name = "prompt", .type = KeyType::text, .fallback = "${nodename}> ", .unit = "", .doc = "What stands before each command of a client whose keys are echoed."},
    {.name = "prompt_user", .type = KeyType::text, .fallback = "", .unit = "", .doc = "The same for the level user. Empty: as prompt."},
    {.name = "prompt_guest", .type = KeyType::text, .fallback = "", .unit = "", .doc = "The same before `auth`. Empty: as prompt."},
    {.name = "timeout", .type = KeyType::milliseconds, .fallback = "30000", .unit = "ms",
     .doc = "How long somebody may stay who may do nothing yet; at least 5000, and 0 is for ever.", .min = 0, .max = 86400000},
    {.name = "fail_delay", .type = KeyType::milliseconds, .fallback = "1000", .unit = "ms",
     .doc = "How long the answer to a wrong password takes; it doubles with each further one from the same address, five times at most.", .min = 0, .max = 60000},
    {.name = "unread_timeout", .type = KeyType::milliseconds, .fallback = "30000", .unit = "ms", .doc = "How long an answer may wait to be read until the client is dropped.",
     .min = 100, .max = 3600000},
    {.name = "maxconnections", .type = KeyType::integer, .fallback = "256", .unit = "", .doc = "How many clients at once; the next one is turned away.", .min = 1, .max = 10000},
    {.name = "logged", .type = KeyType::boolean, .fallback = "yes", .unit = "", .doc = "Whether commands for administrators are logged, with the client's address and without passwords."},
    {.name = "telnet", .type = KeyType::boolean, .fallback = "yes", .unit = "", .doc = "Whether the header follows bytes by which a telnet client agrees to echo and size."},
    {.name = "echoing", .type = KeyType::boolean, .fallback = "no", .unit = "", .doc = "Whether keys are echoed and a prompt is shown from the beginning; a telnet client asks for it itself."},
    {.name = "interactive", .type = KeyType::boolean, .fallback = "no", .unit = "", .doc = "Whether a prompt is shown to clients whose keys are not echoed, too."},
    {.name = "maxhistory", .type = KeyType::integer, .fallback = "10", .unit = "", .doc = "How many lines a client gets back with the arrow keys.", .min = 0, .max = 1000},
    {.name = "output", .type = KeyType::boolean, .fallback = "no", .unit = "", .doc = "Whether the log is streamed from the beginning (`output on`)."},
    {.name = "color", .type = KeyType::boolean, .fallback = "no", .unit = "", .doc = "Whether prompts and streamed lines are coloured (`color on`)."},
    {.name = "user_regexp", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "Further commands of the level user: lines that match this regular expression (^registration show). What changes something needs the level admin all the same."},
    {.name = "user_prefix", .type = KeyType::text, .fallback = "", .unit = "",
     .doc = "Further commands of the level user as a list: lines that begin with these words (registration show, ban list)."},
    {.name = "context", .type = KeyType::text, .fallback = "", .unit = "", .doc = "Yate's key for TLS, which this listener does not speak: an error. Use an SSH tunnel."},
    {.name = "domain", .type = KeyType::text, .fallback = "", .unit = "", .doc = "As context."},
    {.name = "verify", .type = KeyType::text, .fallback = "", .unit = "", .doc = "As context."},
};

/// Here [debug] of jackfield.conf says what is logged, and so what can be streamed.
constexpr std::string_view kIgnored[] = {"debug"};

constexpr Section kSections[] = {
    {.name = "*",
     .doc = "A listener; its section may have any name. Without a section there is one with the values below.",
     .keys = kListenerKeys,
     .any_key = true,
     .sample = "alias:NAME=COMMAND: what NAME stands for; \\1 to \\9 are the words behind it, \\0 all of them, and $() parts several commands.\n"
               "alias:calls=status overview sip\n"
               "alias:kick=drop \\1 kicked $() status sip\n",
     .ignored = kIgnored},
};

std::vector<std::string> prefixes(std::string_view list) {
  std::vector<std::string> read;
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (const auto prefix = trimmed(list.substr(0, comma)); !prefix.empty()) read.emplace_back(prefix);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return read;
}

class Reader {
 public:
  Reader(const Settings& settings, Problems& problems) : settings_(settings), problems_(problems) {}

  std::shared_ptr<const ListenerSettings> read(const std::string& name, const SettingsSection* section) {
    auto listener = std::make_shared<ListenerSettings>();
    listener->name = name;
    listener->where = section ? section->where : SourceLine{settings_.file(), 0};
    const auto text = [&](std::string_view key) { return settings_.text(name, key); };
    const auto flag = [&](std::string_view key) { return settings_.boolean(name, key); };
    const auto number = [&](std::string_view key) { return static_cast<std::size_t>(settings_.integer(name, key)); };
    listener->header = text("header");
    listener->goodbye = text("goodbye");
    listener->prompt = text("prompt");
    listener->prompt_user = text("prompt_user");
    listener->prompt_guest = text("prompt_guest");
    listener->password = text("password");
    listener->userpass = text("userpass");
    if (auto trust = door::Trust::parse(text("trust"))) listener->trust = std::move(*trust);
    else error(name, "trust", trust.error());
    listener->user_prefixes = prefixes(text("user_prefix"));
    listener->timeout = settings_.duration(name, "timeout");
    if (listener->timeout > Duration(0)) listener->timeout = std::max(listener->timeout, kShortestTimeout);
    listener->fail_delay = settings_.duration(name, "fail_delay");
    listener->unread_timeout = settings_.duration(name, "unread_timeout");
    listener->max_connections = number("maxconnections");
    listener->max_history = number("maxhistory");
    listener->logged = flag("logged");
    listener->telnet = flag("telnet");
    listener->output = flag("output");
    listener->color = flag("color");
    listener->echoing = flag("echoing");
    listener->interactive = flag("interactive");
    if (const auto expression = text("user_regexp"); !expression.empty()) {
      auto compiled = pattern::Pattern::compile(expression, {.extended = true});
      if (compiled) listener->user_commands = std::move(*compiled);
      else error(name, "user_regexp", compiled.error());
    }
    for (const auto* key : {"context", "domain", "verify"})
      if (!text(key).empty()) error(name, key, "this listener speaks no TLS: leave it on 127.0.0.1 and come through an SSH tunnel");
    read_address(*listener);
    if (section) read_aliases(*listener, *section);
    return listener;
  }

 private:
  void add(Problem::Severity severity, const std::string& section, std::string_view key, std::string_view what) {
    problems_.push_back({severity, settings_.where(section, key), fmt::format("[{}] {}: {}", section, key, what)});
  }
  void error(const std::string& section, std::string_view key, std::string_view what) { add(Problem::Severity::error, section, key, what); }

  void read_address(ListenerSettings& listener) {
    const auto text = settings_.text(listener.name, "addr");
    const auto address = net::Address::parse(text, static_cast<std::uint16_t>(settings_.integer(listener.name, "port")));
    if (!address) return error(listener.name, "addr", fmt::format("`{}` is no IP address", text));
    listener.address = *address;
    const bool guarded = !listener.password.empty() && !listener.userpass.empty();
    if (!address->is_loopback() && !guarded)
      return error(listener.name, "addr", fmt::format("whoever reaches {} would command this server: set password= and userpass=, or listen on 127.0.0.1", text));
    if (listener.password.empty() && !listener.userpass.empty())
      add(Problem::Severity::warning, listener.name, "userpass", "without password= nobody becomes an administrator here");
    if (!listener.password.empty() || !listener.userpass.empty()) return;
    if (listener.trust.everybody())
      add(Problem::Severity::warning, listener.name, "trust",
          fmt::format("{} may command the server through {}: set password= and userpass=, or trust=owner", listener.trust.text(), address->text()));
    else if (settings_.from_yate())
      add(Problem::Severity::warning, listener.name, "password",
          fmt::format("no password: {} may do everything through {}, others of this machine nothing (trust=any is Yate's way: they, too)",
                      listener.trust.text(), address->text()));
  }

  void read_aliases(ListenerSettings& listener, const SettingsSection& section) {
    for (const auto& entry : section.entries) {
      const auto known = std::ranges::any_of(kListenerKeys, [&](const Key& key) { return key.name == entry.key; }) || std::ranges::find(kIgnored, entry.key) != std::end(kIgnored);
      if (known) continue;
      if (entry.key.starts_with(kAlias) && entry.key.size() > kAlias.size()) listener.aliases.emplace_back(entry.key.substr(kAlias.size()), entry.value);
      else problems_.push_back({Problem::Severity::warning, entry.where, fmt::format("[{}] `{}` is no key here, and is ignored", section.name, entry.key)});
    }
  }

  const Settings& settings_;
  Problems& problems_;
};

}  // namespace

const KeyTable kKeys{.name = "rmanager", .doc = "Consoles over TCP, for people (telnet) and programs: Yate's remote manager. `jackfield console` needs none of it.",
                     .sections = kSections};

bool ListenerSettings::allows_users(std::string_view line) const {
  line = trimmed(line);
  const auto begins = [&](const std::string& words) { return line.starts_with(words) && (line.size() == words.size() || line[words.size()] == ' ' || line[words.size()] == '\t'); };
  return std::ranges::any_of(user_prefixes, begins) || (user_commands && user_commands->matches(line));
}

std::vector<std::shared_ptr<const ListenerSettings>> read_settings(const Settings& settings, Problems& problems) {
  Reader reader(settings, problems);
  std::vector<std::shared_ptr<const ListenerSettings>> listeners;
  for (const auto& section : settings.sections()) listeners.push_back(reader.read(section.name, &section));
  if (listeners.empty()) listeners.push_back(reader.read("general", nullptr));
  return listeners;
}

}  // namespace jackfield::rmanager
