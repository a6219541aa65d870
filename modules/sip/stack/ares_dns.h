// The name servers, asked by c-ares on the engine thread: its sockets are waited for by Asio, its timeouts run on the engine's wheel.
// The only part of ours that knows c-ares' channel. Owned by the resolver.
#pragma once

#include <memory>
#include <string>

#include "stack/dns.h"

#include <jackfield/engine.h>

namespace jackfield::sip::stack {

struct AresOptions {
  std::vector<net::Address> servers;  ///< none: those of /etc/resolv.conf, which is read again now and then
  std::chrono::milliseconds timeout{1000};  ///< of the first try; the second one waits twice as long
};

/// Names in /etc/hosts are found there first.
std::unique_ptr<Dns> make_ares_dns(Engine& engine, AresOptions options);

}  // namespace jackfield::sip::stack
