#include "docs/reference.h"

#include "settings/sample.h"

#include <fmt/format.h>

namespace jackfield::docs {

using messages::MessageName;
using messages::ParameterUse;
using messages::Way;

namespace {

std::string_view way_word(Way way) {
  switch (way) {
    case Way::in: return "in";
    case Way::out: return "out";
    case Way::both: break;
  }
  return "in, out";
}

std::string described(const ParameterUse& use) {
  const auto& parameter = *use.parameter;
  return parameter.unit.empty() ? std::string(parameter.doc) : fmt::format("{} ({})", parameter.doc, parameter.unit);
}

/// A table's cell: what would end it is escaped.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string message_text(const MessageName& message) {
  std::string out = fmt::format("{}{}\n", message.name, message.broadcast ? " (broadcast: every handler sees it)" : "");
  out += settings::wrapped(message.doc, "  ");
  out += settings::wrapped(fmt::format("Sent by: {}.", message.sent_by), "  ");
  out += settings::wrapped(fmt::format("Result: {}.", message.result), "  ");
  if (message.parameters.empty()) return out;
  out += "\n  Parameters (in: set by the sender; out: by a handler)\n";
  for (const auto& use : message.parameters)
    out += fmt::format("    {:<20} {:<8} {}\n", use.parameter->name, way_word(use.way), described(use));
  return out;
}

std::string module_text(const ModuleDescriptor& module) {
  std::string out = fmt::format("{}: {}\n", module.name, module.summary);
  if (!module.requires_modules.empty()) out += fmt::format("  needs: {}\n", fmt::join(module.requires_modules, ", "));
  for (const auto& command : module.commands) {
    out += fmt::format("\n  jackfield {} {}\n", command.verb, command.usage);
    out += settings::wrapped(command.doc, "    ");
  }
  out += fmt::format("\n  Keys of {}.conf (`jackfield settings {}` explains them)\n", module.name, module.name);
  for (const auto& section : module.keys->sections) {
    out += fmt::format("    [{}]\n", section.name);
    for (const auto& key : section.keys) out += fmt::format("      {}\n", key.name);
  }
  return out;
}

std::string message_list() {
  std::string out;
  for (const auto* message : messages::all()) out += fmt::format("  {:<18} {}\n", message->name, message->doc);
  return out;
}

std::string messages_markdown() {
  std::string out =
      "# Messages\n\n"
      "What modules and scripts say to each other. This page is made from the declarations in `jackfield/messages/`; "
      "`jackfield help NAME` prints the same for one message. *In* parameters are set by the sender, *out* ones by a handler. "
      "Messages may carry further parameters: what a user's section or a route sets travels along.\n";
  for (const auto* message : messages::all()) {
    out += fmt::format("\n## {}\n\n{}\n\n", message->name, message->doc);
    if (message->broadcast) out += "- A broadcast: every handler sees it.\n";
    out += fmt::format("- Sent by: {}.\n- Result: {}.\n", message->sent_by, message->result);
    if (message->parameters.empty()) continue;
    out += "\n| parameter | | what it says |\n|---|---|---|\n";
    for (const auto& use : message->parameters) out += fmt::format("| `{}` | {} | {} |\n", use.parameter->name, way_word(use.way), cell(described(use)));
  }
  return out;
}

}  // namespace jackfield::docs
