#include "lifecycle/privileges.h"

#include <fmt/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace jackfield {
namespace {

constexpr rlim_t kFewFiles = 4096;

struct Identity {
  std::string name;
  uid_t user;
  gid_t group;
};

tl::expected<Identity, std::string> find_identity(std::string_view text) {
  const auto colon = text.find(':');
  const std::string name(text.substr(0, colon));
  const auto* user = ::getpwnam(name.c_str());
  if (!user) return tl::unexpected(fmt::format("user: there is no user `{}` on this machine", name));
  Identity identity{name, user->pw_uid, user->pw_gid};
  if (colon == std::string_view::npos) return identity;
  const std::string group_name(text.substr(colon + 1));
  const auto* group = ::getgrnam(group_name.c_str());
  if (!group) return tl::unexpected(fmt::format("user: there is no group `{}` on this machine", group_name));
  identity.group = group->gr_gid;
  return identity;
}

/// A descriptor of whatever `name` is, a symbolic link itself and not what it names; closed with this.
class Named {
 public:
  Named(int folder, const char* name) : fd_(::openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)) {}
  ~Named() {
    if (fd_ >= 0) ::close(fd_);
  }
  Named(const Named&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// The user may write in these folders, and may have been here before us: what has another name elsewhere may be root's, and no name
/// is looked up twice, for it might mean something else by then.
void give(const Named& what, const Identity& to) {
  struct stat info {};
  if (what.fd() < 0 || ::fstat(what.fd(), &info) != 0) return;
  if (!S_ISDIR(info.st_mode) && info.st_nlink > 1) return;
  (void)!::fchownat(what.fd(), "", to.user, to.group, AT_EMPTY_PATH);
  if (!S_ISDIR(info.st_mode)) return;
  const int folder = ::openat(what.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const entries = folder < 0 ? nullptr : ::fdopendir(folder);
  if (!entries) {
    if (folder >= 0) ::close(folder);
    return;
  }
  while (const dirent* entry = ::readdir(entries))
    if (std::string_view(entry->d_name) != "." && std::string_view(entry->d_name) != "..") give(Named(folder, entry->d_name), to);
  ::closedir(entries);
}

tl::expected<void, std::string> failed(const char* what) { return tl::unexpected(fmt::format("user: {}: {}", what, std::strerror(errno))); }

}  // namespace

tl::expected<void, std::string> drop_privileges(std::string_view user, const std::filesystem::path& state_dir, const std::filesystem::path& log_file) {
  const auto identity = find_identity(user);
  if (!identity) return tl::unexpected(identity.error());
  if (::geteuid() != 0) {
    if (::geteuid() == identity->user) return {};
    return tl::unexpected(fmt::format("user: only root can become `{}`; leave the key out, or start the server as root or as that user", identity->name));
  }
  std::error_code error;
  give(Named(AT_FDCWD, std::filesystem::canonical(state_dir, error).c_str()), *identity);
  if (!log_file.empty()) give(Named(AT_FDCWD, log_file.c_str()), *identity);

  // The C library does these for all threads; capabilities of root go with its number, in each of them.
  if (::initgroups(identity->name.c_str(), identity->group) != 0) return failed("its groups");
  if (::setresgid(identity->group, identity->group, identity->group) != 0) return failed("its group");
  if (::setresuid(identity->user, identity->user, identity->user) != 0) return failed("becoming it");
  if (identity->user != 0 && ::setuid(0) == 0) return tl::unexpected(std::string("user: root could be had back"));
  // Programs this thread starts cannot become more than it is.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("no_new_privs");
  (void)::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // changing the user forbids core files; the limit says whether there are any
  return {};
}

void warn_about_root(Logger& log) {
  if (::geteuid() == 0) log.warning("event=runs_as_root hint=\"user= in [general] of jackfield.conf, or -u, names whom the server becomes once it has its ports\"");
}

void report_limits(Logger& log) {
  rlimit core{}, files{};
  if (::getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0)
    log.info("event=limits core=0 hint=\"a crash leaves no core file; `ulimit -c unlimited`, or LimitCORE=infinity of systemd, allows one\"");
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY || files.rlim_cur >= kFewFiles) return;
  log.warning("event=limits open_files={} hint=\"each connection takes one; `ulimit -n 65536`, or LimitNOFILE=65536 of systemd, allows more\"", files.rlim_cur);
}

}  // namespace jackfield
