// The connections there are, by number and by name; what Lines and its commands work on. Engine thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "line/connection.h"

namespace jackfield::sip::line {

class Table {
 public:
  Connection* find(LineNumber number) const {
    const auto found = connections_.find(number);
    return found == connections_.end() ? nullptr : found->second.get();
  }
  Connection* find(std::string_view name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? nullptr : find(found->second);
  }
  Connection& add(Services& services, ConnectionSettings settings) {
    const auto number = ++last_;
    names_[settings.name] = number;
    return *(connections_[number] = std::make_unique<Connection>(services, number, std::move(settings)));
  }
  void erase(LineNumber number) {
    const auto found = connections_.find(number);
    if (found == connections_.end()) return;
    names_.erase(found->second->name());
    connections_.erase(found);
  }
  void clear() { connections_.clear(), names_.clear(); }
  std::size_t size() const { return connections_.size(); }
  /// In the order of their names. `visit` may not add or erase any.
  template <class Visit>
  void each(Visit visit) const {
    for (const auto& [name, number] : names_) visit(*connections_.at(number));
  }

 private:
  std::unordered_map<LineNumber, std::unique_ptr<Connection>> connections_;
  std::map<std::string, LineNumber, std::less<>> names_;
  LineNumber last_ = 0;
};

}  // namespace jackfield::sip::line
