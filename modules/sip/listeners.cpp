#include "listeners.h"

#include <algorithm>

namespace jackfield::sip {

namespace {

/// The same socket with the same rules for addresses: nothing to open or close.
bool same_socket(const stack::ListenerOptions& a, const stack::ListenerOptions& b) { return a.kind == b.kind && a.bind == b.bind; }

bool same_listener(const stack::ListenerOptions& a, const stack::ListenerOptions& b) {
  const auto same_networks = std::equal(a.local_net.begin(), a.local_net.end(), b.local_net.begin(), b.local_net.end(),
                                        [](const net::Cidr& x, const net::Cidr& y) { return x.text() == y.text(); });
  return same_socket(a, b) && a.name == b.name && a.advertise_host == b.advertise_host && a.advertise_port == b.advertise_port && same_networks;
}

}  // namespace

tl::expected<ListenerChange, std::string> ListenerChange::prepare(stack::Transport& transport, const std::vector<ListenerSettings>& open,
                                                                  const std::vector<ListenerSettings>& wanted, Logger& log) {
  ListenerChange change(transport);
  std::vector<std::uint16_t> live;
  for (const auto& [index, options] : transport.listeners()) live.push_back(index);
  std::vector<const ListenerSettings*> missing;
  std::vector<bool> kept(open.size());
  for (const auto& each : wanted) {
    const auto held = std::find_if(live.begin(), live.end(), [&](std::uint16_t index) { return !kept[index] && same_listener(open[index].options, each.options); });
    if (held == live.end()) {
      missing.push_back(&each);
      continue;
    }
    kept[*held] = true;
    change.kept_.emplace_back(*held, each);
  }
  for (const auto index : live)
    if (!kept[index]) change.closing_.push_back(index);

  for (const auto* each : missing) {
    // The same socket under other rules (advertise=, a new name) cannot be open twice: the old one makes room.
    const auto old = std::find_if(change.closing_.begin(), change.closing_.end(), [&](std::uint16_t index) { return same_socket(open[index].options, each->options); });
    if (old != change.closing_.end() && each->options.bind.port() != 0) {
      transport.close(*old);
      change.closing_.erase(old);
    }
    auto index = transport.open(each->options);
    if (index) {
      change.opened_.emplace_back(*index, *each);
    } else if (each->optional) {
      log.warning("event=not-listening transport={} address={} reason={}", stack::transport_name(each->options.kind), each->options.bind.text(),
                  log_value(index.error()));
    } else {
      return tl::unexpected(std::move(index.error()));
    }
  }
  return change;
}

ListenerChange::ListenerChange(ListenerChange&& other) noexcept
    : transport_(std::exchange(other.transport_, nullptr)), opened_(std::move(other.opened_)), kept_(std::move(other.kept_)), closing_(std::move(other.closing_)) {}

ListenerChange::~ListenerChange() {
  if (!transport_) return;
  for (const auto& [index, settings] : opened_) transport_->close(index);
}

void ListenerChange::commit(std::vector<ListenerSettings>& open) {
  for (const auto index : closing_) transport_->close(index);
  for (auto* list : {&kept_, &opened_})
    for (auto& [index, settings] : *list) {
      if (open.size() <= index) open.resize(index + 1u);
      open[index] = std::move(settings);
    }
  opened_.clear();
  transport_ = nullptr;
}

}  // namespace jackfield::sip
