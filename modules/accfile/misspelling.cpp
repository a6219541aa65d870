#include "misspelling.h"

#include <algorithm>
#include <vector>

namespace jackfield::accfile {
namespace {

constexpr std::size_t kLongName = 8, kShortest = 4, kLongest = 64;

/// Optimal string alignment: as Levenshtein's, and two neighbours that changed places are one slip.
std::size_t slips(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t other = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + other});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string_view meant_by(std::string_view name, std::span<const std::string_view> candidates) {
  if (name.size() < kShortest || name.size() > kLongest) return {};
  std::string_view best;
  std::size_t fewest = (name.size() >= kLongName ? 2 : 1) + 1;
  for (const auto candidate : candidates) {
    if (candidate == name) return {};
    if (const auto distance = slips(name, candidate); distance < fewest) {
      fewest = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace jackfield::accfile
