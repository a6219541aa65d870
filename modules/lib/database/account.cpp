#include "database/account.h"

#include "database/account_impl.h"

namespace jackfield::database {

Account::Account(Engine& engine, std::string_view module, AccountOptions options, ConnectionFactory factory)
    : impl_(std::make_shared<Impl>(engine, module, std::move(options), std::move(factory))) {
  if (impl_->options.autostart) impl_->start();
}

Account::~Account() { stop(Duration(0)); }

Task<Answer> Account::ask(const Question& question) { return impl_->ask(question); }
std::size_t Account::in_flight() const { return impl_->outstanding; }
Account::State Account::state() const { return impl_->state(); }
const std::string& Account::last_trouble() const { return impl_->trouble; }
Statistics Account::statistics() const { return impl_->statistics(); }
const AccountOptions& Account::options() const { return impl_->options; }
void Account::stop(Duration patience) { impl_->stop(patience); }

std::string_view state_name(Account::State state) {
  switch (state) {
    case Account::State::idle: return "idle";
    case Account::State::connecting: return "connecting";
    case Account::State::up: return "up";
    case Account::State::away: return "away";
  }
  return "";
}

}  // namespace jackfield::database
