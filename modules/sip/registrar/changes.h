// What a REGISTER asks of a user's bindings, RFC 3261 §10.3 steps 6 and 7: all of it, or a refusal and nothing. Pure: reads the
// table, changes nothing.
#pragma once

#include <boost/container/small_vector.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "registrar/binding.h"
#include "registrar/table.h"
#include "settings.h"
#include "sip/message.h"
#include "sip/writer.h"
#include "stack/transactions.h"

namespace jackfield::sip::registrar {

/// Bindings of a user where nobody set a number: each contact is compared with each of them, and each 200 lists them all.
inline constexpr unsigned kMostContacts = 128;

/// One user.register or user.unregister, and what it does to the table once the store has agreed.
struct Change {
  enum class What : std::uint8_t {
    put,         ///< `binding` is new or takes the place of the one with its key
    remove,      ///< the one with `key` goes
    remove_all,  ///< all of the user's go
  } what;
  Binding::Ptr binding;
  std::string key;
  std::string_view reason = {};  ///< of a removal nobody asked for: a constant
};

/// What a REGISTER has nearly always one of: no allocation then.
template <class T>
using Few = boost::container::small_vector<T, 1>;

struct Refusal {
  int code;
  std::string phrase;           ///< empty: the standard one
  std::uint32_t min_expires = 0;  ///< for 423
  std::string_view require = {};  ///< for 421
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< what another server says with it
};

struct Asked {
  const stack::IncomingRequest& request;
  std::string_view username;
  unsigned max_contacts;    ///< 0: as many as can be served, 128
  bool shared_store;        ///< other servers keep bindings of his in the same store (D8): the table is not all there is
  bool foreign_contacts;    ///< the user's own switch, or a trusted edge with a Path (D5)
  std::uint32_t most_expires;  ///< another server granted no more
  MonoTime now;
  const RegistrarSettings& settings;
  /// Whether host and port name this server.
  std::function<bool(std::string_view host, std::uint16_t port)> is_ours;
  std::function<bool(const stack::FlowId& flow)> is_alive;
};

void write_headers(Writer& writer, const Refusal& refusal);

/// The changes in the order in which the store is told of them; none for a REGISTER that only asks.
tl::expected<Few<Change>, Refusal> plan_changes(const Asked& asked, const Table& table);

}  // namespace jackfield::sip::registrar
