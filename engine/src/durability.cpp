#include <jackfield/durability.h>

namespace jackfield {
namespace {

Task<std::string> wait_for_error(std::shared_ptr<detail::SharedOutcome> outcome) {
  co_await detail::wait_until_finished(outcome);
  co_return outcome->error;
}

}  // namespace

Task<std::string> Durability::wait() const { return wait_for_error(outcome_); }

}  // namespace jackfield
