// Finds the connection a request came in by (D2 (1), SP-7): by the parameter of its Contact, else by where its servers are and who
// they call. Hashed but for networks. Owned by Lines; engine thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "line/pace.h"
#include "line/settings.h"
#include "net/address.h"

namespace jackfield::sip::line {

class Directory {
 public:
  /// Replaces what is known of this connection. `contact` is the value of the parameter that names it to its registrar, empty: none;
  /// `servers` are addresses with the ports it sends to.
  void set(LineNumber number, const ConnectionSettings& settings, std::string contact, std::vector<net::Address> servers);
  void erase(LineNumber number);

  /// `user`: of the Request-URI, unescaped. 0: none. An upstream connection is never meant: who registers there by us says which calls are
  /// answers to that.
  LineNumber find(const net::Address& source, std::string_view user, std::string_view contact) const;
  /// The upstream connection that has this source, the first by name; 0: none.
  LineNumber find_upstream(const net::Address& source) const;
  /// Of an upstream connection the allowed addresses alone: whose its servers' names lead to, others may say.
  bool is_source(const net::Address& source) const;

 private:
  struct Entry {
    std::string name;
    bool upstream;
    std::string username, contact;
    std::vector<net::Address> servers;
    std::vector<net::Cidr> networks;
    bool match_port;
    std::optional<bool> match_user;
    bool has(const net::Address& source) const;
  };
  /// Those whose servers or networks have that address, by name.
  std::vector<LineNumber> at(const net::Address& source) const;

  std::unordered_map<LineNumber, Entry> entries_;
  std::unordered_map<std::string, LineNumber> by_contact_;
  std::unordered_map<net::Address, std::vector<LineNumber>, net::AddressHash> by_address_;  // without port
  std::unordered_map<std::string, std::vector<LineNumber>> by_user_;                        // those that want calls for their user
  std::vector<LineNumber> with_networks_;
};

}  // namespace jackfield::sip::line
