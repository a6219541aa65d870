#include "functions.h"

#include "calendar.h"

#include <jackfield/messages/parameters.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "net/address.h"

namespace jackfield::regexroute {
namespace {

using Arguments = std::span<const Argument>;

long long number(std::string_view text) {
  const auto first = text.find_first_not_of(" \t+");
  if (first == std::string_view::npos) return 0;
  text.remove_prefix(first);
  long long value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Zeros before the digits, up to the width; as wide as it is where it is longer.
std::string padded(long long value, std::size_t width) { return fmt::format("{:0{}}", value, std::min<std::size_t>(width, 32)); }

std::string boolean(bool value) { return value ? "true" : "false"; }

/// The width is the third argument, else that of the first.
template <class Operation>
std::string arithmetic(Arguments arguments, Operation operation) {
  const auto& first = arguments[0].value;
  const auto width = arguments.size() > 2 ? std::max(0LL, number(arguments[2].value)) : static_cast<long long>(first.size());
  return padded(operation(number(first), number(arguments[1].value)), static_cast<std::size_t>(width));
}

// Wraps instead of overflowing: what callers dial has any length.
long long add(long long a, long long b) { return static_cast<long long>(static_cast<unsigned long long>(a) + static_cast<unsigned long long>(b)); }
long long multiply(long long a, long long b) { return static_cast<long long>(static_cast<unsigned long long>(a) * static_cast<unsigned long long>(b)); }
bool divisible(long long a, long long b) { return b != 0 && !(b == -1 && a == std::numeric_limits<long long>::min()); }

std::string step(Arguments arguments, FunctionContext& context, long long by) {
  auto next = std::to_string(add(number(arguments[0].value), by));
  if (!arguments[0].variable.empty()) context.variables.set(arguments[0].variable, next);
  return next;
}

template <class Compare>
std::string compare(Arguments arguments, Compare holds) { return boolean(holds(number(arguments[0].value), number(arguments[1].value))); }

/// Which of `count` items is meant; where the number is a variable it goes on to the next.
std::size_t turn(const Argument& which, std::size_t count, FunctionContext& context) {
  const auto size = static_cast<long long>(count);
  const auto index = ((number(which.value) % size) + size) % size;
  if (!which.variable.empty()) context.variables.set(which.variable, std::to_string((index + 1) % size));
  return static_cast<std::size_t>(index);
}

std::string index(Arguments arguments, FunctionContext& context) {
  const auto items = arguments.subspan(1);
  return items[turn(arguments[0], items.size(), context)].value;
}

std::string rotate(Arguments arguments, FunctionContext& context) {
  const auto items = arguments.subspan(1);
  const auto first = turn(arguments[0], items.size(), context);
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ',';
    out += items[(first + i) % items.size()].value;
  }
  return out;
}

std::string hex(Arguments arguments, FunctionContext&) {
  auto value = static_cast<unsigned long long>(number(arguments[0].value));
  const auto wanted = arguments.size() > 1 ? std::clamp(number(arguments[1].value), 0LL, 8LL) : 0;
  const auto separator = arguments.size() > 2 ? std::string_view(arguments[2].value) : std::string_view(" ");
  std::string out;
  for (long long octet = 0; octet < 8 && (octet < wanted || (wanted == 0 && (value != 0 || octet == 0))); ++octet, value >>= 8) {
    if (octet > 0) out += separator;
    out += fmt::format("{:02x}", value & 0xff);
  }
  return out;
}

std::string in_upper(Arguments arguments, FunctionContext&) {
  std::string out = arguments[0].value;
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

std::string in_lower(Arguments arguments, FunctionContext&) {
  std::string out = arguments[0].value;
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string random_digits(Arguments arguments, FunctionContext& context) {
  std::string out = arguments[0].value;
  for (char& c : out)
    if (c == '?') c = static_cast<char>('0' + context.engine.random().next() % 10);
  return out;
}

std::string about_message(Arguments arguments, FunctionContext& context) {
  const auto& message = context.message;
  const auto& what = arguments[0].value;
  if (what == "name") return std::string(message.name());
  if (what == "time") return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(message.created().time_since_epoch()).count());
  if (what == "broadcast") return boolean(message.broadcast());
  if (what == "retval") return std::string(message.retvalue());
  if (what == "count") return std::to_string(message.parameters().size());
  if (what != "parameters") return {};
  std::string out;
  for (const auto& parameter : message.parameters()) {
    if (!out.empty()) out += arguments.size() > 1 ? std::string_view(arguments[1].value) : std::string_view(",");
    out += parameter.name;
  }
  return out;
}

std::string about_variables(Arguments arguments, FunctionContext& context) {
  const auto& what = arguments[0].value;
  if (what == "count") return std::to_string(context.variables.all().size());
  if (what != "list") return boolean(context.variables.has(what));
  std::string out;
  for (const auto& [name, value] : context.variables.all()) {
    if (!out.empty()) out += arguments.size() > 1 ? std::string_view(arguments[1].value) : std::string_view(",");
    out += name;
  }
  return out;
}

std::string run_parameter(std::string_view name, FunctionContext& context) { return std::string(context.engine.run_parameter(name).value_or("")); }

/// An address, with or without port, is in one of the networks (192.0.2.0/24), ranges (192.0.2.10-192.0.2.20) or equal to one.
std::string network(Arguments arguments, FunctionContext&) {
  const auto address = net::Address::parse_with_port(arguments[0].value);
  if (!address) return boolean(false);
  for (const auto& candidate : arguments.subspan(1)) {
    const std::string_view text = candidate.value;
    if (const auto dash = text.find('-'); dash != std::string_view::npos) {
      const auto first = net::Address::parse(text.substr(0, dash)), last = net::Address::parse(text.substr(dash + 1));
      if (first && last && first->is_v6() == address->is_v6() && last->is_v6() == address->is_v6() && first->bytes() <= address->bytes() &&
          address->bytes() <= last->bytes())
        return boolean(true);
    } else if (const auto range = net::Cidr::parse(text); range && range->contains(*address)) {
      return boolean(true);
    }
  }
  return boolean(false);
}

/// Where only somebody asks what would happen, it happens when he says.
WallTime now(const FunctionContext& context) {
  return context.message.flag(messages::param::kDryRun) ? context.message.created() : context.engine.clock().wall();
}

/// The clock stands in one of the hours (08:00-18:00) on one of the days (mon-fri), both as the machine's time zone has it.
std::string during(Arguments arguments, FunctionContext& context) {
  const auto moment = local_moment(now(context));
  bool hours_named = false, in_hours = false, days_named = false, in_days = false;
  for (const auto& argument : arguments) {
    if (const auto hours = parse_hours(argument.value)) {
      hours_named = true;
      in_hours = in_hours || hours->contains(moment.minute_of_day);
    } else if (const auto days = parse_days(argument.value)) {
      days_named = true;
      in_days = in_days || days->contains(moment.weekday);
    } else {
      return boolean(false);
    }
  }
  return boolean((!hours_named || in_hours) && (!days_named || in_days));
}

/// The walk has asked before it gets here.
std::string registered(Arguments arguments, FunctionContext& context) {
  const auto found = context.registered.find(arguments[0].value);
  return boolean(found != context.registered.end() && found->second);
}

/// Short names of arithmetic.
constexpr std::pair<std::string_view, std::string_view> kSigns[] = {{"+", "add"}, {"-", "sub"}, {"*", "mul"}, {"/", "div"}, {"%", "mod"}};

// In alphabetical order.
constexpr Function kFunctions[] = {
    {"++", 1, 1, [](Arguments a, FunctionContext& c) { return step(a, c, 1); }, "$(++N)"},
    {"--", 1, 1, [](Arguments a, FunctionContext& c) { return step(a, c, -1); }, "$(--N)"},
    {"accepting", 0, 0, [](Arguments, FunctionContext& c) { return std::string(c.engine.draining() ? "reject" : "accept"); }, "$(accepting)"},
    {"add", 2, 3, [](Arguments a, FunctionContext&) { return arithmetic(a, add); }, "$(add,A,B[,WIDTH])"},
    {"chr", 1, 1, [](Arguments a, FunctionContext&) { return std::string(1, static_cast<char>(number(a[0].value))); }, "$(chr,CODE)"},
    {"config", 2, 2, [](Arguments a, FunctionContext& c) { return run_parameter(fmt::format("config.{}.{}", a[0].value, a[1].value), c); }, "$(config,SECTION,KEY)"},
    {"dispatching", 0, 0, [](Arguments, FunctionContext& c) { return std::to_string(c.depth); }, "$(dispatching)"},
    {"div", 2, 3, [](Arguments a, FunctionContext&) { return arithmetic(a, [](long long x, long long y) { return divisible(x, y) ? x / y : 0; }); }, "$(div,A,B[,WIDTH])"},
    {"during", 1, kAnyNumber, during, "$(during,08:00-18:00,mon-fri)"},
    {"engine", 1, 1, [](Arguments a, FunctionContext& c) { return run_parameter(a[0].value, c); }, "$(engine,NAME)"},
    {"eq", 2, 2, [](Arguments a, FunctionContext&) { return compare(a, std::equal_to()); }, "$(eq,A,B)"},
    {"ge", 2, 2, [](Arguments a, FunctionContext&) { return compare(a, std::greater_equal()); }, "$(ge,A,B)"},
    {"gt", 2, 2, [](Arguments a, FunctionContext&) { return compare(a, std::greater()); }, "$(gt,A,B)"},
    {"hex", 1, 3, hex, "$(hex,N[,OCTETS[,SEPARATOR]])"},
    {"index", 2, kAnyNumber, index, "$(index,N,ITEM,…)"},
    {"le", 2, 2, [](Arguments a, FunctionContext&) { return compare(a, std::less_equal()); }, "$(le,A,B)"},
    {"length", 1, 1, [](Arguments a, FunctionContext&) { return std::to_string(a[0].value.size()); }, "$(length,TEXT)"},
    {"loaded", 1, 1, [](Arguments a, FunctionContext& c) { return boolean(c.engine.module_loaded(a[0].value)); }, "$(loaded,MODULE)"},
    {"lower", 1, 1, in_lower, "$(lower,TEXT)"},
    {"lt", 2, 2, [](Arguments a, FunctionContext&) { return compare(a, std::less()); }, "$(lt,A,B)"},
    {"message", 1, 2, about_message, "$(message,name|time|broadcast|retval|count|parameters[,SEPARATOR])"},
    {"mod", 2, 3, [](Arguments a, FunctionContext&) { return arithmetic(a, [](long long x, long long y) { return divisible(x, y) ? x % y : 0; }); }, "$(mod,A,B[,WIDTH])"},
    {"mul", 2, 3, [](Arguments a, FunctionContext&) { return arithmetic(a, multiply); }, "$(mul,A,B[,WIDTH])"},
    {"ne", 2, 2, [](Arguments a, FunctionContext&) { return compare(a, std::not_equal_to()); }, "$(ne,A,B)"},
    {"network", 2, kAnyNumber, network, "$(network,ADDRESS,192.0.2.0/24,…)"},
    {"nodename", 0, 0, [](Arguments, FunctionContext& c) { return run_parameter("nodename", c); }, "$(nodename)"},
    {"random", 1, 1, random_digits, "$(random,12?\?)"},
    {"registered", 1, 1, registered, "$(registered,USER)", true},
    {"rotate", 2, kAnyNumber, rotate, "$(rotate,N,ITEM,…)"},
    {"runid", 0, 0, [](Arguments, FunctionContext& c) { return run_parameter("runid", c); }, "$(runid)"},
    {"streq", 2, 2, [](Arguments a, FunctionContext&) { return boolean(a[0].value == a[1].value); }, "$(streq,A,B)"},
    {"strne", 2, 2, [](Arguments a, FunctionContext&) { return boolean(a[0].value != a[1].value); }, "$(strne,A,B)"},
    {"strpos", 2, 2, [](Arguments a, FunctionContext&) { return std::to_string(static_cast<long long>(a[1].value.find(a[0].value))); }, "$(strpos,WHAT,WHERE)"},
    {"sub", 2, 3, [](Arguments a, FunctionContext&) { return arithmetic(a, [](long long x, long long y) { return add(x, multiply(y, -1)); }); }, "$(sub,A,B[,WIDTH])"},
    {"threadname", 0, 0, [](Arguments, FunctionContext&) { return std::string(); }, "$(threadname)"},
    {"timestamp", 0, 0, [](Arguments, FunctionContext& c) {
       const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now(c).time_since_epoch()).count();
       return fmt::format("{}.{:03}", since / 1000, since % 1000);
     }, "$(timestamp)"},
    {"transcode", 1, kAnyNumber, [](Arguments, FunctionContext&) { return std::string(); }, "$(transcode,FLAGS,FORMAT,…)"},
    {"upper", 1, 1, in_upper, "$(upper,TEXT)"},
    {"variables", 1, 2, about_variables, "$(variables,count|list|NAME[,SEPARATOR])"},
};

}  // namespace

std::span<const Function> all_functions() { return kFunctions; }

const Function* find_function(std::string_view name) {
  for (const auto& [sign, word] : kSigns)
    if (name == sign) name = word;
  const auto found = std::ranges::lower_bound(kFunctions, name, {}, &Function::name);
  return found != std::end(kFunctions) && found->name == name ? &*found : nullptr;
}

}  // namespace jackfield::regexroute
