#include <jackfield/metrics.h>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string_view>

namespace jackfield {
namespace {

/// `jackfield_<module>_<what>_<unit>`: at least four words of small letters and digits.
bool well_named(std::string_view name) {
  if (!name.starts_with("jackfield_") || name.back() == '_' || name.find("__") != std::string_view::npos) return false;
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return std::all_of(name.begin(), name.end(), fits) && std::count(name.begin(), name.end(), '_') >= 3;
}

struct Gauge {
  std::function<double()> read;
};

struct Family {
  prometheus::MetricType type;
  std::string help;
  std::map<MetricLabels, std::unique_ptr<Counter>> counters;
  std::map<MetricLabels, std::weak_ptr<Gauge>> gauges;
};

prometheus::ClientMetric sample(const MetricLabels& labels) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : labels) metric.label.push_back({name, value});
  return metric;
}

}  // namespace

struct Metrics::Impl {
  Family& family(const std::string& name, const std::string& help, prometheus::MetricType type) {
    if (!well_named(name)) throw std::invalid_argument("metric " + name + " is not named jackfield_<module>_<what>_<unit>");
    Family& found = families.try_emplace(name, Family{type, help, {}, {}}).first->second;
    if (found.type != type) throw std::invalid_argument("metric " + name + " is both a counter and a gauge");
    return found;
  }

  std::map<std::string, Family> families;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::counter(const std::string& name, const std::string& help, const MetricLabels& labels) {
  auto& place = impl_->family(name, help, prometheus::MetricType::Counter).counters[labels];
  if (!place) place = std::make_unique<Counter>();
  return *place;
}

std::shared_ptr<void> Metrics::gauge(const std::string& name, const std::string& help, const MetricLabels& labels,
                                     std::function<double()> read) {
  auto gauge = std::make_shared<Gauge>(Gauge{std::move(read)});
  impl_->family(name, help, prometheus::MetricType::Gauge).gauges[labels] = gauge;
  return gauge;
}

std::string Metrics::prometheus_text() const {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& [name, family] : impl_->families) {
    prometheus::MetricFamily out{name, family.help, family.type, {}};
    for (const auto& [labels, counter] : family.counters) {
      out.metric.push_back(sample(labels));
      out.metric.back().counter.value = static_cast<double>(counter->value());
    }
    for (const auto& [labels, weak] : family.gauges) {
      const auto gauge = weak.lock();
      if (!gauge) continue;
      out.metric.push_back(sample(labels));
      out.metric.back().gauge.value = gauge->read();
    }
    if (!out.metric.empty()) families.push_back(std::move(out));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace jackfield
