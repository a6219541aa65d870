#include "stack/transaction_table.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace jackfield;
using namespace jackfield::sip::stack;

namespace {

struct Value {
  explicit Value(int n_) : n(n_) {}
  int n;
};

/// As long as a branch, and now and then as long as somebody likes.
std::string key_of(int n) { return std::string(n % 7 == 0 ? 400 : 40, 'k') + std::to_string(n); }

}  // namespace

TEST_CASE("a transaction is found by key and id, however many there are and however long its key is, and is itself no more when its place is another's") {
  TransactionTable<Value> table;
  const FlowId flow{};
  std::vector<std::uint64_t> ids;
  std::vector<Value*> places;
  for (int n = 0; n < 1000; ++n) {
    ids.push_back(table.add(static_cast<std::uint64_t>(n % 90), key_of(n), flow, n));
    places.push_back(table.find(ids.back()));
  }
  for (int n = 0; n < 1000; ++n) {
    CAPTURE(n);
    const auto id = ids[static_cast<std::size_t>(n)];
    CHECK(table.find_id(static_cast<std::uint64_t>(n % 90), key_of(n)) == id);
    CHECK(table.key_of(id) == key_of(n));
    REQUIRE(table.find(id) == places[static_cast<std::size_t>(n)]);  // it has stayed where it was
    CHECK(table.find(id)->n == n);
  }
  CHECK(table.find_id(1, key_of(2)) == 0);
  CHECK(table.on_flow(flow).size() == 1000);

  for (int n = 0; n < 1000; n += 2) table.remove(ids[static_cast<std::size_t>(n)]);
  CHECK(table.size() == 500);
  CHECK(table.on_flow(flow).size() == 500);
  // A long key makes place for a short one and the other way round.
  for (int n = 1000; n < 1500; ++n) ids.push_back(table.add(static_cast<std::uint64_t>(n % 90), key_of(n), flow, n));
  for (int n = 0; n < 1500; ++n) {
    CAPTURE(n);
    const bool gone = n < 1000 && n % 2 == 0;
    const auto id = ids[static_cast<std::size_t>(n)];
    CHECK((table.find(id) == nullptr) == gone);
    CHECK(table.find_id(static_cast<std::uint64_t>(n % 90), key_of(n)) == (gone ? 0 : id));
  }
  int count = 0;
  table.each([&count](Value&) { ++count; });
  CHECK(count == 1000);
  table.clear();
  CHECK(table.size() == 0);
  CHECK(table.on_flow(flow).empty());
}
