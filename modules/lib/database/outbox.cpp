#include "database/outbox.h"

#include <iterator>
#include <utility>

namespace jackfield::database {

void Outbox::put(std::vector<std::shared_ptr<Request>>& finished) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (mail_.finished.empty()) mail_.finished.swap(finished);
    else mail_.finished.insert(mail_.finished.end(), std::make_move_iterator(finished.begin()), std::make_move_iterator(finished.end()));
    wake = !std::exchange(woken_, true);
  }
  finished.clear();
  if (wake) wake_();
}

void Outbox::put(LinkEvent event) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    mail_.events.push_back(std::move(event));
    wake = !std::exchange(woken_, true);
  }
  if (wake) wake_();
}

Outbox::Mail Outbox::collect() {
  const std::lock_guard lock(mutex_);
  woken_ = false;
  return std::exchange(mail_, {});
}

}  // namespace jackfield::database
