// Registrations to which another server has to agree (Upper and Thru, D19 to D21): who carries them is asked with user.upstream, before
// anybody is challenged here and once more when somebody was. REGISTERs of one AOR wait for each other, nothing else waits for them, and
// where nobody carries any this costs nothing. Owned by Registrar; engine thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include <jackfield/message.h>

#include "core.h"
#include "registrar/passed_nonces.h"
#include "registrar/work.h"

namespace jackfield::sip::registrar {

/// What the other server's agreement comes to.
struct Agreement {
  std::uint32_t most = UINT32_MAX;                            ///< seconds; no binding is granted more
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< of the 200
};

/// What was planned for a REGISTER, as the question names it.
using Planned = tl::expected<Few<Change>, Refusal>;

/// Named so, or an address of ours; that nobody named any makes none ours.
bool is_own_domain(const Core& core, const Uri& uri);
/// `sender`: who has proved to be one of ours; null: nobody has proved anything yet. What is refused anyway is asked about as if it named no
/// contact: it is nobody's binding, there as here. Credentials for our own realm are told where `passed` has their nonce; null: never.
jackfield::Message upstream_question(const Core& core, const stack::IncomingRequest& request, const Sender* sender, const Planned& planned, const PassedNonces* passed);
/// The other server's part in it. `given`: how many parameters the question had; later ones travel on with the sender, whose name
/// it may change: from there on it is about that user's bindings.
tl::expected<Agreement, Refusal> read_agreement(const jackfield::Message& answer, std::size_t given, Sender& sender);

class Upstream {
 public:
  using Transaction = stack::ServerTransactionId;
  /// The registrar: each REGISTER comes back by one of these, in the order of its AOR. A transaction is set where it waited.
  class Owner {
   public:
    virtual ~Owner() = default;
    /// What it would do to the bindings of that user.
    virtual Planned plan_for(const stack::IncomingRequest& request) const = 0;
    virtual void agreed(const Sender& sender, Agreement agreement, const stack::IncomingRequest& request, Transaction transaction) = 0;
    virtual void declined(const std::string& username, const Refusal& refusal, const stack::IncomingRequest& request, Transaction transaction) = 0;
    /// Nobody carries it: it is served like any other.
    virtual void not_carried(const stack::IncomingRequest& request, Transaction transaction) = 0;
  };

  /// All outlive it.
  Upstream(Core& core, Owner& owner, const PassedNonces& passed) : core_(core), owner_(owner), passed_(passed) {}

  /// Whether anybody carries registrations at all.
  bool exists() const;
  void ask(const stack::IncomingRequest& request);

 private:
  // Of one AOR; more are told to come back. Anybody may have his REGISTERs wait here: one address leaves room for others.
  static constexpr std::size_t kMostWaiting = 64;
  static constexpr std::ptrdiff_t kMostOfOneAddress = 8;

  struct Question {
    jackfield::Message message;
    std::size_t given;
  };
  /// True when it is decided, false when it waits.
  bool begin(const stack::IncomingRequest& request, Transaction transaction);
  void decide(Question& question, bool handled, const stack::IncomingRequest& request, Transaction transaction);
  void next_in_line(const std::string& aor);
  static Task<> wait(Upstream* upstream, std::weak_ptr<void> alive, Transaction transaction, std::string aor, std::unique_ptr<Question> question, Verdict verdict);

  Core& core_;
  Owner& owner_;
  const PassedNonces& passed_;
  std::unordered_map<std::string, std::vector<Transaction>> waiting_;  ///< by AOR: behind the one that is asked about
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace jackfield::sip::registrar
