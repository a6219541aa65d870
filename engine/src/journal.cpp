// The engine thread collects records and hands them over once a turn of the loop; the writer thread writes what it finds and
// syncs once for all of it (group commit). So throughput follows the size of the batches, and latency the disk.
#include "journal_file.h"

#include <jackfield/detail/pending.h>
#include <jackfield/journal.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace jackfield {
namespace {

using Done = std::function<void(const std::string& error)>;

/// Records one after the other, as the engine thread leaves them for the writer.
class Records {
 public:
  void add(std::string_view record) {
    bytes_.append(record);
    ends_.push_back(bytes_.size());
  }
  std::vector<std::string_view> all() const {
    std::vector<std::string_view> records;
    records.reserve(ends_.size());
    std::size_t begin = 0;
    for (const std::size_t end : ends_) records.push_back(std::string_view(bytes_).substr(begin, end - begin)), begin = end;
    return records;
  }
  bool empty() const { return ends_.empty(); }

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;
};

struct Compaction {
  Records records;
  std::uint64_t position;
  Done done;
};

struct Waiter {
  Done done;
  bool task;  ///< completes even when the journal is gone: a coroutine must not wait for ever
};

/// What is handed over at once: records, then perhaps a compaction, then those who wait for all of it and what came before.
struct Batch {
  Records records;
  std::optional<Compaction> compaction;
  std::vector<Waiter> waiters;
  bool empty() const { return records.empty() && !compaction && waiters.empty(); }
};

}  // namespace

struct Journal::Impl : std::enable_shared_from_this<Journal::Impl> {
  Impl(boost::asio::io_context& i, Options options) : io(i), max_record(options.max_record), file(std::move(options)) {}

  void schedule();
  void hand_over();
  void write_batches();
  void write(std::vector<Batch> batches);
  void complete(std::vector<Waiter> waiters, std::string error);

  boost::asio::io_context& io;
  const std::size_t max_record;
  journal::File file;  // the writer's, once the thread runs

  // Engine thread.
  Batch filling;
  std::uint64_t position = 0;
  bool scheduled = false;

  std::mutex mutex;
  std::condition_variable wake;
  std::vector<Batch> handed_over;
  bool ending = false;

  std::atomic<std::uint64_t> file_bytes{0};
  std::thread thread;
};

void Journal::Impl::schedule() {
  if (std::exchange(scheduled, true)) return;
  boost::asio::post(io, [weak = weak_from_this()] {
    if (const auto impl = weak.lock()) impl->hand_over();
  });
}

void Journal::Impl::hand_over() {
  scheduled = false;
  if (filling.empty()) return;
  {
    const std::lock_guard lock(mutex);
    handed_over.push_back(std::exchange(filling, {}));
  }
  wake.notify_one();
}

void Journal::Impl::write_batches() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the engine thread's
  pthread_setname_np(pthread_self(), "journal");
  std::unique_lock lock(mutex);
  for (;;) {
    wake.wait(lock, [this] { return ending || !handed_over.empty(); });
    if (handed_over.empty()) return;
    auto batches = std::exchange(handed_over, {});
    lock.unlock();
    write(std::move(batches));
    lock.lock();
  }
}

void Journal::Impl::write(std::vector<Batch> batches) {
  std::vector<Waiter> waiters;
  for (Batch& batch : batches) {
    for (const std::string_view record : batch.records.all()) file.add(record);
    std::move(batch.waiters.begin(), batch.waiters.end(), std::back_inserter(waiters));
    if (!batch.compaction) continue;
    // What was added before is in the new file by its owner's word; on failure it still goes to the old one below.
    std::string error = file.replace(batch.compaction->records.all(), batch.compaction->position);
    file_bytes = file.end();
    if (batch.compaction->done) complete({{std::move(batch.compaction->done), false}}, std::move(error));
  }
  std::string error = file.write();
  if (error.empty() && !waiters.empty()) error = file.sync();
  file_bytes = file.end();
  if (!waiters.empty()) complete(std::move(waiters), std::move(error));
}

void Journal::Impl::complete(std::vector<Waiter> waiters, std::string error) {
  // The weak pointer is looked at on the engine thread, where the journal is destroyed.
  boost::asio::post(io, [weak = weak_from_this(), waiters = std::move(waiters), error = std::move(error)] {
    for (const Waiter& waiter : waiters) {
      if (waiter.task || !weak.expired()) waiter.done(error);
    }
  });
}

tl::expected<std::unique_ptr<Journal>, JournalError> Journal::open(boost::asio::io_context& io, Options options, const Replay& replay) {
  auto impl = std::make_shared<Impl>(io, std::move(options));
  if (std::string error = impl->file.open(replay); !error.empty()) return tl::unexpected(JournalError{std::move(error)});
  impl->position = impl->file.position();
  impl->file_bytes = impl->file.end();
  impl->thread = std::thread([raw = impl.get()] { raw->write_batches(); });
  return std::unique_ptr<Journal>(new Journal(std::move(impl)));
}

Journal::Journal(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Journal::~Journal() {
  // Somebody must wait for it, or it would be written and not synced.
  impl_->filling.waiters.push_back({[](const std::string&) {}, true});
  impl_->hand_over();
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->ending = true;
  }
  impl_->wake.notify_one();
  impl_->thread.join();
}

std::uint64_t Journal::append(std::string_view record) {
  if (record.size() > impl_->max_record) throw std::length_error("a journal's record is longer than its max_record");
  impl_->filling.records.add(record);
  impl_->schedule();
  return impl_->position += journal::kRecordHeader + record.size();
}

void Journal::sync(std::function<void(const std::string& error)> done) {
  impl_->filling.waiters.push_back({std::move(done), false});
  impl_->schedule();
}

namespace {

Task<tl::expected<void, JournalError>> wait_for_sync(std::shared_ptr<detail::PendingSlot> slot) {
  co_await detail::wait_until_finished(slot);
  const auto error = std::static_pointer_cast<std::string>(slot->value);
  if (!error || error->empty()) co_return tl::expected<void, JournalError>();
  co_return tl::unexpected(JournalError{*error});
}

}  // namespace

Task<tl::expected<void, JournalError>> Journal::sync() {
  auto slot = std::make_shared<detail::PendingSlot>();
  // When the loop is destroyed before its turn comes, so is the coroutine.
  const std::shared_ptr<detail::PendingSlot> promise(slot.get(), [slot](detail::PendingSlot* unkept) { unkept->abandon(); });
  impl_->filling.waiters.push_back({[promise](const std::string& error) { promise->finish(std::make_shared<std::string>(error), {}); }, true});
  impl_->schedule();
  return wait_for_sync(std::move(slot));
}

void Journal::compact(const std::function<void(const std::function<void(std::string_view record)>& add)>& write,
                      std::function<void(const std::string& error)> done) {
  Records records;
  write([this, &records](std::string_view record) {
    if (record.size() > impl_->max_record) throw std::length_error("a journal's record is longer than its max_record");
    records.add(record);
  });
  impl_->filling.compaction.emplace(Compaction{std::move(records), impl_->position, std::move(done)});
  impl_->hand_over();  // a batch has one compaction, behind its records
}

std::uint64_t Journal::position() const { return impl_->position; }
std::uint64_t Journal::file_bytes() const { return impl_->file_bytes; }
const std::string& Journal::cut_tail() const { return impl_->file.cut_tail(); }

}  // namespace jackfield
