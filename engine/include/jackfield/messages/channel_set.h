// The parameters every message about a channel carries (Channel::complete), to begin the declarations of such messages with.
#pragma once

#include <jackfield/messages/parameters.h>

#include <array>

namespace jackfield::messages {

inline constexpr auto kChannelSet = std::to_array<ParameterUse>({
    {&param::kId}, {&param::kModule}, {&param::kStatus}, {&param::kAddress}, {&param::kTargetid}, {&param::kBillid},
    {&param::kPeerid}, {&param::kLastpeerid}, {&param::kAnswered}, {&param::kDirection}, {&param::kCallid}});

/// The channel's parameters, then the message's own.
template <std::size_t N>
constexpr std::array<ParameterUse, kChannelSet.size() + N> with_channel_set(const std::array<ParameterUse, N>& own) {
  std::array<ParameterUse, kChannelSet.size() + N> all{};
  for (std::size_t i = 0; i < kChannelSet.size(); ++i) all[i] = kChannelSet[i];
  for (std::size_t i = 0; i < N; ++i) all[kChannelSet.size() + i] = own[i];
  return all;
}

}  // namespace jackfield::messages
