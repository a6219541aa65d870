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
  void clear() {
    bytes_.clear();
    ends_.clear();
  }
  std::size_t room() const { return bytes_.capacity(); }

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;
};

struct Compaction {
  Records records;
  std::uint64_t position;
  Done done;
};

/// Those who wait for the same sync.
struct Waiters {
  std::vector<Done> callbacks;
  std::vector<detail::Promise> promises;  ///< kept even when the journal is gone: a coroutine must not wait for ever
  bool asked = false;                  ///< somebody who is told nothing wants a sync, too
  bool empty() const { return callbacks.empty() && promises.empty() && !asked; }
  void add(Waiters more) {
    std::move(more.callbacks.begin(), more.callbacks.end(), std::back_inserter(callbacks));
    std::move(more.promises.begin(), more.promises.end(), std::back_inserter(promises));
    asked |= more.asked;
  }
};

/// What is handed over at once: records, then perhaps a compaction, then those who wait for all of it and what came before.
struct Batch {
  Records records;
  std::optional<Compaction> compaction;
  Waiters waiters;
  bool empty() const { return records.empty() && !compaction && waiters.empty(); }
};

/// From the end of a sync to the next one. Right after a sync few records wait, and a sync costs the same for few as for many: under
/// load more share each, and who comes alone does not wait.
constexpr std::chrono::milliseconds kRest{2};
// Emptied records go back to be filled again: as many as turns of the loop fit between two syncs under load, and none that a burst made large.
constexpr std::size_t kSpares = 8;
constexpr std::size_t kSpareRoom = 256 * 1024;

}  // namespace

struct Journal::Impl : std::enable_shared_from_this<Journal::Impl> {
  Impl(boost::asio::io_context& i, Options options) : io(i), max_record(options.max_record), file(std::move(options)) {}

  void schedule();
  void hand_over();
  void write_batches();
  void write(std::vector<Batch>& batches);
  void complete(Waiters waiters, std::string error);

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
  std::vector<Records> spares;
  bool idle = false;  // the writer waits for work
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
  bool wanted = false;
  {
    const std::lock_guard lock(mutex);
    handed_over.push_back(std::exchange(filling, {}));
    if (!spares.empty()) {
      filling.records = std::move(spares.back());
      spares.pop_back();
    }
    wanted = std::exchange(idle, false);
  }
  if (wanted) wake.notify_one();  // otherwise he comes by himself
}

void Journal::Impl::write_batches() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the engine thread's
  pthread_setname_np(pthread_self(), "journal");
  auto rested = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex);
  for (;;) {
    // What comes meanwhile wakes nobody.
    if (std::chrono::steady_clock::now() < rested) wake.wait_until(lock, rested, [this] { return ending; });
    idle = handed_over.empty();
    wake.wait(lock, [this] { return ending || !handed_over.empty(); });
    idle = false;
    if (handed_over.empty()) return;
    auto batches = std::exchange(handed_over, {});
    lock.unlock();
    write(batches);
    rested = std::chrono::steady_clock::now() + kRest;
    lock.lock();
    for (Batch& batch : batches) {
      if (spares.size() == kSpares) break;
      if (batch.records.room() == 0 || batch.records.room() > kSpareRoom) continue;
      batch.records.clear();
      spares.push_back(std::move(batch.records));
    }
  }
}

void Journal::Impl::write(std::vector<Batch>& batches) {
  Waiters waiters;
  for (Batch& batch : batches) {
    for (const std::string_view record : batch.records.all()) file.add(record);
    waiters.add(std::move(batch.waiters));
    if (!batch.compaction) continue;
    // What was added before is in the new file by its owner's word; on failure it still goes to the old one below.
    std::string error = file.replace(batch.compaction->records.all(), batch.compaction->position);
    file_bytes = file.end();
    if (!batch.compaction->done) continue;
    Waiters told;
    told.callbacks.push_back(std::move(batch.compaction->done));
    complete(std::move(told), std::move(error));
  }
  std::string error = file.write();
  if (error.empty() && !waiters.empty()) error = file.sync();
  file_bytes = file.end();
  if (!waiters.empty()) complete(std::move(waiters), std::move(error));
}

void Journal::Impl::complete(Waiters waiters, std::string error) {
  // The weak pointer is looked at on the engine thread, where the journal is destroyed.
  boost::asio::post(io, [weak = weak_from_this(), waiters = std::move(waiters), error = std::move(error)]() mutable {
    for (const Done& done : waiters.callbacks)
      if (!weak.expired()) done(error);
    for (detail::Promise& promise : waiters.promises) promise.fulfil(error);
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
  impl_->filling.waiters.asked = true;
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
  impl_->filling.waiters.callbacks.push_back(std::move(done));
  impl_->schedule();
}

namespace {

Task<tl::expected<void, JournalError>> wait_for_sync(Durability durability) {
  auto waiting = durability.wait();
  std::string error = co_await std::move(waiting);
  if (error.empty()) co_return tl::expected<void, JournalError>();
  co_return tl::unexpected(JournalError{std::move(error)});
}

}  // namespace

Durability Journal::durability() {
  // One outcome for all who ask between two hand-overs.
  auto& promises = impl_->filling.waiters.promises;
  if (promises.empty()) promises.emplace_back();
  impl_->schedule();
  return Durability(promises.back().outcome());
}

Task<tl::expected<void, JournalError>> Journal::sync() { return wait_for_sync(durability()); }

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
