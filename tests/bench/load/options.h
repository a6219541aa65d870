// The command line of a load generator: --name=value or --name, each optional.
#pragma once

#include <cstdlib>
#include <map>
#include <string>

namespace jackfield::bench {

class Options {
 public:
  Options(int count, char** words) {
    for (int i = 1; i < count; ++i) {
      std::string word = words[i];
      if (!word.starts_with("--")) continue;
      const auto equals = word.find('=');
      values_[word.substr(2, equals == word.npos ? word.npos : equals - 2)] = equals == word.npos ? "1" : word.substr(equals + 1);
    }
  }
  std::string text(const std::string& name, const std::string& fallback) const {
    const auto found = values_.find(name);
    return found == values_.end() ? fallback : found->second;
  }
  long number(const std::string& name, long fallback) const { return std::atol(text(name, std::to_string(fallback)).c_str()); }
  double real(const std::string& name, double fallback) const { return std::atof(text(name, std::to_string(fallback)).c_str()); }
  bool flag(const std::string& name) const { return number(name, 0) != 0; }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace jackfield::bench
