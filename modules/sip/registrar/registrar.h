// REGISTER (RFC 3261 §10.3) between phones, stores and the table of bindings: who may, what is asked, what the stores agree to, and
// only then the answer; where another server has to agree, it is asked before (upstream.h). Work on one user is done one after another, also while a store waits. A store that agrees with a proviso
// (bus.h) waits for its disk only: all is done and the answer written at once, held back, and let go when the disk has it. Engine thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <jackfield/messages/stored_bindings.h>

#include "core.h"
#include "registrar/keepalive.h"
#include "registrar/passed_nonces.h"
#include "registrar/table.h"
#include "registrar/upstream.h"
#include "registrar/work.h"

namespace jackfield::sip::registrar {

class Registrar final : public BindingTable, private Upstream::Owner {
 public:
  Registrar(Core& core, Admission& admission);
  ~Registrar() override;

  void request(const stack::IncomingRequest& request);
  /// Responses to our OPTIONS; true when it was one.
  bool response(stack::ClientTransactionId transaction) { return keepalive_.answered(transaction); }
  bool client_failed(stack::ClientTransactionId transaction) { return keepalive_.failed(transaction); }
  /// Bindings on a connection end with it.
  void flow_closed(const stack::FlowId& flow);
  /// Asks all stores for what they keep: after the start.
  void recall_all();

  std::optional<BindingTarget> find(std::string_view data) const override;
  std::optional<Device> device_on(std::string_view username, const stack::FlowId& connection) const override;
  std::optional<stack::FlowId> connection_of(const Device& device) const override;
  const Table& table() const { return table_; }
  /// One that a person made and the stores have agreed to (by_hand.h); null: it has no place in the table. They keep `most` of the user's
  /// bindings, 0: any number; what is too many, the longest silent, has gone from them.
  void enter_by_hand(Binding::Ptr binding, long long most);
  std::weak_ptr<void> alive() const { return alive_; }

 private:
  using Transaction = stack::ServerTransactionId;
  static constexpr std::size_t kMaxWaiting = 16;  // REGISTERs of one user that wait for a store; more are told to come back

  /// One REGISTER, or the end of one binding (no transaction).
  struct Job {
    Work work;
    Sender sender;
    Transaction transaction;
    std::optional<Agreement> agreement;             ///< of another server; nothing: not asked, or it has no part in it
    enum class Stage : std::uint8_t { begin, recall, upstream, changes } stage = Stage::begin;
    std::optional<jackfield::Message> question = {};  ///< user.bindings, where the user is not in the table; user.upstream
    std::size_t given = 0;                            ///< parameters of user.upstream that were ours
    bool renamed = false;                             ///< by the other server: it is about another user's bindings
    std::optional<Refusal> refusal = {};              ///< by the plan or the other server; the stores' is the work's
    // While its answer is held:
    Few<std::unique_ptr<Verdict::Open>> provisos = {};  ///< of the stores
    Work::Effects effects = {};
    stack::HeldAnswerId held = {};
    net::Address source = {};
    std::string call_id = {};  ///< for the log, where it is wanted

    Job(Work work_, Sender sender_, Transaction transaction_, std::optional<Agreement> agreement_ = {})
        : work(std::move(work_)), sender(std::move(sender_)), transaction(transaction_), agreement(std::move(agreement_)) {}
  };

  // What another server says.
  Planned plan_for(const stack::IncomingRequest& request) const override;
  void agreed(const Sender& sender, Agreement agreement, const stack::IncomingRequest& request, Transaction transaction) override;
  void declined(const std::string& username, const Refusal& refusal, const stack::IncomingRequest& request, Transaction transaction) override;
  void not_carried(const stack::IncomingRequest& request, Transaction transaction) override;
  /// Whether the credentials answer a challenge of another server that was passed on to their very source.
  bool proves_source(const stack::IncomingRequest& request) const;

  /// By whose bindings a REGISTER is planned that may be for `username`, or for him with the domain he names.
  std::string user_or_whole(std::string_view username, const stack::IncomingRequest& request) const;
  void admitted(const Sender& sender, std::optional<Agreement> agreement, const stack::IncomingRequest& request, Transaction transaction);
  /// True when it is done; else it goes on by itself.
  bool start(std::unique_ptr<Job> job, const stack::IncomingRequest* request);
  /// The next message to dispatch; null when the job is done.
  jackfield::Message* next(Job& job, const stack::IncomingRequest* request);
  void answered(Job& job, bool handled);
  Planned plan(const std::string& username, const Sender& sender, std::uint32_t most_expires, const stack::IncomingRequest& request) const;
  unsigned max_contacts(const Sender& sender) const;
  void finish(Job& job, const stack::IncomingRequest* request);
  void registered(const Job& job, const net::Address& source, std::string_view call_id);
  void refuse(const Job& job, const Refusal& refusal, const stack::IncomingRequest* request);
  void note_refusal(const std::string& username, const Refusal& refusal, const net::Address& source);
  void hold(std::unique_ptr<Job> job, const stack::IncomingRequest& request);
  void answer_when_durable(std::unique_ptr<Job> job);
  void durable(std::unique_ptr<Job> job);
  void not_durable(std::unique_ptr<Job> job, const Refusal& refusal);
  void next_in_line(const std::string& username);
  static Task<> carry_on(Registrar* registrar, std::weak_ptr<void> alive, std::unique_ptr<Job> job, Verdict verdict);

  Verdict ask(jackfield::Message& message);
  void unregistered(const jackfield::Message& message);
  Verdict is_registered(const jackfield::Message& message) const;
  static Task<bool> ask_stores(std::unique_ptr<jackfield::Message> question, Verdict verdict, const Clock& clock);
  static Task<bool> rehearse_stores(Bus& bus, std::unique_ptr<jackfield::Message> question, const Clock& clock);
  void enter(Work::Effects effects);
  void release(const Binding& binding);
  /// Writes the 200; within a transaction, without one, or held back.
  void answer_bindings(const stack::IncomingRequest& request, Job& job, bool held);
  void add_nat_headers(Writer& writer, const Binding& binding) const;
  std::string_view date();
  static Task<> wait_for_recall(std::weak_ptr<void> alive, std::shared_ptr<jackfield::Message> message, Verdict verdict,
                                std::function<void(const jackfield::Message&)> take);
  struct Restored {
    std::size_t entered = 0, seen = 0;
  };
  Restored restore_all(const messages::StoredBindings& stored, bool shared);
  bool recall_wanted(const std::string& username, const stack::IncomingRequest* request) const;
  void note_shared();
  void expire();
  void tick();
  void watch_clock();

  Core& core_;
  Admission& admission_;
  Table table_;
  Keepalive keepalive_;
  PassedNonces passed_nonces_;
  Upstream upstream_{core_, *this, passed_nonces_};
  struct Waiting {
    Transaction transaction;
    Sender sender;
    std::optional<Agreement> agreement;
  };
  std::unordered_map<std::string, std::vector<Waiting>> busy_;  ///< users a store is working on, and who waits
  TimerSinkId timers_;
  Bus::Subscription unregistered_, registered_question_;
  const jackfield::Message* asking_ = nullptr;  ///< ours, while its first handlers see it
  std::string date_;
  WallTime date_of_{};
  bool ticking_ = false;
  bool store_is_shared_ = false;  ///< one has said so (D8)
  Counter& registered_;
  Counter& failed_;
  std::shared_ptr<void> bindings_gauge_, users_gauge_;
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace jackfield::sip::registrar
