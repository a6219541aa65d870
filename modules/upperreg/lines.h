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
  /// Thru: ends connections that no AOR has; where room is needed, those by which nobody is registered, too.
  void release_idle(bool room_needed = false);
  /// Thru: a connection to a domain that *.SUFFIX allows, which no server has ever answered for and nobody waits for: a phone made it up.
  bool forget_made_up(const std::string& name);
  /// A place among the phones that wait for a server; it is given back whatever way the waiting ends.
  class Place {
   public:
    Place(std::shared_ptr<Core> core, Lines& lines, std::string name) : core_(std::move(core)), lines_(&lines), name_(std::move(name)) {}
    Place(const Place&) = delete;
    ~Place() {
      if (!core_->stopped) lines_->give_back(name_);
    }

   private:
    std::shared_ptr<Core> core_;
    Lines* lines_;
    std::string name_;
  };
  /// Null: the server does not answer, as somebody else is finding out already, or as many wait as may.
  std::unique_ptr<Place> place(const std::string& name);
  /// What an answer, or that there was none, says of the server.
  enum class News : std::uint8_t { none, moved, back };  ///< another server than before answered; it answers again
  News heard(const std::string& line, const std::string& server);
  /// What was `asked` then was not answered. Where others were heard since, it was that request and not the server.
  void missed(const std::string& line, WallTime asked);
  /// It asked a phone for credentials: what it agrees to is worth something.
  void challenged(const std::string& line);
  bool challenges(const std::string& line) const;
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
    bool challenges = false;     ///< it has asked for credentials since we began
    bool told_of_trust = false;  ///< that it asks for none was logged
    bool unheard = false;  ///< nothing at all came back lately
    bool beginning = false;      ///< user.login is being answered
    WallTime last_heard{}, tried{};  ///< tried: when a phone was let through though the server was not heard
    std::size_t waiting = 0;     ///< phones
    bool lists = true;     ///< it tells who asks what is registered
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
  void give_back(const std::string& name);

  std::shared_ptr<Core> core_;
  std::map<std::string, Line, std::less<>> all_;
  std::size_t waiting_ = 0;  ///< by all of them
};

}  // namespace jackfield::upperreg
