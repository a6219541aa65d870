// Every leg of the sip module: owned here, found by number, by dialog, or by the transaction that belongs to it. Whoever lets an
// event into the legs holds a Scope; legs that finished are destroyed when the outermost one ends, never under their own feet.
// Engine thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "stack/dialog.h"
#include "stack/transactions.h"

namespace jackfield::sip::call {

class Leg;
using LegNumber = std::uint64_t;

class LegTable {
 public:
  LegTable();
  ~LegTable();
  LegTable(const LegTable&) = delete;

  class [[nodiscard]] Scope {
   public:
    explicit Scope(LegTable& table) : table_(table) { ++table_.depth_; }
    ~Scope();
    Scope(const Scope&) = delete;

   private:
    LegTable& table_;
  };

  LegNumber next_number() { return ++last_; }
  Leg& add(std::unique_ptr<Leg> leg);
  Leg* find(LegNumber number) const;
  /// It is destroyed when the outermost Scope ends.
  void finish(LegNumber number);

  void index(const stack::DialogKeyView& dialog, LegNumber leg);
  void unindex(const stack::DialogKeyView& dialog);
  Leg* find(const stack::DialogKeyView& dialog) const;

  void own(stack::ClientTransactionId transaction, LegNumber leg);
  void own(stack::ServerTransactionId transaction, LegNumber leg);
  void disown(stack::ClientTransactionId transaction) { clients_.erase(transaction.value); }
  void disown(stack::ServerTransactionId transaction) { servers_.erase(transaction.value); }
  Leg* owner(stack::ClientTransactionId transaction) const;
  Leg* owner(stack::ServerTransactionId transaction) const;

  std::size_t size() const { return legs_.size(); }
  std::size_t dialogs() const { return dialogs_.size(); }
  std::size_t transactions() const { return clients_.size() + servers_.size(); }
  std::vector<LegNumber> numbers() const;
  /// `empty` is called once, when the last leg has gone.
  void on_empty(std::function<void()> empty) { empty_ = std::move(empty); }
  void clear();

 private:
  std::unordered_map<LegNumber, std::unique_ptr<Leg>> legs_;
  std::unordered_map<stack::DialogKey, LegNumber, stack::DialogKeyHash, stack::DialogKeyEqual> dialogs_;
  std::unordered_map<std::uint64_t, LegNumber> clients_, servers_;
  std::vector<LegNumber> finished_;
  std::function<void()> empty_;
  LegNumber last_ = 0;
  unsigned depth_ = 0;
};

}  // namespace jackfield::sip::call
