// One REGISTER (or the end of a binding) on its way through the stores: which message comes next, what its answer means, and what is
// undone when a store refuses half-way. The registrar dispatches; whether an answer comes at once or later makes no difference
// here. Touches the table only when all is agreed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <jackfield/message.h>

#include "core.h"
#include "registrar/changes.h"
#include "registrar/table.h"

namespace jackfield::sip::registrar {

class Work {
 public:
  Work(Core& core, Table& table, std::string username) : core_(core), table_(table), username_(std::move(username)) {}

  const std::string& username() const { return username_; }

  struct Limits {
    unsigned max_contacts = 0;  ///< 0: as many as can be served
    MaxContactsPolicy policy = MaxContactsPolicy::replace_oldest;
  };
  void begin(Few<Change> changes, const Limits& limits) {
    changes_ = std::move(changes);
    limits_ = limits;
  }
  /// The next message to dispatch, null when there is none. `request` is null when it is gone or there never was one; a
  /// registration cannot go on without it and is undone.
  jackfield::Message* next(const Message* request, const Sender& sender);
  /// What the stores said to the last one.
  void answered(bool handled);
  /// Why nothing was changed; once next() has given null.
  const std::optional<Refusal>& refusal() const { return refusal_; }

  /// Called for each binding that leaves the table or enters it.
  struct Effects {
    Few<Binding::Ptr> gone;
    Few<BindingId> entered;
  };
  /// Enters what was agreed in the table (D8: a store that keeps one binding leaves one).
  Effects apply();
  /// After apply(), when what a store agreed to did not become durable: the table is as before, and next() and answered() tell the stores,
  /// as they do when one refuses. Gives those whose connection was lost meanwhile.
  std::vector<Binding::Ptr> take_back(Effects effects, Refusal refusal);
  /// Between messages: what the last one and its answer occupied.
  void forget_message() { message_.reset(); }

  /// A store keeps bindings of other servers beside ours (D8), which this table does not.
  bool store_is_shared() const { return store_is_shared_; }
  /// One that a store of several servers keeps of the user.
  struct Listed {
    Binding::Ptr binding;
    bool elsewhere;  ///< another server has its flow
  };
  /// All of them as of its last answer; nothing: no such store, or it did not say.
  const std::optional<std::vector<Listed>>& listed() const { return listed_; }
  /// Takes what an answer says about a shared store: of user.bindings here, of the others by answered().
  void hear(const jackfield::Message& answer);

  /// `osip_X` of the answers: headers of ours.
  const std::vector<std::pair<std::string, std::string>>& reply_headers() const { return reply_headers_; }

 private:
  void refuse(const jackfield::Message& answer);
  void refuse(Refusal refusal);
  void read_answer(Change& change, const jackfield::Message& answer);
  /// Of a shared store: removes, or refuses, what is too many on all servers together.
  void keep_within_limits();
  bool is_listed_here(std::string_view key) const;

  Core& core_;
  Table& table_;
  std::string username_;
  Few<Change> changes_;
  std::size_t next_ = 0;
  bool undoing_ = false, store_is_shared_ = false;
  std::optional<jackfield::Message> message_;
  std::optional<Refusal> refusal_;
  Limits limits_;
  std::optional<std::vector<Listed>> listed_;
  std::optional<std::size_t> store_keeps_;  // bindings of the user; 0: any number
  std::vector<std::pair<std::string, std::string>> reply_headers_;
};

}  // namespace jackfield::sip::registrar
