// Where a 3xx sends a call (RFC 3261 §8.1.3.4): its contacts, the most wanted first, each of them once however often it is named.
// Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sip/message.h"

namespace jackfield::sip::call {

struct RedirectTarget {
  std::string uri;     ///< without its headers
  std::string called;  ///< its user, escapes undone
  std::string host;
};

class RedirectTargets {
 public:
  /// Of one call, whoever redirects it: what is named beyond is passed over.
  static constexpr std::size_t kMost = 10;

  /// A URI that was called already: no contact leads there again.
  void visited(std::string_view uri);
  void add(const Message& redirection);
  /// Nothing: none is left.
  std::optional<RedirectTarget> next();

 private:
  struct Waiting {
    RedirectTarget target;
    unsigned q;  ///< thousandths
  };
  std::vector<Waiting> waiting_;
  std::vector<std::string> seen_;  // in canonical form
  std::size_t taken_ = 0;
};

/// The contacts that a 3xx may be passed on with, as the value of a Contact header. Empty: it names none.
std::string passed_contacts(const Message& redirection);

}  // namespace jackfield::sip::call
