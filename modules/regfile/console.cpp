// What people ask a running server: the status line, and `regfile export`.
#include "regfile.h"

#include <jackfield/console.h>
#include <jackfield/messages/engine.h>

#include <fmt/format.h>

namespace jackfield::regfile {
namespace param = messages::param;
namespace {

constexpr std::string_view kExport = "regfile export";

/// Control characters and commas would break the line into other fields.
void append_clean(std::string& out, std::string_view text) {
  for (const char c : text) out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == ',' ? '?' : c);
}

}  // namespace

Verdict Regfile::engine_status(Message& message) {
  const auto module = message.get(param::kModule);
  if (!module.empty() && module != "regfile" && module != "misc") return false;

  std::size_t online = 0;
  std::string bindings;
  const bool details = message.flag(param::kDetails, true);
  std::vector<Binding*> of_user;
  store_->bindings().each([&](const Binding& binding) {
    of_user.clear();
    store_->bindings().of_user(binding.username(), of_user);
    if (of_user.front() == &binding) ++online;
    if (!details) return;
    bindings.push_back(bindings.empty() ? ';' : ',');
    append_clean(bindings, binding.username());
    bindings.push_back('=');
    append_clean(bindings, binding.packed().data());
  });
  message.set_retvalue(fmt::format("{}name=regfile,type=misc;create={},defined={},users={}{}\r\n", message.retvalue(), general_.autocreate,
                                   users_.all().size(), online, bindings));
  return module == "regfile";
}

Verdict Regfile::engine_command(Message& message) {
  if (message.get(param::kLine) == kExport) {
    if (!may_change(message)) return true;
    return export_command(message);
  }
  if (message.has(param::kPartline)) {
    const auto line = message.get(param::kPartline);
    const auto word = message.get(param::kPartword);
    const auto candidate = line.empty() ? std::string_view("regfile") : line == "regfile" ? std::string_view("export") : std::string_view();
    if (!candidate.empty() && candidate.starts_with(word)) {
      message.set_retvalue(fmt::format("{}{}{}", message.retvalue(), message.retvalue().empty() ? "" : "\t", candidate));
    }
  }
  return false;
}

Task<bool> Regfile::export_command(Message& message) {
  const auto file = store_->file().string();
  const auto written = co_await store_->export_file();
  if (written) message.set_retvalue(fmt::format("Bindings written to {}\r\n", file));
  else message.set_retvalue(fmt::format("Bindings not written: {}\r\n", written.error()));
  co_return written.has_value();
}

}  // namespace jackfield::regfile
