// What commands of the program that modules bring (`jackfield VERB …`) have in common: how they end, and how they say why.
#pragma once

#include <jackfield/module.h>

#include <ostream>
#include <string_view>

namespace jackfield::command {

/// Exit codes, as ModuleCommand::run.
inline constexpr int kDone = 0, kRefused = 1, kWrongUsage = 2;

/// The base of a verb's class.
class Verb {
 protected:
  Verb(CommandContext& context, std::string_view name) : context_(context), name_(name) {}

  /// The running server is to read its files again.
  int files_changed() {
    context_.reload = true;
    return kDone;
  }
  int refuse(std::string_view why) { return say(why, kRefused); }
  /// The program adds how it is used.
  int usage(std::string_view why) { return say(why, kWrongUsage); }
  int say(std::string_view what, int code) {
    context_.err << "jackfield " << name_ << ": " << what << '\n';
    return code;
  }

  CommandContext& context_;

 private:
  std::string_view name_;
};

}  // namespace jackfield::command
