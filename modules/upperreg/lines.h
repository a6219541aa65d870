// The connections that lead to the servers A, one for Upper and one for each domain of Thru in use: begun and ended with user.login, as
// accfile's accounts. Their servers, fail-over, homing and source checks are those of any connection. Engine thread only.
#pragma once

#include "core.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace jackfield::upperreg {

inline constexpr std::string_view kUpperLine = "upper", kThruLinePrefix = "thru.";
std::string line_of(Mode mode, std::string_view domain);

class Lines {
 public:
  explicit Lines(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  /// After the start and each reload: begins what is configured or has AORs, changes what changed, ends what is no more. Answers
  /// whose AORs have lost their server for good.
  void refresh();
  /// True when the connection is there, or could be begun now.
  static Task<bool> ready(std::shared_ptr<Core> core, Lines* lines, std::string name);
  /// Thru: ends connections that no AOR has.
  void release_idle();
  /// What an answer, or that there was none, says of the server.
  enum class News : std::uint8_t { none, moved, back };  ///< another server than before answered; it answers again
  News heard(const std::string& line, const std::string& server);
  void missed(const std::string& line);
  /// One server may have several domains: a call from it comes in by any of their connections.
  bool same_server(std::string_view one, std::string_view other) const;
  bool known(std::string_view line) const { return all_.contains(line); }
  std::size_t size() const { return all_.size(); }
  bool full() const { return all_.size() >= core_->settings.max_domains; }

  struct Line {
    std::string server;    ///< which one answered last
    bool online = true;
    bool silent = false;   ///< its last answer was none
    bool told = false;     ///< user.notify has come once
    std::string probed;    ///< the AOR that was asked for last
    std::vector<std::pair<std::string, std::string>> login;  ///< as performed
  };
  std::map<std::string, Line, std::less<>>& all() { return all_; }
  const std::map<std::string, Line, std::less<>>& all() const { return all_; }

 private:
  std::vector<std::pair<std::string, std::string>> parameters(std::string_view name) const;
  Message login(std::string_view name, std::string_view operation) const;
  void send(std::string_view name, std::string_view operation);
  bool configured(std::string_view name) const;

  std::shared_ptr<Core> core_;
  std::map<std::string, Line, std::less<>> all_;
};

}  // namespace jackfield::upperreg
