// Expiry against a model: whatever phones do, a binding is there until its last second and not after it.
#include "unit/sip/site.h"

#include <random>

using namespace jackfield;
using namespace jackfield::sip;

TEST_CASE("YT-7 YT-9 every combination of header, parameter and limits gives the duration the rules give") {
  Site site;
  Phone phone{site};
  const std::uint64_t seed = site.engine.seed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const auto pick = [&](std::initializer_list<int> values) { return *(values.begin() + static_cast<int>(random() % values.size())); };
  for (int round = 0; round < 150; ++round) {
    auto& r = site.settings->registrar;
    r.yate_expires = random() % 2;
    r.expires_min = std::chrono::seconds(pick({1, 60, 300}));
    r.expires_max = std::chrono::seconds(pick({300, 3600, 100000}));
    r.expires_def = std::chrono::seconds(pick({300}));
    std::optional<unsigned> header, own;
    if (random() % 3) header = static_cast<unsigned>(pick({1, 59, 60, 61, 299, 300, 3600, 3601, 2000000000}));
    if (random() % 3) own = static_cast<unsigned>(pick({1, 59, 60, 61, 299, 300, 3600, 3601, 2000000000}));
    const auto wanted = r.yate_expires ? (header ? header : own) : (own ? own : header);
    const std::int64_t asked = wanted ? *wanted : r.expires_def.count();
    CAPTURE(round);
    CAPTURE(asked);
    const auto reply = phone.enroll({"<sip:200@198.51.100.7>" + (own ? fmt::format(";expires={}", *own) : "")}, header);
    if (wanted && asked < r.expires_min.count()) {
      CHECK(reply.code == 423);
      CHECK(reply.value("Min-Expires") == std::to_string(r.expires_min.count()));
    } else {
      CHECK(reply.contacts().at(0) == fmt::format("<sip:200@198.51.100.7>;expires={}", std::min<std::int64_t>(asked, r.expires_max.count())));
    }
  }
}

TEST_CASE("ZY-3 bindings of many users live exactly as long as they were granted") {
  Site site;
  const std::uint64_t seed = site.engine.seed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  site.settings->registrar.auth_required = false;
  site.settings->registrar.expires_min = 1s;
  site.settings->registrar.expires_max = 20000s;
  std::map<std::string, MonoTime> model;  // by data
  std::vector<Phone> phones;
  for (int i = 0; i < 20; ++i)
    phones.push_back({.site = site, .flow = udp(fmt::format("198.51.100.{}:5060", i + 1)), .to = std::to_string(300 + i), .call_id = fmt::format("ph{:05}", i)});
  for (int round = 0; round < 600; ++round) {
    auto& phone = phones[random() % phones.size()];
    const auto data = fmt::format("sip:{}@{}", phone.to, phone.flow.remote.text());
    const unsigned expires = random() % 5 == 0 ? 0 : static_cast<unsigned>(1 + random() % (random() % 10 == 0 ? 9000 : 30));
    REQUIRE(phone.send(fmt::format("Contact: <{}>;expires={}\r\n", data, expires))->code == 200);
    if (expires) model[data] = site.engine.clock().now() + std::chrono::seconds(expires);
    else model.erase(data);
    site.engine.advance(std::chrono::milliseconds(random() % 2500));
    const auto now = site.engine.clock().now();
    std::size_t living = 0, kept = 0;
    for (const auto& [each, end] : model) {
      CAPTURE(each);
      CHECK(site.registrar->find(each).has_value() == (now < end));
      living += now < end;
      kept += now < end + 1s;  // the table is swept on the full second
    }
    CHECK(site.registrar->table().size() >= living);
    CHECK(site.registrar->table().size() <= kept);
    CHECK(site.stored.size() == site.registrar->table().size());
  }
}
