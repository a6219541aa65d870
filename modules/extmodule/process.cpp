#include "process.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <fmt/format.h>

#include <array>
#include <cstring>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace jackfield::extmodule {

namespace asio = boost::asio;

namespace {

/// A pipe whose ends close by themselves until they are released.
struct Pipe {
  int read = -1, write = -1;
  Pipe() {
    std::array<int, 2> ends;
    if (pipe2(ends.data(), O_CLOEXEC) == 0) read = ends[0], write = ends[1];
  }
  ~Pipe() {
    if (read >= 0) ::close(read);
    if (write >= 0) ::close(write);
  }
  Pipe(const Pipe&) = delete;
  static int release(int& end) { return std::exchange(end, -1); }
};

std::string in_words(int status) {
  if (WIFSIGNALED(status)) return fmt::format("killed by signal {}", WTERMSIG(status));
  return fmt::format("exit code {}", WEXITSTATUS(status));
}

}  // namespace

/// Becomes readable when the process ends. Shared with the wait, which may outlive the Process.
struct Process::Watch {
  Watch(asio::io_context& loop, int descriptor) : pidfd(loop, descriptor) {}
  asio::posix::stream_descriptor pidfd;
  Process* process = nullptr;  ///< null once that is gone
};

tl::expected<std::unique_ptr<Process>, std::string> Process::start(Engine& engine, std::vector<std::string> command, Ended ended) {
  Pipe in, out, errors;
  const auto failed = [&](int error) { return tl::unexpected(fmt::format("{} does not start: {}", command.at(0), std::strerror(error))); };
  if (in.read < 0 || out.read < 0 || errors.read < 0) return failed(errno);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in.read, 0);
  posix_spawn_file_actions_adddup2(&files, out.write, 1);
  posix_spawn_file_actions_adddup2(&files, errors.write, 2);
  posix_spawn_file_actions_addclosefrom_np(&files, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t ours, none;
  sigfillset(&ours);  // what the server ignores or catches is nothing a script inherits
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &ours);
  posix_spawnattr_setsigmask(&attributes, &none);

  std::vector<char*> arguments;
  for (auto& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, command[0].c_str(), &files, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return failed(error);

  std::unique_ptr<Process> process(new Process(engine, pid, std::move(ended)));
  const auto pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) return failed(errno);
  process->watch(pidfd);
  process->connection_ = Connection::make(engine, Pipe::release(out.read), Pipe::release(in.write));
  const int error_end = Pipe::release(errors.read);
  process->errors_ = Connection::make(engine, error_end, error_end);
  process->errors_->set_longest_line(4096, true);
  auto& log = engine.log("extmodule");
  process->errors_->start({.line = [&log, pid](std::string_view line) { log.info("script {}: {}", pid, line); }, .closed = [](std::string_view) {}});
  return process;
}

Process::Process(Engine& engine, int pid, Ended ended) : engine_(engine), pid_(pid), ended_(std::move(ended)) {}

void Process::watch(int descriptor) {
  watch_ = std::make_shared<Watch>(engine_.io(), descriptor);
  watch_->process = this;
  watch_->pidfd.async_wait(asio::posix::stream_descriptor::wait_read, [watch = watch_](const boost::system::error_code& error) {
    if (error || !watch->process) return;
    Process& process = *watch->process;
    watch->process = nullptr;
    int status = 0;
    const bool reaped = waitpid(process.pid_, &status, WNOHANG) == process.pid_;
    killpg(process.pid_, SIGKILL);  // whatever it left behind
    process.pid_ = 0;
    process.ended_(reaped ? in_words(status) : "gone", reaped && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  });
}

void Process::terminate() {
  if (pid_ > 0) killpg(pid_, SIGTERM);
}

Process::~Process() {
  if (watch_) {
    watch_->process = nullptr;
    boost::system::error_code ignored;
    watch_->pidfd.close(ignored);
  }
  if (errors_) errors_->close();
  if (connection_) connection_->close();
  if (pid_ <= 0) return;
  killpg(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
}

}  // namespace jackfield::extmodule
