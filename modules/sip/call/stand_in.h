// Stands in on the bus for a party that waits for a new call: a caller without a wire. Engine thread only.
#pragma once

#include <string>
#include <string_view>

#include <jackfield/channel.h>

namespace jackfield::sip::call {

class StandIn final : public Channel {
 public:
  /// `table` outlives it.
  StandIn(ChannelTable& table, std::string_view driver, std::string_view billid)
      : Channel(table.next_id(driver), std::string(driver), ChannelDirection::incoming), table_(table) {
    set_billid(std::string(billid));
    table_.add(*this);
  }
  ~StandIn() override { table_.remove(*this); }

 private:
  ChannelTable& table_;
};

}  // namespace jackfield::sip::call
