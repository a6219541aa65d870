// What a fork is to call, in which order: `fork A B C`, or callto.1, callto.2, … with parameters callto.N.name; entries that begin
// with `|` part groups. Pure.
#pragma once

#include <jackfield/clock.h>
#include <jackfield/message.h>

#include <string>
#include <string_view>
#include <vector>

namespace jackfield::callfork {

/// `fork.calltype` of a target: how its leg counts.
enum class CallType : std::uint8_t {
  regular,    ///< while one of these is left, its group is under way
  auxiliary,  ///< rings beside regular ones, and ends with the last of them (Yate writes auxiliar)
  persistent, ///< holds up no group and ends with none: it rings until the fork is over
};

struct Target {
  std::string callto;
  CallType type = CallType::regular;
  bool ringer = false;  ///< `fork.ringer`: of this leg alone the caller hears that it rings
  std::vector<std::pair<std::string, std::string>> parameters = {};  ///< set for this target alone
};

/// Targets that are called together, and when those after them follow.
struct Group {
  enum class Next : std::uint8_t {
    failed,  ///< `|`: when all of this group have failed
    also,    ///< `|next=ms`: after that time at the latest; this group rings on
    instead, ///< `|drop=ms`: after that time at the latest; this group is given up then
    lost,    ///< `|exec`, `|exec=ms`: as soon as one of this group has failed, or after that time; the others ring on
  };
  std::vector<Target> targets;
  Next next = Next::failed;
  Duration after{0};  ///< also, instead and lost; 0: no time limit
};

/// `callto` is `fork` or `fork A B C`. Groups without targets are left out; no groups: nothing to call.
std::vector<Group> read_plan(std::string_view callto, const Message& message);

/// True for a parameter that describes the fork itself and is not passed on to its legs.
bool is_fork_parameter(std::string_view name);

}  // namespace jackfield::callfork
