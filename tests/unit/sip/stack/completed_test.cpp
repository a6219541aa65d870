#include "stack/completed.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>

#include "stack/keyed_hash.h"

using namespace jackfield;
using namespace jackfield::sip::stack;

namespace {

constexpr HashKey kKey{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};

MonoTime at(int seconds) { return MonoTime(std::chrono::seconds(seconds)); }

CompletedStore::Entry entry(const std::string& key, const std::string& response, std::uint64_t merge_hash = 0) {
  return {keyed_hash(kKey, key), merge_hash, key, {}, response};
}

}  // namespace

TEST_CASE("the keyed hash is SipHash") {
  // The vectors of the paper's reference: key 00…0f, texts of 0, 1 and 15 bytes 00, 01, ….
  std::string text;
  for (char c = 0; c < 15; ++c) text.push_back(c);
  CHECK(keyed_hash<2, 4>(kKey, std::string_view(text).substr(0, 0)) == 0x726fdb47dd0e0e31ULL);
  CHECK(keyed_hash<2, 4>(kKey, std::string_view(text).substr(0, 1)) == 0x74f839c593dc67fdULL);
  CHECK(keyed_hash<2, 4>(kKey, text) == 0xa129ca6149be45e5ULL);
  CHECK(keyed_hash(kKey, "a") != keyed_hash({1, 2}, "a"));
}

TEST_CASE("a completed answer is found by its key until its time is over") {
  CompletedStore store(1 << 20);
  store.add(entry("key", "SIP/2.0 200 OK", 77), at(10));
  REQUIRE(store.find(keyed_hash(kKey, "key"), "key") != nullptr);
  CHECK(store.find(keyed_hash(kKey, "key"), "key")->response == "SIP/2.0 200 OK");
  CHECK(store.find(keyed_hash(kKey, "key"), "another") == nullptr);
  CHECK(store.find(keyed_hash(kKey, "another"), "another") == nullptr);
  CHECK(store.merges(77));
  CHECK_FALSE(store.merges(78));
  CHECK(store.next_expiry() == at(10));
  store.expire(at(9));
  CHECK(store.size() == 1);
  store.expire(at(10));
  CHECK(store.size() == 0);
  CHECK_FALSE(store.merges(77));
  CHECK(store.find(keyed_hash(kKey, "key"), "key") == nullptr);
  CHECK_FALSE(store.next_expiry().has_value());
}

TEST_CASE("beyond the cap the oldest answers leave first") {
  const std::size_t cap = 4 << 20;
  CompletedStore store(cap);
  const std::string response(1000, 'x');
  for (int i = 0; i < 20000; ++i) {
    store.add(entry("key" + std::to_string(i), response), at(10));
    REQUIRE(store.bytes() <= cap + (1 << 20));  // spare blocks come on top
  }
  CHECK(store.size() > 2000);
  const auto kept = [&](int i) { return store.find(keyed_hash(kKey, "key" + std::to_string(i)), "key" + std::to_string(i)) != nullptr; };
  const int first_kept = 20000 - static_cast<int>(store.size());
  CHECK(kept(19999));
  CHECK(kept(first_kept));
  CHECK_FALSE(kept(first_kept - 1));
  CHECK_FALSE(kept(0));
}

TEST_CASE("the memory of completed answers goes back to the system") {
  CompletedStore store(256 << 20);
  const std::string response(500, 'x');
  for (int i = 0; i < 100000; ++i) store.add(entry("key" + std::to_string(i), response), at(10));
  CHECK(store.bytes() > 50u << 20);
  for (int turn = 0; turn < 10; ++turn) store.expire(at(10));
  CHECK(store.size() == 0);
  CHECK(store.bytes() < 1u << 20);
}

TEST_CASE("an answer larger than a block has a block of its own") {
  CompletedStore store(16 << 20);
  const std::string large(1 << 20, 'x');
  store.add(entry("small", "a"), at(1));
  store.add(entry("large", large), at(2));
  store.add(entry("after", "b"), at(3));
  CHECK(store.find(keyed_hash(kKey, "large"), "large")->response == large);
  CHECK(store.find(keyed_hash(kKey, "after"), "after")->response == "b");
  store.expire(at(2));
  CHECK(store.size() == 1);
  CHECK(store.find(keyed_hash(kKey, "after"), "after")->response == "b");
}

TEST_CASE("the store of completed answers agrees with a map, whatever the order") {
  const auto seed = std::random_device{}();
  INFO("seed=" << seed);
  std::mt19937 random(seed);
  CompletedStore store(64 << 20);
  std::map<std::string, std::pair<std::string, int>> model;
  int now = 0;
  for (int step = 0; step < 20000; ++step) {
    if (random() % 50 == 0) {
      now += static_cast<int>(random() % 3);
      store.expire(at(now));
      std::erase_if(model, [&](const auto& item) { return item.second.second <= now; });
    }
    const std::string key = "k" + std::to_string(step);
    const std::string response(random() % 300, static_cast<char>('a' + step % 26));
    store.add(entry(key, response, random() % 2 ? random() | 1u : 0), at(now + 32));
    model[key] = {response, now + 32};
    const std::string probe = "k" + std::to_string(random() % static_cast<unsigned>(step + 1));
    const auto* found = store.find(keyed_hash(kKey, probe), probe);
    const auto expected = model.find(probe);
    REQUIRE((found != nullptr) == (expected != model.end()));
    if (found) REQUIRE(found->response == expected->second.first);
    REQUIRE(store.size() == model.size());
  }
}

TEST_CASE("an answer that is held stays beyond its time and the cap, until it is let go or forgotten") {
  CompletedStore store(1);
  const auto hash = [](const std::string& key) { return keyed_hash(kKey, key); };
  const std::string keys[] = {"first", "second"}, responses[] = {std::string(1000, 'a'), "b"};
  auto first = entry(keys[0], responses[0], 7), second = entry(keys[1], responses[1]);
  first.held = second.held = true;
  const auto held = store.add(first, at(10)), refused = store.add(second, at(10));
  REQUIRE(held != 0);
  const std::string large(300 * 1024, 'x');
  for (int i = 0; i < 3; ++i) store.add(entry("key" + std::to_string(i), large), at(10));
  store.expire(at(20));
  REQUIRE(store.find(hash("first"), "first") != nullptr);
  CHECK(store.find(hash("first"), "first")->held);
  CHECK(store.merges(7));

  const auto* forgotten = store.forget(refused);
  REQUIRE(forgotten != nullptr);
  CHECK(forgotten->response == "b");
  CHECK(store.find(hash("second"), "second") == nullptr);
  CHECK(store.forget(refused) == nullptr);

  const auto* gone = store.let_go(held);
  REQUIRE(gone != nullptr);
  CHECK(gone->response == responses[0]);
  CHECK_FALSE(store.find(hash("first"), "first")->held);
  CHECK(store.let_go(held) == nullptr);
  store.expire(at(20));
  CHECK(store.size() == 0);
  CHECK_FALSE(store.merges(7));

  const auto late = store.add(first, at(30));
  store.clear();
  CHECK(store.let_go(late) == nullptr);
}
