#include <doctest/doctest.h>

#include <jackfield/metrics.h>

#include <stdexcept>

using namespace jackfield;

TEST_CASE("counters and gauges are printed in Prometheus' text") {
  Metrics metrics;
  metrics.counter("jackfield_sip_requests_total", "Requests.", {{"method", "INVITE"}}).add(3);
  metrics.counter("jackfield_sip_requests_total", "Requests.", {{"method", "INVITE"}}).add();
  metrics.counter("jackfield_sip_requests_total", "Requests.", {{"method", "A\"B"}}).add();
  auto gauge = metrics.gauge("jackfield_sip_legs_count", "Legs now.", {}, [] { return 2.0; });
  const std::string text = metrics.prometheus_text();
  CHECK(text.find("# TYPE jackfield_sip_requests_total counter") != std::string::npos);
  CHECK(text.find("jackfield_sip_requests_total{method=\"INVITE\"} 4\n") != std::string::npos);
  CHECK(text.find("jackfield_sip_requests_total{method=\"A\\\"B\"} 1\n") != std::string::npos);
  CHECK(text.find("# HELP jackfield_sip_legs_count Legs now.") != std::string::npos);
  CHECK(text.find("jackfield_sip_legs_count 2\n") != std::string::npos);
  gauge.reset();
  CHECK(metrics.prometheus_text().find("legs") == std::string::npos);
}

TEST_CASE("a metric that is not named by the rule is a programming error") {
  Metrics metrics;
  for (const char* name : {"requests_total", "jackfield_requests_total", "jackfield_sip_Requests_total", "jackfield_sip__total", "jackfield_sip_x_total_", ""})
    CHECK_THROWS_AS(metrics.counter(name, "help"), std::invalid_argument);
  metrics.counter("jackfield_sip_requests_total", "help");
  CHECK_THROWS_AS((void)metrics.gauge("jackfield_sip_requests_total", "help", {}, [] { return 0.0; }), std::invalid_argument);
}
