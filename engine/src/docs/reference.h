// What `jackfield help` says about messages and modules, and share/doc/messages.md; all from the declarations.
#pragma once

#include <jackfield/messages/declaration.h>
#include <jackfield/module.h>

#include <string>

namespace jackfield::docs {

std::string message_text(const messages::MessageName& message);
std::string module_text(const ModuleDescriptor& module);
/// One line for each message.
std::string message_list();
/// The whole reference page.
std::string messages_markdown();

}  // namespace jackfield::docs
