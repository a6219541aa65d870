// What a run of a load generator came to, printed as one line of JSON for the script that started it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "udp.h"

namespace jackfield::bench {

class Outcome {
 public:
  Outcome() : began_us_(now_us()), began_cpu_us_(own_cpu_us()) {}

  void succeeded(std::uint64_t began_us) {
    ++ok_;
    latencies_.push_back(static_cast<std::uint32_t>(now_us() - began_us));
  }
  /// `why`: the status code that was not expected, or a word.
  void failed(const std::string& why) {
    ++failed_;
    ++reasons_[why];
  }
  /// Something worth seeing that is no failure: a retransmission, an unasked-for packet.
  void count(const std::string& what) { ++counts_[what]; }
  std::size_t done() const { return ok_ + failed_; }

  /// Prints, and returns the program's exit status: 0 when nothing failed.
  int report() {
    const double seconds = (now_us() - began_us_) / 1e6, cpu = static_cast<double>(own_cpu_us() - began_cpu_us_);
    std::sort(latencies_.begin(), latencies_.end());
    std::printf("{\"ok\":%zu,\"failed\":%zu,\"seconds\":%.3f,\"per_second\":%.1f,\"generator_cpu_us\":%.2f,\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u,\"reasons\":%s,\"counts\":%s}\n",
                ok_, failed_, seconds, ok_ / seconds, ok_ ? cpu / ok_ : 0.0, quantile(.5), quantile(.99), quantile(1), json(reasons_).c_str(), json(counts_).c_str());
    return failed_ ? 1 : 0;
  }

 private:
  std::uint32_t quantile(double q) const {
    return latencies_.empty() ? 0 : latencies_[std::min(latencies_.size() - 1, static_cast<std::size_t>(q * latencies_.size()))];
  }
  static std::string json(const std::map<std::string, std::size_t>& values) {
    std::string text = "{";
    for (const auto& [name, value] : values) text += (text.size() > 1 ? ",\"" : "\"") + name + "\":" + std::to_string(value);
    return text + "}";
  }

  std::uint64_t began_us_, began_cpu_us_;
  std::size_t ok_ = 0, failed_ = 0;
  std::vector<std::uint32_t> latencies_;
  std::map<std::string, std::size_t> reasons_, counts_;
};

/// When the next operation may start: at once in a closed loop, at `rate` a second in an open one.
class Pace {
 public:
  Pace(std::size_t count, double rate, double seconds) : count_(count), rate_(rate), end_us_(now_us() + static_cast<std::uint64_t>(seconds * 1e6)), began_us_(now_us()) {}
  /// How many of the operations may have been started by now.
  std::size_t allowed(std::uint64_t now) const {
    if (now > end_us_) return 0;
    return rate_ > 0 ? std::min(count_, static_cast<std::size_t>((now - began_us_) * rate_ / 1e6) + 1) : count_;
  }
  bool over(std::size_t started, std::uint64_t now) const { return started >= count_ || now > end_us_; }
  int patience_ms() const { return rate_ > 0 ? 1 : 20; }

 private:
  std::size_t count_;
  double rate_;
  std::uint64_t end_us_, began_us_;
};

}  // namespace jackfield::bench
