// Counters and gauges, named `jackfield_<module>_<what>_<unit>`. `jackfield status --metrics` prints them in Prometheus' text.
// Handles are made once and live as long as the engine; incrementing is one relaxed atomic operation from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace jackfield {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  /// The same name and labels give the same counter. Throws std::invalid_argument for a name that breaks the rule above.
  Counter& counter(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  /// `read` is called on the engine thread when somebody looks. Destroying the returned token withdraws the gauge.
  [[nodiscard]] std::shared_ptr<void> gauge(const std::string& name, const std::string& help, const MetricLabels& labels,
                                            std::function<double()> read);
  std::string prometheus_text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace jackfield
